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
    """The rate of the label in the training rows, overall or by the values of some features.

    Rates of few rows are drawn to the overall rate, which also answers for values never seen.

    Parameters
    ----------
    by : str or list of str
        Features: categories, or numbers by their whole part (the hour). Each combination of values has its own rate.
        By default none: one rate for all rows.

    Examples
    --------
    >>> Baseline(["carrier", "hour"])
    Baseline(by=('carrier', 'hour'))
    """

    by: Names = Field(default=(), kw_only=False)

    most_trials: ClassVar[int | None] = 1

    def first(self) -> dict[str, Any]:
        return {}

    def space(self, trial: Any) -> dict[str, Any]:
        return {}

    def trainer(self, train: Rows, validate: Rows, metric: str, seed: int) -> Callable[[Params], Fitted]:
        import numpy as np

        known = (*train.category_names, *train.number_names)
        for name in self.by:
            if name not in known:
                mend = "one of " + ", ".join(known)
                raise self.refuse("the baseline goes by features only", field="by", value=name, mend=mend)
        prior = float(train.labels.mean())
        rates: dict[str, float] = {}
        if self.by:
            values, codes = _groups(train, self.by)
            rows, late = np.bincount(codes), np.bincount(codes, weights=train.labels)
            drawn = (late + prior * _PRIOR_ROWS) / (rows + _PRIOR_ROWS)
            rates = dict(zip(values, drawn.tolist(), strict=True))
        return lambda params: Rates(self.by, prior, rates, train.number_names, train.category_names)


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates by the joined values of some columns."""

    by: tuple[str, ...]
    prior: float
    rates: Mapping[str, float]
    number_names: tuple[str, ...]
    category_names: tuple[str, ...]

    @property
    def facts(self) -> dict[str, Any]:
        return {"rate": self.prior, "by": list(self.by), "groups": len(self.rates)}

    def margin(self, rows: Rows) -> NDArray[np.float64]:
        import numpy as np

        if not self.by:
            return np.full(len(rows), _log_odds(self.prior))
        values, codes = _groups(rows, self.by)
        return np.array([_log_odds(self.rates.get(value, self.prior)) for value in values])[codes]

    def draw(self, graph: Graph) -> str:
        import numpy as np

        if not self.by:
            rows = graph.add("Shape", graph.numbers, start=0, end=1)
            return graph.add("Expand", graph.constant(np.array([_log_odds(self.prior)], np.float32)), rows)
        value, *columns = (self._text(graph, name) for name in self.by)
        for column in columns:
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

    def _text(self, graph: Graph, name: str) -> str:
        """A column as text, as `_texts` has it."""
        import numpy as np

        if name in self.category_names:
            return graph.add(
                "Gather", graph.categories, graph.constant(np.array(self.category_names.index(name))), axis=1
            )
        number = graph.add("Gather", graph.numbers, graph.constant(np.array(self.number_names.index(name))), axis=1)
        null = graph.add("IsNaN", number)
        known = graph.add("Where", null, graph.constant(np.array(0, np.float32)), graph.add("Floor", number))
        limits = (graph.constant(np.array(limit, np.float32)) for limit in (-_FARTHEST, _FARTHEST))
        whole = graph.add("Cast", graph.add("Clip", known, *limits), to=_INT64)
        text = graph.add("Cast", whole, to=_STRING)
        return graph.add("Where", null, graph.constant(np.array("", object)), text)

    def importances(self) -> dict[str, float]:
        return {name: 1 / len(self.by) for name in self.by}


_SEPARATOR = "\x1f"
_FARTHEST = 2.0**30  # beyond, whole parts are as good as infinite
_INT64, _STRING = 7, 8  # of ONNX


def _groups(rows: Rows, by: tuple[str, ...]) -> tuple[list[str], NDArray[np.intp]]:
    """The joined values that occur, and which of them each row has."""
    import numpy as np

    columns = [_texts(rows, name) for name in by]
    codes = columns[0][0]
    for other, levels in columns[1:]:
        codes = codes * len(levels) + other
    _, first, places = np.unique(codes, return_index=True, return_inverse=True)
    parts = [[levels[code] for code in column[first].tolist()] for column, levels in columns]
    # Two combinations may read alike where a value holds the separator: they are one group, as in the graph.
    joined = [_SEPARATOR.join(part) for part in zip(*parts, strict=True)]
    values = sorted(set(joined))
    same = {value: place for place, value in enumerate(values)}
    return values, np.array([same[value] for value in joined], np.intp)[places]


def _texts(rows: Rows, name: str) -> tuple[NDArray[np.int64], list[str]]:
    """A column as places in a list of texts: a category's values, a number's whole part, null as ``""``."""
    import numpy as np

    if name in rows.category_names:
        column = rows.category(name)
        return column.codes.astype(np.int64) % (len(column.levels) + 1), [*column.levels, ""]
    numbers = rows.numbers[:, rows.number_names.index(name)]
    whole = np.clip(
        np.floor(np.nan_to_num(numbers, nan=0.0, posinf=_FARTHEST, neginf=-_FARTHEST)), -_FARTHEST, _FARTHEST
    )
    found, codes = np.unique(whole.astype(np.int64), return_inverse=True)
    return np.where(np.isnan(numbers), len(found), codes), [*map(str, found.tolist()), ""]


def _log_odds(rate: float) -> float:
    import math

    rate = min(max(rate, 1e-6), 1 - 1e-6)
    return math.log(rate / (1 - rate))
