"""Baseline: how often it was so before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from noria.declarations import Names
from noria.training.candidates.learner import Fitted, Learner, Params

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.models import Graph
    from noria.training.rows import Rows

_PRIOR_ROWS = 20.0


class Baseline(Learner):
    """The rate of the label in the training rows, overall or by the values of some category features.

    Rates of few rows are drawn to the overall rate, which also answers for values never seen.

    Parameters
    ----------
    by : str or list of str
        Category features; each combination of values has its own rate. By default none: one rate for all rows.

    Examples
    --------
    >>> Baseline("carrier")
    Baseline(by=('carrier',))
    """

    by: Names = Field(default=(), kw_only=False)

    most_trials: ClassVar[int | None] = 1

    def first(self) -> dict[str, Any]:
        return {}

    def space(self, trial: Any) -> dict[str, Any]:
        return {}

    def trainer(self, train: Rows, validate: Rows, metric: str, seed: int) -> Callable[[Params], Fitted]:
        import numpy as np

        for name in self.by:
            if name not in train.category_names:
                mend = "one of " + (", ".join(train.category_names) or "no category feature")
                raise self.refuse("the baseline goes by category features only", field="by", value=name, mend=mend)
        places = tuple(train.category_names.index(name) for name in self.by)
        prior = float(train.labels.mean())
        rates: dict[str, float] = {}
        if places:
            values, codes = np.unique(_joined(train, places), return_inverse=True)
            rows, late = np.bincount(codes), np.bincount(codes, weights=train.labels)
            rates = dict(
                zip(values.tolist(), ((late + prior * _PRIOR_ROWS) / (rows + _PRIOR_ROWS)).tolist(), strict=True)
            )
        return lambda params: Rates(places, self.by, prior, rates)


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates by the joined values of some columns."""

    places: tuple[int, ...]
    names: tuple[str, ...]
    prior: float
    rates: Mapping[str, float]

    @property
    def facts(self) -> dict[str, Any]:
        return {"rate": self.prior, "by": list(self.names), "groups": len(self.rates)}

    def margin(self, rows: Rows) -> NDArray[np.float64]:
        import numpy as np

        if not self.places:
            return np.full(len(rows), _log_odds(self.prior))
        values, codes = np.unique(_joined(rows, self.places), return_inverse=True)
        return np.array([_log_odds(self.rates.get(value, self.prior)) for value in values.tolist()])[codes]

    def draw(self, graph: Graph) -> str:
        import numpy as np

        if not self.places:
            rows = graph.add("Shape", "numbers", start=0, end=1)
            return graph.add("Expand", graph.constant(np.array([_log_odds(self.prior)], np.float32)), rows)
        columns = [graph.add("Gather", "categories", graph.constant(np.array(place)), axis=1) for place in self.places]
        value = columns[0]
        for column in columns[1:]:
            value = graph.add(
                "StringConcat", graph.add("StringConcat", value, graph.constant(np.array(_SEPARATOR, object))), column
            )
        return graph.add(
            "LabelEncoder",
            value,
            domain="ai.onnx.ml",
            keys_strings=list(self.rates),
            values_floats=[_log_odds(rate) for rate in self.rates.values()],
            default_float=_log_odds(self.prior),
        )

    def importances(self) -> dict[str, float]:
        return {name: 1 / len(self.names) for name in self.names}


_SEPARATOR = "\x1f"


def _joined(rows: Rows, places: tuple[int, ...]) -> NDArray[np.object_]:
    first, *others = (rows.categories[place].strings() for place in places)
    for other in others:
        first = first + _SEPARATOR + other
    return first


def _log_odds(rate: float) -> float:
    import math

    rate = min(max(rate, 1e-6), 1 - 1e-6)
    return math.log(rate / (1 - rate))
