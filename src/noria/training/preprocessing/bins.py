"""bins: numbers become categories by ranges."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from noria.training.preprocessing.transform import Columns, Fit, Transform, others

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.models import Graph
    from noria.training.rows import Rows


class Bins(Transform):
    """Make numbers categories by ranges, such as ``"18 to 65"``: from the first bound on, below the second; null stays.

    Parameters
    ----------
    columns : str or list of str
        Numbers, by name or pattern.
    count : int
        How many ranges, 10 by default; there are fewer where bounds fall together.
    how : str
        ``"quantile"``: as many training rows in each. ``"uniform"``: as wide each, from the smallest to the largest
        finite value of the training rows.
    edges : list of float
        Instead of these two: the bounds between the ranges, in order.

    Examples
    --------
    >>> bins("age", edges=[18, 65])
    Bins(columns=('age',), count=10, how='quantile', edges=(18.0, 65.0))
    """

    count: int = Field(default=10, ge=2, le=1000, kw_only=False)
    how: Literal["quantile", "uniform"] = Field(default="quantile", kw_only=False)
    edges: tuple[float, ...] = ()

    @field_validator("edges")
    @classmethod
    def _ordered(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("bounds are in order, each once: [18, 65]")
        return value

    @property
    def text(self) -> str:
        ways = ", ".join(f"{edge:g}" for edge in self.edges) if self.edges else f"{self.count} by {self.how}"
        return f"cut {', '.join(self.columns)} into ranges ({ways})"

    def check(self, columns: Columns) -> None:
        if self.edges and self.model_fields_set & {"count", "how"}:
            mend = "leave out edges, or count and how"
            raise self.refuse("bounds are given or learned, not both", field="edges", value=self.edges, mend=mend)
        super().check(columns)

    def after(self, columns: Columns) -> dict[str, str]:
        chosen = self.chosen(columns)
        rest = {name: kind for name, kind in columns.items() if name not in chosen}
        return {**rest, **dict.fromkeys(chosen, "category")}

    def fit(self, rows: Rows) -> tuple[Fit, Rows]:
        places, _ = self.chosen_of(rows)
        edges = tuple(self._edges(rows.numbers[:, place]) for place in places)
        fitted = Cut(rows.number_names, len(rows.category_names), tuple(places), edges)
        return fitted, fitted.apply(rows)

    def _edges(self, column: NDArray[np.float32]) -> NDArray[np.float32]:
        import numpy as np

        if self.edges:
            return np.unique(np.array(self.edges, np.float32))
        finite = column[np.isfinite(column)].astype(np.float64)
        if not len(finite):
            return np.empty(0, np.float32)
        inner = np.linspace(0, 1, self.count + 1)[1:-1]
        if self.how == "quantile":
            found = np.quantile(finite, inner)
        else:
            found = finite.min() + inner * (finite.max() - finite.min())
        cuts: NDArray[np.float32] = np.unique(found.astype(np.float32))
        return cuts[cuts > np.float32(finite.min())]  # nothing would lie below it


def bins(
    columns: str | list[str],
    count: int | None = None,
    how: str | None = None,
    *,
    edges: list[float] | tuple[float, ...] = (),
) -> Bins:
    """Make numbers categories by ranges, see `Bins`.

    Examples
    --------
    >>> bins("distance", 5, "uniform").text
    'cut distance into ranges (5 by uniform)'
    """
    given = {name: value for name, value in (("count", count), ("how", how)) if value is not None}
    return Bins(columns, edges=edges, **given)


@dataclass(frozen=True, slots=True)
class Cut:
    """The bounds of some numbers."""

    names: tuple[str, ...]
    categories: int
    places: tuple[int, ...]
    edges: tuple[NDArray[np.float32], ...]

    @property
    def origins(self) -> Mapping[str, str]:
        return {}

    def apply(self, rows: Rows) -> Rows:
        import numpy as np

        from noria.models import Category

        made = []
        for place, edges in zip(self.places, self.edges, strict=True):
            values = rows.numbers[:, place]
            found = np.searchsorted(edges, values, side="right").astype(np.int32)
            made.append(Category(np.where(np.isnan(values), np.int32(-1), found), ranges(edges)))
        rest = others(self.places, len(self.names))
        return replace(
            rows,
            number_names=tuple(self.names[place] for place in rest),
            numbers=np.ascontiguousarray(rows.numbers[:, rest]),
            category_names=(*rows.category_names, *(self.names[place] for place in self.places)),
            categories=(*rows.categories, *made),
        )

    def draw(self, graph: Graph) -> None:
        import numpy as np

        size = len(self.names)
        rest = others(self.places, size)
        values = graph.chosen(graph.numbers, self.places, size)
        tables = [np.array(ranges(edges), object) for edges in self.edges]
        texts = graph.add("Gather", graph.constant(np.concatenate(tables)), graph.ranks(values, self.edges))
        nothing = graph.constant(np.array("", object))
        made = graph.add("Where", graph.add("IsNaN", values), nothing, texts)
        graph.categories = graph.joined([graph.categories, made] if self.categories else [made])
        if rest:
            graph.numbers = graph.chosen(graph.numbers, rest, size)

    def to_body(self) -> dict[str, Any]:
        named = zip(self.places, self.edges, strict=True)
        return {self.names[place]: {"edges": [float(edge) for edge in edges]} for place, edges in named}


def ranges(edges: NDArray[np.float32]) -> tuple[str, ...]:
    """The names of the ranges between bounds.

    Examples
    --------
    >>> import numpy as np
    >>> ranges(np.array([18, 65.5], np.float32))
    ('below 18', '18 to 65.5', '65.5 and more')
    """
    import numpy as np

    if not len(edges):
        return ("any",)
    texts = [np.format_float_positional(edge, trim="-") for edge in edges]
    between = [f"{low} to {high}" for low, high in itertools.pairwise(texts)]
    return (f"below {texts[0]}", *between, f"{texts[-1]} and more")
