"""sum: the sum of a column's values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from noria.features.aggregates.algebra import NAN, WindowAggregate, reduced

if TYPE_CHECKING:
    from noria.features.aggregates.algebra import Floats, Ints


class Sum(WindowAggregate):
    """The sum of the values; null in an empty window. Truths count as 0 and 1.

    Examples
    --------
    >>> sum("late", windows=["1h"]).column
    'late'
    """

    kind: ClassVar[str] = "sum"
    identity: ClassVar[tuple[float, ...]] = (0.0, 0.0)

    def init(self, values: Floats, times: Floats) -> Floats:
        import numpy as np

        return np.column_stack([np.ones(len(values)), values])

    def reduce(self, states: Floats, starts: Ints, stops: Ints) -> Floats:
        import numpy as np

        return np.column_stack([reduced(np.add, states[:, i], starts, stops, 0.0) for i in (0, 1)])

    def merge(self, left: Floats, right: Floats) -> Floats:
        return left + right

    def finalise(self, states: Floats) -> Floats:
        import numpy as np

        return np.where(states[:, 0] > 0, states[:, 1], np.nan)

    def finalise_one(self, state: Sequence[float]) -> float:
        return state[1] if state[0] > 0 else NAN


def sum(
    column: str, *, windows: Iterable[str], where: str | None = None, hop: str | None = None, name: str | None = None
) -> Sum:
    """The sum of a column's values in each window."""
    return Sum(column, windows=tuple(windows), where=where, hop=hop, name=name)
