"""clip: numbers held between two bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from noria.training.preprocessing.transform import Columns, Fit, Transform

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.models import Graph
    from noria.training.rows import Rows


class Clip(Transform):
    """Hold numbers between two bounds: what lies beyond, infinity too, becomes the bound; null stays null.

    Parameters
    ----------
    columns : str or list of str
        Numbers, by name or pattern.
    low, high : float, optional
        The bounds, or one of them.
    quantiles : (float, float)
        Where no bound is given: quantiles of the training rows' finite values; 0.01 and 0.99 by default.

    Examples
    --------
    >>> clip("distance", quantiles=(0, 0.999))
    Clip(columns=('distance',), low=None, high=None, quantiles=(0.0, 0.999))
    """

    low: float | None = Field(default=None, kw_only=False)
    high: float | None = Field(default=None, kw_only=False)
    quantiles: tuple[float, float] = (0.01, 0.99)

    @field_validator("quantiles")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= value[0] < value[1] <= 1:
            raise ValueError("quantiles are two shares in order, such as (0.01, 0.99)")
        return value

    @property
    def text(self) -> str:
        bounds = f"quantiles {self.quantiles[0]:g} and {self.quantiles[1]:g}"
        if self._given:
            ends = [f"{name} {bound:g}" for name, bound in (("from", self.low), ("to", self.high)) if bound is not None]
            bounds = " ".join(ends)
        return f"clip {', '.join(self.columns)} ({bounds})"

    @property
    def _given(self) -> bool:
        return self.low is not None or self.high is not None

    def check(self, columns: Columns) -> None:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise self.refuse("the lower bound is above the upper one", field="low", value=self.low)
        if self._given and "quantiles" in self.model_fields_set:
            mend = "leave out low and high, or quantiles"
            raise self.refuse("bounds are given or learned, not both", field="quantiles", mend=mend)
        super().check(columns)

    def fit(self, rows: Rows) -> tuple[Fit, Rows]:
        import numpy as np

        places, _ = self.chosen_of(rows)
        low, high = (np.full(len(rows.number_names), bound, np.float32) for bound in (-np.inf, np.inf))
        with np.errstate(over="ignore"):
            for place in places:
                low[place], high[place] = self._bounds(rows.numbers[:, place])
        fitted = Clipped(rows.number_names, tuple(places), low, high)
        return fitted, fitted.apply(rows)

    def _bounds(self, column: NDArray[np.float32]) -> tuple[float, float]:
        import numpy as np

        if self._given:
            return -np.inf if self.low is None else self.low, np.inf if self.high is None else self.high
        finite = column[np.isfinite(column)]
        if not len(finite):
            return -np.inf, np.inf
        low, high = np.quantile(finite.astype(np.float64), self.quantiles)
        return float(low), float(high)


def clip(
    columns: str | list[str],
    low: float | None = None,
    high: float | None = None,
    *,
    quantiles: tuple[float, float] | None = None,
) -> Clip:
    """Hold numbers between two bounds, see `Clip`.

    Examples
    --------
    >>> clip("age", 0, 120).text
    'clip age (from 0 to 120)'
    """
    return Clip(columns, low, high) if quantiles is None else Clip(columns, low, high, quantiles=quantiles)


@dataclass(frozen=True, slots=True)
class Clipped:
    """Bounds of all numbers: infinite of those that stay as they are."""

    names: tuple[str, ...]
    places: tuple[int, ...]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @property
    def origins(self) -> Mapping[str, str]:
        return {}

    def apply(self, rows: Rows) -> Rows:
        import numpy as np

        return replace(rows, numbers=np.clip(rows.numbers, self.low, self.high))

    def draw(self, graph: Graph) -> None:
        graph.numbers = graph.within(graph.numbers, self.low, self.high)

    def to_body(self) -> dict[str, Any]:
        import numpy as np

        bounds = {self.names[place]: (float(self.low[place]), float(self.high[place])) for place in self.places}
        return {
            name: {key: bound for key, bound in zip(("low", "high"), pair, strict=True) if np.isfinite(bound)}
            for name, pair in bounds.items()
        }
