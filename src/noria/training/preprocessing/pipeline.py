"""Pipeline: transforms one after the other, as they were fitted to the training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noria.declarations import Preprocessor
from noria.training.candidates import Fitted
from noria.training.preprocessing.transform import Columns, Fit, Transform, columns_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.models import Graph
    from noria.training.rows import Rows


def transforms_of(declared: Sequence[Preprocessor]) -> tuple[Transform, ...]:
    """The declared preprocessing.

    Raises
    ------
    DeclarationError
        Something of it cannot transform anything.
    """
    found = []
    for one in declared:
        if not isinstance(one, Transform):
            raise one.refuse(
                "this preprocessing cannot transform anything",
                mend="a kind of noria.training, or a subclass of noria.training.Transform",
            )
        found.append(one)
    return tuple(found)


def check_preprocessing(declared: Sequence[Preprocessor], columns: Columns) -> None:
    """Refuse transforms that choose nothing of what those before them leave; called when a search is planned.

    Parameters
    ----------
    declared : sequence of Preprocessor
        In their order.
    columns : mapping of str to str
        The features' names and kinds.

    Raises
    ------
    DeclarationError
        At the first that does.
    """
    for transform in transforms_of(declared):
        transform.check(columns)
        columns = transform.after(columns)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Fitted transforms, in their order.

    Attributes
    ----------
    transforms : tuple of Transform
        As declared; not those that found nothing to transform.
    fits : tuple of Fit
        What each has learned.
    """

    transforms: tuple[Transform, ...]
    fits: tuple[Fit, ...]

    @classmethod
    def fit(cls, declared: Sequence[Preprocessor], train: Rows) -> tuple[Pipeline, Rows]:
        """Fit each to the training rows as those before it left them; also returns these rows transformed.

        Raises
        ------
        DeclarationError
            Two columns would have one name.
        """
        used: list[tuple[Transform, Fit]] = []
        for transform in transforms_of(declared):
            if not transform.chosen(columns_of(train)):
                continue  # an indicator, say, of what has no nulls in these rows
            fitted, train = transform.fit(train)
            names = (*train.number_names, *train.category_names)
            if len(names) != len(columns_of(train)):
                twice = next(name for name in names if names.count(name) > 1)
                mend = "rename the feature, or transform it once"
                raise transform.refuse("two columns would have the same name", field="columns", value=twice, mend=mend)
            used.append((transform, fitted))
        return cls(tuple(transform for transform, _ in used), tuple(fitted for _, fitted in used)), train

    def apply(self, rows: Rows) -> Rows:
        """Rows of the features, transformed."""
        for fitted in self.fits:
            rows = fitted.apply(rows)
        return rows

    def draw(self, graph: Graph) -> None:
        """Add the same to a graph."""
        for fitted in self.fits:
            fitted.draw(graph)

    def origin(self, column: str) -> str:
        """The feature that a column was made from."""
        for fitted in reversed(self.fits):
            column = fitted.origins.get(column, column)
        return column

    def to_body(self) -> list[dict[str, Any]]:
        """What was learned, transform by transform, as plain JSON."""
        return [
            {"kind": type(transform).__name__, "text": transform.text, "learned": fitted.to_body()}
            for transform, fitted in zip(self.transforms, self.fits, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model with its preprocessing, from features to the margin.

    Attributes
    ----------
    pipeline : Pipeline
        What comes first.
    model : Fitted
        What was trained on its columns.
    """

    pipeline: Pipeline
    model: Fitted

    @property
    def facts(self) -> Mapping[str, Any]:
        """As of the model."""
        return self.model.facts

    def margin(self, rows: Rows) -> NDArray[np.float64]:
        """Log odds, from rows of the features."""
        return self.model.margin(self.pipeline.apply(rows))

    def draw(self, graph: Graph) -> str:
        """Both in one graph."""
        self.pipeline.draw(graph)
        return self.model.draw(graph)

    def importances(self) -> dict[str, float]:
        """Of features: the shares of all columns that were made from one are added up."""
        found: dict[str, float] = {}
        for column, share in self.model.importances().items():
            origin = self.pipeline.origin(column)
            found[origin] = found.get(origin, 0.0) + share
        return found
