"""first: the earliest of a column's values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from noria.features.aggregates.algebra import NAN, WindowAggregate

if TYPE_CHECKING:
    from noria.features.aggregates.algebra import Floats, Ints


class First(WindowAggregate):
    """The value of the earliest row that has one. At one time the earlier arrival wins; an empty window gives null.

    Examples
    --------
    >>> first("delay", windows=["1d"]).column
    'delay'
    """

    kind: ClassVar[str] = "first"
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
            none = len(states)
            following = np.minimum.accumulate(np.where(present, at, none)[::-1])[::-1]
            nearest = following[np.minimum(starts, none - 1)]
            full = (nearest < stops) & (starts < none)
            found[full] = states[nearest[full]]
        return found

    def merge(self, left: Floats, right: Floats) -> Floats:
        import numpy as np

        other = (right[:, 0] > 0) & ((left[:, 0] == 0) | (right[:, 1] < left[:, 1]))
        return np.where(other[:, None], right, left)

    def finalise(self, states: Floats) -> Floats:
        import numpy as np

        return np.where(states[:, 0] > 0, states[:, 2], np.nan)

    def finalise_one(self, state: Sequence[float]) -> float:
        return state[2] if state[0] > 0 else NAN


def first(
    column: str, *, windows: Iterable[str], where: str | None = None, hop: str | None = None, name: str | None = None
) -> First:
    """The earliest of a column's values in each window."""
    return First(column, windows=tuple(windows), where=where, hop=hop, name=name)
