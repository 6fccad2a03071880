"""scale: numbers brought to a common scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from noria.training.preprocessing.transform import Fit, Transform, blocks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.models import Graph
    from noria.training.rows import Rows

_KNOTS = 101


class Scale(Transform):
    """Bring numbers to a common scale; null stays null.

    What is learned, it learns from the finite values of the training rows. A column that is constant there is only
    centred.

    Parameters
    ----------
    columns : str or list of str
        Numbers, by name or pattern.
    how : str
        ``"standard"``: mean 0, standard deviation 1. ``"minmax"``: the training rows' range becomes 0 to 1.
        ``"robust"``: median 0, interquartile range 1. ``"quantile"``: the share of training rows below, 0 to 1.

    Examples
    --------
    >>> scale(["distance", "wind*"], "robust")
    Scale(columns=('distance', 'wind*'), how='robust')
    """

    how: Literal["standard", "minmax", "robust", "quantile"] = Field(default="standard", kw_only=False)

    @property
    def text(self) -> str:
        return f"scale {', '.join(self.columns)} ({self.how})"

    def fit(self, rows: Rows) -> tuple[Fit, Rows]:
        import numpy as np

        places, _ = self.chosen_of(rows)
        finite = {place: (column := rows.numbers[:, place])[np.isfinite(column)].astype(np.float64) for place in places}
        fitted: Fit
        if self.how == "quantile":
            fitted = Ranks(rows.number_names, {place: _knots(values) for place, values in finite.items()})
        else:
            centre, width = np.zeros(len(rows.number_names)), np.ones(len(rows.number_names))
            for place, values in finite.items():
                centre[place], width[place] = _centre_and_width(self.how, values)
            fitted = Scaled(rows.number_names, tuple(places), centre, width)
        return fitted, fitted.apply(rows)


def scale(columns: str | list[str], how: str = "standard") -> Scale:
    """Bring numbers to a common scale, see `Scale`.

    Examples
    --------
    >>> scale("*").how
    'standard'
    """
    return Scale(columns, how)


def _centre_and_width(how: str, values: NDArray[np.float64]) -> tuple[float, float]:
    import numpy as np

    if not len(values):
        return 0.0, 1.0
    if how == "standard":
        centre, width = values.mean(), values.std()
    elif how == "minmax":
        centre, width = values.min(), values.max() - values.min()
    else:
        low, centre, high = np.quantile(values, (0.25, 0.5, 0.75))
        width = high - low
    return float(centre), float(width) if width > 0 else 1.0


def _knots(values: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Quantiles that differ, and the share of rows at each: the middle of its shares where many rows have one value."""
    import numpy as np

    if not len(values):
        return np.zeros(1, np.float32), np.zeros(1)
    shares = np.linspace(0, 1, _KNOTS)
    knots, groups = np.unique(np.quantile(values, shares).astype(np.float32), return_inverse=True)
    return knots, np.bincount(groups, shares) / np.bincount(groups)


@dataclass(frozen=True, slots=True)
class Scaled:
    """Centres and widths of all numbers: 0 and 1 of those that stay as they are."""

    names: tuple[str, ...]
    places: tuple[int, ...]
    centre: NDArray[np.float64]
    width: NDArray[np.float64]

    @property
    def origins(self) -> Mapping[str, str]:
        return {}

    def apply(self, rows: Rows) -> Rows:
        import numpy as np

        numbers = np.empty_like(rows.numbers)
        with np.errstate(over="ignore", invalid="ignore"):
            for block in blocks(len(rows)):
                numbers[block] = (rows.numbers[block] - self.centre) / self.width
        return replace(rows, numbers=numbers)

    def draw(self, graph: Graph) -> None:
        centred = graph.add("Sub", graph.doubles(), graph.constant(self.centre))
        graph.numbers = graph.single(graph.add("Div", centred, graph.constant(self.width)))

    def to_body(self) -> dict[str, Any]:
        return {
            self.names[place]: {"centre": float(self.centre[place]), "width": float(self.width[place])}
            for place in self.places
        }


@dataclass(frozen=True, slots=True)
class Ranks:
    """Knots of some numbers, and the share of rows at each; between knots the share is a straight line."""

    names: tuple[str, ...]
    knots: Mapping[int, tuple[NDArray[np.float32], NDArray[np.float64]]]

    @property
    def origins(self) -> Mapping[str, str]:
        return {}

    def apply(self, rows: Rows) -> Rows:
        import numpy as np

        numbers = rows.numbers.copy()
        for place, (knots, shares) in self.knots.items():
            values = np.clip(numbers[:, place], knots[0], knots[-1])
            starts, levels, slopes = _lines(knots, shares)
            found = np.searchsorted(knots, values, side="right")
            numbers[:, place] = (values - starts[found]) * slopes[found] + levels[found]
        return replace(rows, numbers=numbers)

    def draw(self, graph: Graph) -> None:
        import numpy as np

        size = len(self.names)
        plain = (np.zeros(1), np.zeros(1), np.ones(1))
        lines = [_lines(*self.knots[place]) if place in self.knots else plain for place in range(size)]
        edges = [self.knots[place][0] if place in self.knots else np.empty(0, np.float32) for place in range(size)]
        low = np.array([edge[0] if len(edge) else -np.inf for edge in edges], np.float32)
        high = np.array([edge[-1] if len(edge) else np.inf for edge in edges], np.float32)
        values = graph.within(graph.numbers, low, high)
        found = graph.ranks(values, edges)
        starts, levels, slopes = (
            graph.add("Gather", graph.constant(np.concatenate(column)), found) for column in zip(*lines, strict=True)
        )
        risen = graph.add("Mul", graph.add("Sub", graph.double(values), starts), slopes)
        graph.numbers = graph.single(graph.add("Add", risen, levels))

    def to_body(self) -> dict[str, Any]:
        return {
            self.names[place]: {"knots": [float(knot) for knot in knots], "shares": shares.tolist()}
            for place, (knots, shares) in self.knots.items()
        }


def _lines(
    knots: NDArray[np.float32], shares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """For each number of knots that are not above a value: where its line starts, at which level, how steep it is."""
    import numpy as np

    at = knots.astype(np.float64)
    slopes = np.concatenate([[0.0], np.diff(shares) / np.diff(at), [0.0]])
    return np.concatenate([at[:1], at]), np.concatenate([shares[:1], shares]), slopes
