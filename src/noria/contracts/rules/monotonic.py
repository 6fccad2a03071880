"""monotonic: a column's values go one way."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from noria.contracts.among import RowsRule, Watch, flags_at
from noria.contracts.condition import Subject
from noria.contracts.seen import text_of_category
from noria.contracts.wants import quoted
from noria.declarations import Names, OnFail

if TYPE_CHECKING:
    import polars as pl


class Monotonic(RowsRule):
    """No value is below the one before it, in the order of the rows; null passes and is passed over.

    One value is remembered of each group.

    Parameters
    ----------
    column : str
        A column of numbers, texts, dates or timestamps.
    by : str or list of str, optional
        Each group of rows of the same values here goes by itself; null is such a value.
    strict : bool
        Whether equal values break it as well.
    falling : bool
        Whether values go down instead of up.

    Examples
    --------
    >>> monotonic("at", by="sensor", strict=True).text
    'at rises strictly by sensor'
    """

    column: str = Field(kw_only=False)
    by: Names = ()
    strict: bool = False
    falling: bool = False

    @property
    def text(self) -> str:
        way = (
            ("falls" if self.strict else "never rises") if self.falling else ("rises" if self.strict else "never falls")
        )
        return f"{self.column} {way}{' strictly' * self.strict}{' by ' * bool(self.by)}{', '.join(self.by)}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, *self.by)

    @property
    def _wrong(self) -> str:
        return (">" if self.falling else "<") + "=" * self.strict

    def watch(self, subject: Subject) -> Watch:
        self.needs(subject, self.column, "int", "float", "string", "date", "timestamp", "interval")
        return _LastOfGroup(self.column, self.by, self._wrong)

    def broken_sql(self, subject: Subject, dialect: str) -> str:
        value = quoted(self.column)
        groups = f"PARTITION BY {', '.join(quoted(name) for name in self.by)} " if self.by else ""
        return f"COALESCE({value} {self._wrong} LAG({value} IGNORE NULLS) OVER ({groups}ORDER BY _row), FALSE)"


class _LastOfGroup:
    """The last value of each group, and which rows came after a greater one."""

    streams = True

    def __init__(self, column: str, by: tuple[str, ...], wrong: str):
        self._column, self._by, self._wrong = column, by, wrong
        self._last: pl.DataFrame | None = None
        self._count = 0
        self._flags: deque[pl.Series | None] = deque()

    def observe(self, frame: pl.DataFrame) -> None:
        import polars as pl

        schema = frame.schema
        read = [text_of_category(schema[name], pl.col(name)) for name in (self._column, *self._by)]
        rows = frame.select(*read).with_row_index("row").drop_nulls(self._column)
        if self._last is not None:
            rows = pl.concat([self._last, rows], how="vertical_relaxed")
        value = pl.col(self._column)
        before = value.shift().over(self._by) if self._by else value.shift()
        compare = {"<": value < before, "<=": value <= before, ">": value > before, ">=": value >= before}
        found = rows.filter(compare[self._wrong] & pl.col("row").is_not_null())["row"]
        last = rows.group_by(self._by, maintain_order=True).last() if self._by else rows.tail(1)
        self._last = last.select(pl.lit(None, rows.schema["row"]).alias("row"), self._column, *self._by)
        self._count += len(found)
        self._flags.append(flags_at(found, len(frame)) if len(found) else None)

    def count(self) -> int:
        return self._count

    def broken(self, frame: pl.DataFrame) -> pl.Series | None:
        return self._flags.popleft()


def monotonic(
    column: str, *, by: str | Iterable[str] = (), strict: bool = False, falling: bool = False,
    on_fail: OnFail = "fail", at_most: float | None = None,
) -> Monotonic:  # fmt: skip
    """A rule: values of a column never fall (or rise), row after row.

    Examples
    --------
    >>> monotonic("reading", by="meter", on_fail="warn")
    Monotonic(on_fail='warn', column='reading', by=('meter',), strict=False, falling=False)
    """
    return Monotonic(column, by=by, strict=strict, falling=falling, on_fail=on_fail, at_most=at_most)
