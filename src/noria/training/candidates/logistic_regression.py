"""LogisticRegression: a straight line, with what is missing as a fact of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from noria.training.candidates.learner import Fitted, Learner, Params

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.models import Graph, Vocabulary
    from noria.training.rows import Rows

_CLIP = 10.0  # standard deviations: beyond, a value says no more, and infinity is a number like any other


class LogisticRegression(Learner):
    """Logistic regression on standardised numbers and one column a category value.

    A missing number has a weight of its own in place of a value, which is what imputing with any constant and an
    indicator come to. Category values with few rows share one column, which also answers for values never seen.

    Parameters
    ----------
    rare : int
        Category values with fewer training rows are rare; 100 by default.
    iterations : int
        The most steps of the solver; 100 by default.

    Examples
    --------
    >>> LogisticRegression(rare=50)
    LogisticRegression(rare=50, iterations=100)
    """

    rare: int = Field(default=100, ge=1)
    iterations: int = Field(default=100, ge=1)

    most_trials: ClassVar[int | None] = 2

    def first(self) -> dict[str, Any]:
        return {"strength": 0.01}

    def space(self, trial: Any) -> dict[str, Any]:
        return {"strength": trial.suggest_float("strength", 1e-4, 10.0, log=True)}

    def trainer(self, train: Rows, validate: Rows, metric: str, seed: int) -> Callable[[Params], Fitted]:
        import numpy as np

        from noria.models import Vocabulary

        vocabulary = Vocabulary.learn(train.categories, self.rare)
        finite = np.where(np.isfinite(train.numbers), train.numbers, np.nan)
        known = ~np.isnan(finite)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.nansum(finite, axis=0, dtype=np.float64) / count
        deviation = np.sqrt(np.nansum((finite - mean.astype(np.float32)) ** 2, axis=0, dtype=np.float64) / count)
        scale = np.where(deviation > 0, deviation, 1.0)
        del finite, known
        design = _design(train, vocabulary, mean, scale)

        def fit(params: Params) -> Line:
            from sklearn.linear_model import LogisticRegression as Solver

            solver = Solver(C=params["strength"], max_iter=self.iterations, tol=1e-3)
            solver.fit(design, train.labels)
            weights = solver.coef_[0].astype(np.float64)
            width = train.numbers.shape[1]
            splits = np.cumsum([width, width, *vocabulary.sizes()])[:-1]
            slopes, missing, *tables = np.split(weights, splits)
            return Line(
                train.number_names,
                train.category_names,
                vocabulary,
                mean,
                scale,
                slopes,
                missing,
                tuple(tables),
                float(solver.intercept_[0]),
                int(solver.n_iter_[0]),
            )

        return fit


def _standard(
    numbers: NDArray[np.float32], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    import numpy as np

    with np.errstate(invalid="ignore"):
        return np.clip((numbers - mean) / scale, -_CLIP, _CLIP)


def _design(rows: Rows, vocabulary: Vocabulary, mean: NDArray[np.float64], scale: NDArray[np.float64]) -> Any:
    """The sparse design matrix: a number has one entry, in its own column or in the one for what is missing."""
    import numpy as np
    from scipy.sparse import csr_matrix

    count, width = rows.numbers.shape
    entries = width + len(rows.categories)
    values = np.ones((count, entries), np.float32)
    columns = np.empty((count, entries), np.int32)
    missing = np.isnan(rows.numbers)
    for place in range(width):
        standard = _standard(rows.numbers[:, place], mean[place], scale[place])
        values[:, place] = np.where(missing[:, place], 1.0, standard)
        columns[:, place] = np.where(missing[:, place], width + place, place)
    start = 2 * width
    for place, (indices, size) in enumerate(zip(vocabulary.indices(rows.categories), vocabulary.sizes(), strict=True)):
        columns[:, width + place] = start + indices
        start += size
    pointers = np.arange(0, count * entries + 1, entries, dtype=np.int32 if count * entries < 2**31 else np.int64)
    return csr_matrix((values.ravel(), columns.ravel(), pointers), shape=(count, start))


@dataclass(frozen=True, slots=True)
class Line:
    """The weights."""

    number_names: tuple[str, ...]
    category_names: tuple[str, ...]
    vocabulary: Vocabulary
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    slopes: NDArray[np.float64]
    missing: NDArray[np.float64]
    tables: tuple[NDArray[np.float64], ...]
    intercept: float
    iterations: int

    @property
    def facts(self) -> dict[str, Any]:
        return {"iterations": self.iterations}

    def margin(self, rows: Rows) -> NDArray[np.float64]:
        import numpy as np

        margin = np.full(len(rows), self.intercept)
        for place in range(rows.numbers.shape[1]):
            column = rows.numbers[:, place]
            standard = _standard(column, self.mean[place], self.scale[place])
            margin += np.where(np.isnan(column), self.missing[place], standard * self.slopes[place])
        for indices, table in zip(self.vocabulary.indices(rows.categories), self.tables, strict=True):
            margin += table[indices]
        return margin

    def draw(self, graph: Graph) -> str:
        import numpy as np

        parts = []
        if self.number_names:
            numbers = graph.doubles()
            centred = graph.add("Sub", numbers, graph.constant(self.mean))
            standard = graph.add(
                "Clip",
                graph.add("Div", centred, graph.constant(self.scale)),
                graph.constant(np.array(-_CLIP)),
                graph.constant(np.array(_CLIP)),
            )
            weighted = graph.add("Mul", standard, graph.constant(self.slopes))
            parts.append(graph.add("Where", graph.add("IsNaN", numbers), graph.constant(self.missing), weighted))
        if self.category_names:
            parts.append(graph.lookup(self.vocabulary, self.tables))
        whole = graph.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
        total = graph.add("ReduceSum", whole, graph.constant(np.array([1])), keepdims=0)
        return graph.add("Cast", graph.add("Add", total, graph.constant(np.array(self.intercept))), to=1)

    def importances(self) -> dict[str, float]:
        import numpy as np

        sizes = [abs(float(slope)) for slope in self.slopes] + [
            float(np.std(table[2:])) if len(table) > 2 else 0.0 for table in self.tables
        ]
        total = sum(sizes) or 1.0
        return dict(zip((*self.number_names, *self.category_names), (size / total for size in sizes), strict=True))
