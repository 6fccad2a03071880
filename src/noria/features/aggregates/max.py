"""max: the largest of a column's values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from noria.features.aggregates.algebra import NAN, WindowAggregate, reduced

if TYPE_CHECKING:
    from noria.features.aggregates.algebra import Floats, Ints


class Max(WindowAggregate):
    """The largest value; null in an empty window.

    Examples
    --------
    >>> max("delay", windows=["1d"]).column
    'delay'
    """

    kind: ClassVar[str] = "max"
    identity: ClassVar[tuple[float, ...]] = (0.0, float("-inf"))

    def init(self, values: Floats, times: Floats) -> Floats:
        import numpy as np

        return np.column_stack([np.ones(len(values)), values])

    def reduce(self, states: Floats, starts: Ints, stops: Ints) -> Floats:
        import numpy as np

        count = reduced(np.add, states[:, 0], starts, stops, 0.0)
        return np.column_stack([count, reduced(np.maximum, states[:, 1], starts, stops, self.identity[1])])

    def merge(self, left: Floats, right: Floats) -> Floats:
        import numpy as np

        return np.column_stack([left[:, 0] + right[:, 0], np.maximum(left[:, 1], right[:, 1])])

    def finalise(self, states: Floats) -> Floats:
        import numpy as np

        return np.where(states[:, 0] > 0, states[:, 1], np.nan)

    def finalise_one(self, state: Sequence[float]) -> float:
        return state[1] if state[0] > 0 else NAN


def max(
    column: str, *, windows: Iterable[str], where: str | None = None, hop: str | None = None, name: str | None = None
) -> Max:
    """The largest of a column's values in each window."""
    return Max(column, windows=tuple(windows), where=where, hop=hop, name=name)
