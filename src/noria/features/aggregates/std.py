"""std: the standard deviation of a column's values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from noria.features.aggregates.algebra import NAN, WindowAggregate, merged_by_doubling

if TYPE_CHECKING:
    from noria.features.aggregates.algebra import Floats, Ints


class Std(WindowAggregate):
    """The sample standard deviation (n - 1); null below two values.

    Count, mean and the sum of squared deviations merge by Chan's formula (Chan, Golub and LeVeque, "Updating formulae
    and a pairwise algorithm for computing sample variances", 1979).

    Examples
    --------
    >>> std("delay", windows=["6h"]).column
    'delay'
    """

    kind: ClassVar[str] = "std"
    identity: ClassVar[tuple[float, ...]] = (0.0, 0.0, 0.0)

    def init(self, values: Floats, times: Floats) -> Floats:
        import numpy as np

        return np.column_stack([np.ones(len(values)), values, np.zeros(len(values))])

    def reduce(self, states: Floats, starts: Ints, stops: Ints) -> Floats:
        return merged_by_doubling(self, states, starts, stops)

    def merge(self, left: Floats, right: Floats) -> Floats:
        import numpy as np

        (n, a, s), (m, b, q) = left.T, right.T
        count = n + m
        share = np.divide(m, count, out=np.zeros(len(count)), where=count > 0)
        apart = np.where((n > 0) & (m > 0), b - a, 0.0)
        mean = np.where(n > 0, a + apart * share, b)
        return np.column_stack([count, mean, s + q + apart * apart * n * share])

    def finalise(self, states: Floats) -> Floats:
        import numpy as np

        more = states[:, 0] > 1
        variance = np.divide(states[:, 2], states[:, 0] - 1, out=np.full(len(states), np.nan), where=more)
        deviation: Floats = np.sqrt(variance)
        return deviation

    def finalise_one(self, state: Sequence[float]) -> float:
        return math.sqrt(state[2] / (state[0] - 1)) if state[0] > 1 else NAN


def std(
    column: str, *, windows: Iterable[str], where: str | None = None, hop: str | None = None, name: str | None = None
) -> Std:
    """The sample standard deviation of a column's values in each window."""
    return Std(column, windows=tuple(windows), where=where, hop=hop, name=name)
