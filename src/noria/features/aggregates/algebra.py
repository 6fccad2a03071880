"""The algebra of windowed aggregates: states as rows of numbers, merged over ranges in order, finalised once.

A state is a row of float64 components, so a tile, a window and a single event have one form everywhere: in training, in
the stream and in a request. Whole numbers, and times in microseconds (to the year 2255), are exact in it up to 2**53.
The semantics are those of `noria.testing.oracle`; every path is tested against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from noria.declarations import Aggregate
from noria.expressions import Kind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NAN = float("nan")
"""Null, as a number."""


class WindowAggregate(Aggregate):
    """A kind of aggregate: its components and what they do.

    A kind is one file that says `identity`, `init`, `reduce`, `merge` and `finalise`; all are pure and vectorised, one
    state a row. Null and NaN are never handed to `init`. What makes it differ from most is said beside them, so that no
    path asks which kind it has.
    """

    kind: ClassVar[str]
    takes: ClassVar[tuple[Kind, ...]] = ("bool", "int", "float")
    """The kinds of columns whose values it reads, of these three; truths are 0 and 1. Empty: a column of any kind, of
    which it only learns whether there is a value: `init` is handed 0 for each."""
    needs_column: ClassVar[bool] = True
    """Whether it must be given a column; without one, `init` is handed 0 for each row."""
    identity: ClassVar[tuple[float, ...]]
    """The state of nothing, one number a component."""
    long_ranges: ClassVar[bool] = False
    """Whether `reduce` takes no longer for long ranges than for short ones; then nothing is gained by tiles."""

    def init(self, values: Floats, times: Floats) -> Floats:
        """The state of each single event: ``[events, components]``."""
        raise NotImplementedError

    def reduce(self, states: Floats, starts: Ints, stops: Ints) -> Floats:
        """The states of the ranges ``[start, stop)`` of consecutive states, in order: ``[ranges, components]``."""
        raise NotImplementedError

    def merge(self, left: Floats, right: Floats) -> Floats:
        """Two states into one, row by row.

        The right one may be earlier or later: a kind that depends on order looks at times. At equal times the right one
        arrived later.
        """
        raise NotImplementedError

    def finalise(self, states: Floats) -> Floats:
        """The aggregate's value of each state; NaN is null."""
        raise NotImplementedError

    def finalise_one(self, state: Sequence[float]) -> float:
        """The value of one state, to the bit as `finalise` gives it; a kind may say it without NumPy, for requests."""
        import numpy as np

        return float(self.finalise(np.array([list(state)]))[0])


def reduced(ufunc: Any, column: Floats, starts: Ints, stops: Ints, empty: float) -> Floats:
    """One component reduced over ranges by a ufunc; fastest where ranges come in the order of their starts."""
    import numpy as np

    if not len(starts):
        return np.empty(0)
    bounds = np.empty(2 * len(starts), np.int64)
    bounds[0::2], bounds[1::2] = starts, stops
    padded = np.append(column, empty)
    # An index pair that does not ascend gives one element; such ranges are empty and set to what empty ones have.
    found: Floats = ufunc.reduceat(padded, bounds)[::2]
    found[starts >= stops] = empty
    return found


def merged_by_doubling(kind: WindowAggregate, states: Floats, starts: Ints, stops: Ints) -> Floats:
    """Ranges reduced with `merge` alone: states of 1, 2, 4 … neighbours, as many of each as a range needs."""
    import numpy as np

    lengths, at = np.maximum(stops - starts, 0), starts.copy()
    found = np.tile(np.array(kind.identity), (len(starts), 1))
    level, size = states, 1
    while len(lengths) and size <= lengths.max():
        rows = np.nonzero(lengths & size)[0]
        found[rows] = kind.merge(found[rows], level[at[rows]])
        at[rows] += size
        level = kind.merge(level[:-size], level[size:]) if len(level) > size else level[:0]
        size *= 2
    return found
