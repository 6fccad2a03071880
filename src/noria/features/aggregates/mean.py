"""mean: the arithmetic mean of a column's values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from noria.features.aggregates.algebra import NAN
from noria.features.aggregates.sum import Sum

if TYPE_CHECKING:
    from noria.features.aggregates.algebra import Floats


class Mean(Sum):
    """The arithmetic mean of the values; null in an empty window. Of truths: the share that is true.

    Examples
    --------
    >>> mean("late", windows=["1h", "7d"]).windows
    (3600000000, 604800000000)
    """

    kind: ClassVar[str] = "mean"

    def finalise(self, states: Floats) -> Floats:
        import numpy as np

        count = states[:, 0]
        found: Floats = np.divide(states[:, 1], count, out=np.full(len(states), np.nan), where=count > 0)
        return found

    def finalise_one(self, state: Sequence[float]) -> float:
        return state[1] / state[0] if state[0] > 0 else NAN


def mean(
    column: str, *, windows: Iterable[str], where: str | None = None, hop: str | None = None, name: str | None = None
) -> Mean:
    """The arithmetic mean of a column's values in each window."""
    return Mean(column, windows=tuple(windows), where=where, hop=hop, name=name)
