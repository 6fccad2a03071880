"""Which days, or months, a stream of times covers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_MOST_DAYS = 4000
"""About eleven years; times that spread over more are counted by month, and over still more by year."""
_STEPS = ("1d", "1mo", "1y")


@dataclass(slots=True)
class Coverage:
    """Rows a day, month or year: at most a few thousand counts.

    Examples
    --------
    >>> from datetime import date
    >>> import polars as pl
    >>> found = Coverage()
    >>> found.update(pl.Series([date(2025, 1, 1), date(2025, 1, 4), date(2025, 1, 4)]))
    >>> found.every, found.counts, found.gaps
    ('day', {'2025-01-01': 1, '2025-01-04': 2}, 2)
    """

    rows: pl.DataFrame | None = None
    step: int = 0

    @property
    def every(self) -> str:
        """What is counted by: ``"day"``, ``"month"`` or ``"year"``."""
        return ("day", "month", "year")[self.step]

    @property
    def counts(self) -> dict[str, int]:
        """The first day of each that has rows, to how many, in order."""
        if self.rows is None:
            return {}
        return {str(day): int(count) for day, count in self.rows.sort("day").iter_rows()}

    @property
    def gaps(self) -> int:
        """How many days, months or years between the first and the last have no row."""
        if self.rows is None or self.rows.is_empty():
            return 0
        days = self.rows["day"]
        first, last = days.min(), days.max()
        assert isinstance(first, date)
        assert isinstance(last, date)
        months = (last.year - first.year) * 12 + last.month - first.month
        span = ((last - first).days, months, last.year - first.year)[self.step]
        return span + 1 - len(days)

    def update(self, times: pl.Series) -> None:
        """Take dates or moments; nulls do not count."""
        import polars as pl

        days = times.drop_nulls().cast(pl.Date).dt.truncate(_STEPS[self.step]).alias("day")
        self._add(days.value_counts(name="count"))

    def merge(self, other: Coverage) -> None:
        """Take what another has counted."""
        self._coarsen(other.step)
        if other.rows is not None:
            self._add(other.rows)

    def _add(self, more: pl.DataFrame) -> None:
        import polars as pl

        more = more.with_columns(pl.col("count").cast(pl.Int64))
        self.rows = more if self.rows is None else pl.concat([self.rows, more])
        self._coarsen(self.step)
        while len(self.rows) > _MOST_DAYS and self.step < 2:
            self._coarsen(self.step + 1)

    def _coarsen(self, step: int) -> None:
        import polars as pl

        self.step = max(self.step, step)
        if self.rows is not None:
            day = pl.col("day").dt.truncate(_STEPS[self.step])
            self.rows = self.rows.group_by(day).agg(pl.col("count").sum())
