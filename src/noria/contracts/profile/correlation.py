"""Pearson's correlations of all pairs of number columns, by sums that add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

MOST = 100
"""Columns that are correlated; the first so many. The sums take MOST x MOST x 5 numbers."""


@dataclass(slots=True)
class Correlations:
    """Sums over the rows in which both columns of a pair have finite values.

    Examples
    --------
    >>> import polars as pl
    >>> found = Correlations(("a", "b"))
    >>> found.update(pl.DataFrame({"a": [1, 2, None, 4], "b": [2.0, 4.0, 1.0, 8.0]}))
    >>> found.pairs()
    [('a', 'b', 1.0)]
    """

    names: tuple[str, ...]
    shift: NDArray[np.float64] | None = None
    sums: dict[str, Any] = field(default_factory=dict)

    def update(self, frame: pl.DataFrame) -> None:
        """Take rows that have the columns, as numbers."""
        import numpy as np
        import polars as pl

        if len(self.names) < 2 or frame.is_empty():
            return
        values = frame.select(pl.col(name).cast(pl.Float64) for name in self.names).to_numpy()
        there = np.isfinite(values)
        if self.shift is None:  # sums of squares of what is far from zero would lose what differs
            total = np.where(there, values, 0.0).sum(axis=0)
            self.shift = total / np.maximum(there.sum(axis=0), 1)
        x, m = np.where(there, values - self.shift, 0.0), there.astype(np.float64)
        square = x * x
        self._add({"n": m.T @ m, "x": x.T @ m, "xx": square.T @ m, "xy": x.T @ x})

    def merge(self, other: Correlations) -> None:
        """Take what another with the same columns has summed."""
        if other.shift is None:
            return
        if self.shift is None:
            self.shift = other.shift
        d, s = other.shift - self.shift, other.sums
        n, x = s["n"], s["x"]
        self._add({
            "n": n,
            "x": x + d[:, None] * n,
            "xx": s["xx"] + 2 * d[:, None] * x + d[:, None] ** 2 * n,
            "xy": s["xy"] + d[None, :] * x + d[:, None] * x.T + d[:, None] * d[None, :] * n,
        })  # fmt: skip

    def pairs(self, most: int = 50) -> list[tuple[str, str, float]]:
        """The pairs that are correlated most, strongest first; constants have no correlation."""
        import numpy as np

        if not self.sums:
            return []
        n, x, xx, xy = (self.sums[name] for name in ("n", "x", "xx", "xy"))
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = xx / n - (x / n) ** 2
            r = (xy / n - (x / n) * (x.T / n)) / np.sqrt(spread * spread.T)
            # What rounding leaves of a constant is no spread.
            r[(n < 3) | (spread <= 1e-14 * np.maximum(xx / n, 1e-300)) | (1e-14 * (xx.T / n) >= spread.T)] = np.nan
        found = [
            (self.names[i], self.names[j], round(float(np.clip(r[i, j], -1, 1)), 6))
            for i, j in zip(*np.triu_indices(len(self.names), 1), strict=True)
            if np.isfinite(r[i, j])
        ]
        return sorted(found, key=lambda pair: (-abs(pair[2]), pair[:2]))[:most]

    def _add(self, more: dict[str, Any]) -> None:
        for name, value in more.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value


def correlated(kinds: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The columns that are correlated, of names and kinds."""
    return tuple(name for name, kind in kinds if kind in ("int", "float", "bool"))[:MOST]
