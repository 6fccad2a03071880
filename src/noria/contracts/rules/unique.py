"""unique: no two rows agree in some columns."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from noria.contracts.among import RowsRule, Watch
from noria.contracts.condition import Subject
from noria.contracts.repeated import NoneStays
from noria.contracts.wants import quoted
from noria.declarations import Names, OnFail


class Unique(RowsRule):
    """No two rows have the same values in these columns; rows with a null among them pass.

    All rows of a group that agrees are wrong: which of them is right, the rule cannot know. 16 bytes are remembered of
    each row.

    Parameters
    ----------
    keys : str or list of str
        The columns.

    Examples
    --------
    >>> unique(["origin", "hour"]).text
    'origin, hour is unique'
    """

    keys: Names = Field(kw_only=False, min_length=1)

    @property
    def text(self) -> str:
        return f"{', '.join(self.keys)} is unique"

    @property
    def columns(self) -> tuple[str, ...]:
        return self.keys

    def watch(self, subject: Subject) -> Watch:
        return NoneStays(self.keys)

    def broken_sql(self, subject: Subject, dialect: str) -> str:
        keys = [quoted(key) for key in self.keys]
        complete = " AND ".join(f"{key} IS NOT NULL" for key in keys)
        return f"({complete} AND COUNT(*) OVER (PARTITION BY {', '.join(keys)}) > 1)"


def unique(columns: str | Iterable[str], *, on_fail: OnFail = "fail", at_most: float | None = None) -> Unique:
    """A rule: no two rows have the same values in some columns.

    Examples
    --------
    >>> unique(["origin", "hour"], on_fail="warn")
    Unique(on_fail='warn', keys=('origin', 'hour'))
    """
    return Unique(columns, on_fail=on_fail, at_most=at_most)
