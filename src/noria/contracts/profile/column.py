"""What is remembered of one column while batches go by."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from noria.contracts.profile.coverage import Coverage
from noria.contracts.profile.distinct import Distinct
from noria.contracts.profile.frequent import Frequent
from noria.contracts.profile.quantiles import Quantiles
from noria.contracts.profile.result import ColumnProfile
from noria.expressions import Kind

if TYPE_CHECKING:
    import polars as pl

SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_BINS = 30
_TOP = 20
_SHOWN = 60


@dataclass(slots=True)
class Moments:
    """Count, mean and sum of squared distances of numbers; merged by Chan's formula."""

    count: int = 0
    mean: float = 0.0
    square: float = 0.0

    def add(self, count: int, mean: float, square: float) -> None:
        """Take those of other numbers."""
        if count:
            total, apart = self.count + count, mean - self.mean
            self.square += square + apart * apart * self.count * count / total
            self.mean += apart * count / total
            self.count = total

    @property
    def std(self) -> float | None:
        """The standard deviation of a sample."""
        return math.sqrt(self.square / (self.count - 1)) if self.count > 1 else None


@dataclass(slots=True)
class ColumnState:
    """A column so far: a few numbers, and the sketches that its kind needs (about 0.5 MB; `Distinct` up to 32 MB).

    Parameters
    ----------
    name, kind : str
        Of the column. The kind of a column of nulls may still become another.
    """

    name: str
    kind: Kind
    rows: int = 0
    nulls: int = 0
    nans: int = 0
    low: Any = None
    high: Any = None
    first: Any = None
    last: Any = None
    ascending: bool = True
    lengths: tuple[int, int] | None = None
    moments: Moments = field(default_factory=Moments)
    distinct: Distinct = field(default_factory=Distinct)
    frequent: Frequent = field(default_factory=Frequent)
    quantiles: Quantiles = field(default_factory=Quantiles)
    coverage: Coverage = field(default_factory=Coverage)

    def update(self, values: pl.Series) -> None:
        """Take a batch, cast to what Polars has for the kind."""
        self.rows += len(values)
        self.nulls += values.null_count()
        present = values.drop_nulls()
        if self.kind in ("null", "interval") or present.is_empty():
            return
        if self.kind == "float":
            self.distinct.beyond = True  # numbers name nothing: nobody asks whether each came once
        self.distinct.update(present)
        self.frequent.update(present)
        if self.kind in ("int", "float"):
            present = self._numbers(present)
        elif self.kind == "string":
            self._texts(present)
        elif self.kind in ("date", "timestamp"):
            self.coverage.update(present)
        if not present.is_empty():
            self._ends(present)

    def merge(self, other: ColumnState) -> None:
        """Take what came after in another part."""
        self.rows, self.nulls, self.nans = self.rows + other.rows, self.nulls + other.nulls, self.nans + other.nans
        if other.first is not None:
            self._ordered(other.low, other.high, other.first, other.last, other.ascending)
        self._lengthen(other.lengths)
        self.moments.add(other.moments.count, other.moments.mean, other.moments.square)
        self.distinct.merge(other.distinct)
        self.frequent.merge(other.frequent)
        self.quantiles.merge(other.quantiles)
        self.coverage.merge(other.coverage)

    def result(self, personal: str = "") -> ColumnProfile:
        """What is known of it."""
        numbers = self.kind in ("int", "float")
        edges, counts = self._histogram() if numbers else ((), ())
        described = self.moments.count > 0
        # Of equal numbers the mean of parts is off by the last bit, and so would be a spread that is not there.
        mean, std = (self.low, 0.0) if numbers and self.low == self.high else (self.moments.mean, self.moments.std)
        return ColumnProfile(
            self.name, self.kind, self.rows, self.nulls, self.nans,
            distinct=self.distinct.count(),
            unique=self.distinct.unique if self.kind != "float" else False,
            ascending=self.ascending and self.rows > self.nulls,
            low=_plain(self.low), high=_plain(self.high),
            mean=float(mean) if described else None, std=std if described and self.moments.count > 1 else None,
            quantiles=dict(zip(map(str, SHARES), self.quantiles.at(list(SHARES)), strict=False)) if numbers else {},
            edges=edges, counts=counts,
            top=tuple((_shown(value), count) for value, count in self.frequent.top(_TOP)),
            top_is_exact=self.frequent.exact,
            lengths=self.lengths, every=self.coverage.every if self.coverage.counts else "",
            covered=self.coverage.counts, gaps=self.coverage.gaps, personal=personal,
        )  # fmt: skip

    def _numbers(self, present: pl.Series) -> pl.Series:
        import polars as pl

        floats = present.cast(pl.Float64)
        finite = floats.is_finite()
        if not finite.all():
            self.nans += len(floats) - int(finite.sum())
            present, floats = present.filter(finite), floats.filter(finite)
        if not floats.is_empty():
            array = floats.to_numpy()
            self.quantiles.update(array)
            mean = float(array.mean())
            away = array - mean
            self.moments.add(len(array), mean, float(away @ away))
        return present

    def _texts(self, present: pl.Series) -> None:
        sizes = present.str.len_chars()
        self._lengthen((int(sizes.min()), int(sizes.max())))  # type: ignore[arg-type]
        away = sizes - (mean := float(sizes.mean()))  # type: ignore[arg-type]
        self.moments.add(len(sizes), mean, float((away * away).sum()))

    def _lengthen(self, more: tuple[int, int] | None) -> None:
        if more is not None:
            mine = self.lengths or more
            self.lengths = min(mine[0], more[0]), max(mine[1], more[1])

    def _ends(self, present: pl.Series) -> None:
        ascending = self.ascending and present.is_sorted()
        self._ordered(present.min(), present.max(), present[0], present[-1], ascending)

    def _ordered(self, low: Any, high: Any, first: Any, last: Any, ascending: bool) -> None:
        if self.first is None:
            self.first, self.low, self.high = first, low, high
        self.ascending = self.ascending and ascending and (self.last is None or self.last <= first)
        self.low, self.high, self.last = min(self.low, low), max(self.high, high), last

    def _histogram(self) -> tuple[tuple[float, ...], tuple[int, ...]]:
        import numpy as np

        if not self.quantiles.count:
            return (), ()
        low, high = self.quantiles.at([0.01, 0.99])
        if self.kind == "int" and self.high - self.low < _BINS:
            edges = np.arange(self.low, self.high + 2, dtype=np.float64)
        elif not high > low or not np.isfinite(high - low):
            edges = np.array([low, np.nextafter(low, np.inf)])
        else:
            edges = np.linspace(low, high, _BINS + 1)
        # The outer bins take what lies beyond them.
        return tuple(map(float, edges)), tuple(self.quantiles.counts(edges))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else _shown(value)


def _shown(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
