"""cycle: numbers that come round, such as hours of a day."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from noria.training.preprocessing.transform import Columns, Fit, Transform

if TYPE_CHECKING:
    from noria.models import Graph
    from noria.training.rows import Rows

_SUFFIXES = ("_sin", "_cos")


class Cycle(Transform):
    """Add the sine and cosine of numbers that come round, so that hour 23 is beside hour 0; null stays null.

    Parts of a date come from row expressions, ``EXTRACT(HOUR FROM scheduled)``; this makes them round.

    Parameters
    ----------
    columns : str or list of str
        Numbers, by name or pattern; they stay.
    period : float
        After how much they come round: 24 for hours (the default), 7 for weekdays, 12 for months.

    Examples
    --------
    >>> cycle("weekday", 7)
    Cycle(columns=('weekday',), period=7.0)
    """

    period: float = Field(default=24.0, gt=0, kw_only=False)

    @property
    def text(self) -> str:
        return f"sine and cosine of {', '.join(self.columns)} (period {self.period:g})"

    def after(self, columns: Columns) -> dict[str, str]:
        return {**columns, **{name + end: "number" for end in _SUFFIXES for name in self.chosen(columns)}}

    def fit(self, rows: Rows) -> tuple[Fit, Rows]:
        places, _ = self.chosen_of(rows)
        fitted = Round(rows.number_names, tuple(places), self.period)
        return fitted, fitted.apply(rows)


def cycle(columns: str | list[str], period: float = 24.0) -> Cycle:
    """Add the sine and cosine of numbers that come round, see `Cycle`.

    Examples
    --------
    >>> cycle("hour").text
    'sine and cosine of hour (period 24)'
    """
    return Cycle(columns, period)


@dataclass(frozen=True, slots=True)
class Round:
    """Some numbers that come round."""

    names: tuple[str, ...]
    places: tuple[int, ...]
    period: float

    @property
    def origins(self) -> Mapping[str, str]:
        return {self.names[place] + end: self.names[place] for end in _SUFFIXES for place in self.places}

    def apply(self, rows: Rows) -> Rows:
        import numpy as np

        with np.errstate(invalid="ignore"):
            angle = np.fmod(rows.numbers[:, self.places].astype(np.float64), self.period) * (2 * math.pi / self.period)
            made = np.column_stack([np.sin(angle), np.cos(angle)]).astype(np.float32)
        return replace(
            rows, number_names=(*rows.number_names, *self.origins), numbers=np.column_stack([rows.numbers, made])
        )

    def draw(self, graph: Graph) -> None:
        import numpy as np

        values = graph.double(graph.chosen(graph.numbers, self.places, len(self.names)))
        within = graph.add("Mod", values, graph.constant(np.array(self.period)), fmod=1)
        angle = graph.add("Mul", within, graph.constant(np.array(2 * math.pi / self.period)))
        made = graph.single(graph.joined([graph.add("Sin", angle), graph.add("Cos", angle)]))
        graph.numbers = graph.joined([graph.numbers, made])

    def to_body(self) -> dict[str, Any]:
        return {self.names[place]: {"period": self.period} for place in self.places}
