"""duplicates: no row comes twice, exactly or nearly."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar

from pydantic import Field, model_validator

from noria.contracts.among import RowsRule, Watch
from noria.contracts.condition import Subject
from noria.contracts.near import NearStays
from noria.contracts.repeated import FirstStays
from noria.contracts.wants import quoted
from noria.declarations import Micros, Names, OnFail, duration_text


class Duplicates(RowsRule):
    """No row is the same as one before it; null is a value like others. With ``on_fail="fix"`` such rows are dropped.

    With `time` and `within`, rows of the same keys whose times lie close are one thing that was told twice: in order of
    time, a row breaks the rule where the row of its keys before it is no further than `within`; of equal times the
    first row stays. A row without a time passes. 16 bytes are remembered of each row, and 40 where times are compared.

    Parameters
    ----------
    keys : str or list of str, optional
        Columns in which they are the same; all that the rows have, if none are given.
    time : str, optional
        A column of timestamps or dates.
    within : duration, optional
        How close times are of what is the same thing: ``"5m"``.

    Examples
    --------
    >>> duplicates().text, duplicates("sensor", time="at", within="10s").text
    ('no row comes twice', 'sensor does not come twice within 10s of at')
    """

    drops: ClassVar[bool] = True

    keys: Names = Field(default=(), kw_only=False)
    time: str | None = None
    within: Micros | None = None

    @model_validator(mode="after")
    def _time_and_distance(self) -> Duplicates:
        if (self.time is None) != (self.within is None):
            raise ValueError("time=… and within=… go together")
        if self.time is not None and not self.keys:
            raise ValueError("rows are near by their keys and their time: give keys")
        if self.within is not None and self.within < 0:
            raise ValueError("a distance is not negative")
        return self

    @property
    def text(self) -> str:
        if self.within is not None:
            return f"{', '.join(self.keys)} does not come twice within {duration_text(self.within)} of {self.time}"
        return f"{', '.join(self.keys)} does not come twice" if self.keys else "no row comes twice"

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.keys, self.time) if self.time is not None else self.keys

    def watch(self, subject: Subject) -> Watch:
        if self.time is None or self.within is None:
            return FirstStays(self._keys(subject), null_breaks=False)
        self.needs(subject, self.time, "timestamp", "date")
        return NearStays(self.keys, self.time, self.within)

    def broken_sql(self, subject: Subject, dialect: str) -> str:
        keys = ", ".join(quoted(key) for key in self._keys(subject))
        if self.time is None:
            return f"(ROW_NUMBER() OVER (PARTITION BY {keys} ORDER BY _row) > 1)"
        micros = f"EPOCH_US({quoted(self.time)})"
        before = f"LAG({micros}) OVER (PARTITION BY {keys}, {micros} IS NULL ORDER BY {micros}, _row)"
        return f"COALESCE({micros} - {before} <= {self.within}, FALSE)"

    def _keys(self, subject: Subject) -> tuple[str, ...]:
        return self.keys or tuple(name for name in subject.kinds if name != "_row")


def duplicates(
    keys: str | Iterable[str] = (), *, time: str | None = None, within: str | timedelta | None = None,
    on_fail: OnFail = "fail", at_most: float | None = None,
) -> Duplicates:  # fmt: skip
    """A rule: no row comes twice: as a whole, by some columns, or nearly, by some columns within a distance of time.

    Examples
    --------
    >>> duplicates(["sensor"], time="at", within="10s", on_fail="fix")
    Duplicates(on_fail='fix', keys=('sensor',), time='at', within=10000000)
    """
    return Duplicates(keys, time=time, within=within, on_fail=on_fail, at_most=at_most)
