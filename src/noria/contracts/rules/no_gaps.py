"""no_gaps: a table's times leave no long gap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import Field

from noria.contracts.condition import Subject
from noria.contracts.table import Finding, Measure, Moment, TableRule
from noria.contracts.wants import Want, text_of
from noria.declarations import Micros, Names, OnFail, duration_text

if TYPE_CHECKING:
    import polars as pl


class NoGaps(TableRule):
    """Between one time and the next there is no gap longer than this, in whatever order rows come; null is passed over.

    What is remembered are the spans without such a gap: few, where rows come about in order of time.

    Parameters
    ----------
    column : str
        A column of timestamps or dates.
    longest : duration
        The longest gap that there may be: ``"1h"``.
    by : str or list of str, optional
        Each group of rows of the same values here is looked at by itself; null is such a value.

    Examples
    --------
    >>> no_gaps("hour", "1h", by="origin").text
    'no gap in hour longer than 1h by origin'
    """

    column: str = Field(kw_only=False)
    longest: Micros = Field(kw_only=False, gt=0)
    by: Names = ()

    @property
    def text(self) -> str:
        groups = f" by {', '.join(self.by)}" if self.by else ""
        return f"no gap in {self.column} longer than {duration_text(self.longest)}{groups}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, *self.by)

    def measure(self, subject: Subject, moment: Moment) -> Measure:
        self.needs(subject, self.column, "timestamp", "date")
        return _Spans(self)


class _Spans:
    """The spans of time without a gap, by group: two parts' spans merge into those of both."""

    wants: Sequence[Want] = ()

    def __init__(self, rule: NoGaps):
        self._rule = rule
        self.columns: Sequence[str] = rule.columns
        self._spans: pl.DataFrame | None = None

    def observe(self, frame: pl.DataFrame, values: Sequence[Any]) -> None:
        import polars as pl

        groups = [pl.col(name).cast(pl.String).alias(f"by {index}") for index, name in enumerate(self._rule.by)]
        at = pl.col(self._rule.column).cast(pl.Datetime("us")).cast(pl.Int64)
        read = frame.select(*groups, start=at, stop=at).drop_nulls("start")
        parts = [read] if self._spans is None else [self._spans, read]
        self._spans = self._merged(pl.concat(parts, how="vertical_relaxed"))

    @property
    def _groups(self) -> list[str]:
        return [f"by {index}" for index in range(len(self._rule.by))]

    def _merged(self, spans: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        spans = spans.sort(*self._groups, "start", "stop")
        reached = pl.col("stop").cum_max()
        before = (reached.over(self._groups) if self._groups else reached).shift()
        first = pl.struct(self._groups).ne_missing(pl.struct(self._groups).shift()) if self._groups else pl.lit(False)
        new = (first | (pl.col("start") - before > self._rule.longest)).fill_null(True)
        numbered = spans.with_columns(span=new.cum_sum())
        bounds = [pl.col("start").min(), pl.col("stop").max()]
        return numbered.group_by(*self._groups, "span", maintain_order=True).agg(*bounds).drop("span")

    def seen(self, rows: int, values: Sequence[Any]) -> None:
        """Aggregates alone tell nothing of gaps."""

    def finding(self) -> Finding:
        import polars as pl

        if self._spans is None or not len(self._spans):
            return Finding(False, "there are no times")
        before = pl.col("stop").shift()
        gap = pl.col("start") - (before.over(self._groups) if self._groups else before)
        gaps = self._spans.with_columns(gap=gap).drop_nulls("gap").sort("gap", descending=True)
        if not len(gaps):
            return Finding(False, "no gap")
        row = gaps.row(0, named=True)
        after = pl.Series([row["start"] - row["gap"]]).cast(pl.Datetime("us"))[0]
        where = ", ".join(str(row[name]) for name in self._groups)
        count = f"{len(gaps):,} gaps" if len(gaps) > 1 else "1 gap"
        told = f"{count}, the longest {duration_text(row['gap'])} after {text_of(after)}"
        return Finding(True, told + (f" of {where}" if where else ""))

    def memory(self) -> Mapping[str, Any]:
        return {}


def no_gaps(column: str, longest: str | timedelta, *, by: str | Iterable[str] = (), on_fail: OnFail = "fail") -> NoGaps:
    """A rule: the times in a column leave no gap longer than this.

    Examples
    --------
    >>> no_gaps("hour", "1h", by="origin", on_fail="warn")
    NoGaps(on_fail='warn', column='hour', longest=3600000000, by=('origin',))
    """
    return NoGaps(column, longest, by=by, on_fail=on_fail)
