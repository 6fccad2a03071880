"""count: how many rows, or how many values that are not null."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from noria.expressions import Kind
from noria.features.aggregates.algebra import WindowAggregate, reduced

if TYPE_CHECKING:
    from noria.features.aggregates.algebra import Floats, Ints


class Count(WindowAggregate):
    """The number of rows, or of non-null values of a column; 0 in an empty window.

    Examples
    --------
    >>> count(windows=["1h"]).windows
    (3600000000,)
    """

    kind: ClassVar[str] = "count"
    takes: ClassVar[tuple[Kind, ...]] = ()
    needs_column: ClassVar[bool] = False
    identity: ClassVar[tuple[float, ...]] = (0.0,)

    def init(self, values: Floats, times: Floats) -> Floats:
        import numpy as np

        return np.ones((len(values), 1))

    def reduce(self, states: Floats, starts: Ints, stops: Ints) -> Floats:
        import numpy as np

        return reduced(np.add, states[:, 0], starts, stops, 0.0)[:, None]

    def merge(self, left: Floats, right: Floats) -> Floats:
        return left + right

    def finalise(self, states: Floats) -> Floats:
        return states[:, 0]

    def finalise_one(self, state: Sequence[float]) -> float:
        return state[0]


def count(
    column: str = "",
    *,
    windows: Iterable[str],
    where: str | None = None,
    hop: str | None = None,
    name: str | None = None,
) -> Count:
    """How many rows lie in each window, or how many of them have a value in a column."""
    return Count(column, windows=tuple(windows), where=where, hop=hop, name=name)
