"""last: the latest of a column's values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from noria.features.aggregates.algebra import NAN, WindowAggregate

if TYPE_CHECKING:
    from noria.features.aggregates.algebra import Floats, Ints


class Last(WindowAggregate):
    """The value of the latest row that has one. At one time the later arrival wins; an empty window gives null.

    Examples
    --------
    >>> last("delay", windows=["1d"]).column
    'delay'
    """

    kind: ClassVar[str] = "last"
    identity: ClassVar[tuple[float, ...]] = (0.0, 0.0, 0.0)
    long_ranges: ClassVar[bool] = True

    def init(self, values: Floats, times: Floats) -> Floats:
        import numpy as np

        return np.column_stack([np.ones(len(values)), times, values])

    def reduce(self, states: Floats, starts: Ints, stops: Ints) -> Floats:
        import numpy as np

        found = np.zeros((len(starts), 3))
        present = states[:, 0] > 0
        if present.any():
            at = np.arange(len(states))
            nearest = np.maximum.accumulate(np.where(present, at, -1))[np.maximum(stops - 1, 0)]
            full = (nearest >= starts) & (stops > starts)
            found[full] = states[nearest[full]]
        return found

    def merge(self, left: Floats, right: Floats) -> Floats:
        import numpy as np

        other = (right[:, 0] > 0) & ((left[:, 0] == 0) | (right[:, 1] >= left[:, 1]))
        return np.where(other[:, None], right, left)

    def finalise(self, states: Floats) -> Floats:
        import numpy as np

        return np.where(states[:, 0] > 0, states[:, 2], np.nan)

    def finalise_one(self, state: Sequence[float]) -> float:
        return state[2] if state[0] > 0 else NAN


def last(
    column: str, *, windows: Iterable[str], where: str | None = None, hop: str | None = None, name: str | None = None
) -> Last:
    """The latest of a column's values in each window."""
    return Last(column, windows=tuple(windows), where=where, hop=hop, name=name)
