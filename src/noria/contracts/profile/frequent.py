"""The most frequent values of a stream in bounded memory: counters that are pruned alike (Misra and Gries, 1982)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

CAPACITY = 2048
"""Counters a column. A count is too small by less than 1/2048 of the rows; with fewer distinct values it is exact."""


@dataclass(slots=True)
class Frequent:
    """Counts of the most frequent values: a frame of value and ``count``, at most `CAPACITY` rows between updates.

    Examples
    --------
    >>> import polars as pl
    >>> found = Frequent()
    >>> found.update(pl.Series(["a", "b", "a", None]))
    >>> found.top(1), found.exact
    ([('a', 2)], True)
    """

    counts: pl.DataFrame | None = None
    missed: int = 0

    @property
    def exact(self) -> bool:
        """Whether all distinct values are held, with their true counts."""
        return self.missed == 0

    def update(self, values: pl.Series) -> None:
        """Take values; nulls do not count."""
        self._add(values.drop_nulls().alias("value").value_counts(name="count"))

    def merge(self, other: Frequent) -> None:
        """Take what another has counted."""
        self.missed += other.missed
        if other.counts is not None:
            self._add(other.counts)

    def top(self, most: int) -> list[tuple[object, int]]:
        """The most frequent values with their counts, ties by value."""
        import polars as pl

        if self.counts is None:
            return []
        ordered = self.counts.sort(pl.col("count"), pl.col("value"), descending=[True, False])
        return [(value, int(count)) for value, count in ordered.head(most).iter_rows()]

    def _add(self, more: pl.DataFrame) -> None:
        import polars as pl

        more = more.with_columns(pl.col("count").cast(pl.Int64))
        if self.counts is not None:
            both = pl.concat([self.counts, more], how="vertical_relaxed")
            more = both.group_by("value").agg(pl.col("count").sum())
        if len(more) > CAPACITY:
            # All counters lose what the first beyond has: so none is too small by more than its share of the rows.
            least = int(more["count"].top_k(CAPACITY + 1).min())  # type: ignore[arg-type]
            more = more.with_columns(pl.col("count") - least).filter(pl.col("count") > 0)
            self.missed += least
        self.counts = more
