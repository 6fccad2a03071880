"""rare: category values with few rows become one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from noria.training.preprocessing.transform import Columns, Fit, Transform, others

if TYPE_CHECKING:
    from noria.models import Graph, Vocabulary
    from noria.training.rows import Rows


class Rare(Transform):
    """Make one value of all category values with few training rows; values never seen become it too, null stays null.

    Parameters
    ----------
    columns : str or list of str
        Categories, by name or pattern.
    at_least : float
        What a value needs to stay: below 1 a share of the training rows, from 1 on a number of them; 0.01 by default.
    into : str
        The one value, ``"(rare)"`` by default.

    Examples
    --------
    >>> rare("dest", at_least=0.005)
    Rare(columns=('dest',), at_least=0.005, into='(rare)')
    """

    at_least: float = Field(default=0.01, gt=0)
    into: str = Field(default="(rare)", min_length=1)

    takes: ClassVar[tuple[str, ...]] = ("category",)

    @property
    def text(self) -> str:
        share = f"{self.at_least:.3g} of the" if self.at_least < 1 else f"{self.at_least:g}"
        return f"group values of {', '.join(self.columns)} with under {share} rows as {self.into}"

    def check(self, columns: Columns) -> None:
        if self.at_least > 1 and self.at_least % 1:
            message, mend = "rows are counted in whole numbers", "below 1 it is a share, from 1 on a number of rows"
            raise self.refuse(message, field="at_least", value=self.at_least, mend=mend)
        super().check(columns)

    def fit(self, rows: Rows) -> tuple[Fit, Rows]:
        import math

        from noria.models import Vocabulary

        _, places = self.chosen_of(rows)
        fewest = self.at_least if self.at_least >= 1 else max(1, math.ceil(self.at_least * len(rows) - 1e-9))
        known = Vocabulary.learn([rows.categories[place] for place in places], int(fewest))
        fitted = Grouped(rows.category_names, tuple(places), known, self.into)
        return fitted, fitted.apply(rows)


def rare(columns: str | list[str], *, at_least: float = 0.01, into: str = "(rare)") -> Rare:
    """Make one value of all category values with few training rows, see `Rare`.

    Examples
    --------
    >>> rare("*", at_least=50).text
    'group values of * with under 50 rows as (rare)'
    """
    return Rare(columns, at_least=at_least, into=into)


@dataclass(frozen=True, slots=True)
class Grouped:
    """The values that stay, of some categories."""

    names: tuple[str, ...]
    places: tuple[int, ...]
    known: Vocabulary
    into: str

    @property
    def origins(self) -> Mapping[str, str]:
        return {}

    def apply(self, rows: Rows) -> Rows:
        import numpy as np

        from noria.models import Category

        kept, grouped = [], []
        for place, column in enumerate(rows.categories):
            if place not in self.places:
                kept.append(column)
                continue
            levels = tuple(dict.fromkeys((*self.known.levels[self.places.index(place)], self.into)))
            at = {level: number for number, level in enumerate(levels)}
            codes = [at.get(level, at[self.into]) for level in column.levels]
            grouped.append(Category(np.array([*codes, -1], np.int32)[column.codes], levels))
        rest = others(self.places, len(self.names))
        names = tuple(self.names[place] for place in (*rest, *self.places))
        return replace(rows, category_names=names, categories=(*kept, *grouped))

    def draw(self, graph: Graph) -> None:
        import numpy as np

        tables = [np.array(["", self.into, *levels], object) for levels in self.known.levels]
        size = len(self.names)
        grouped = graph.lookup(self.known, tables, graph.chosen(graph.categories, self.places, size))
        rest = others(self.places, size)
        kept = [graph.chosen(graph.categories, rest, size)] if rest else []
        graph.categories = graph.joined([*kept, grouped])

    def to_body(self) -> dict[str, Any]:
        named = zip(self.places, self.known.levels, strict=True)
        return {self.names[place]: {"kept": list(levels), "others": self.into} for place, levels in named}
