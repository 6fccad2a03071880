"""text_length: how long a text is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from noria.training.preprocessing.transform import Columns, Fit, Transform

if TYPE_CHECKING:
    from noria.models import Graph
    from noria.training.rows import Rows

_SUFFIX = "_length"


class TextLength(Transform):
    """Add how many characters a category's text has, ``comment_length``; null stays null.

    Characters are Unicode code points. The length is exact for texts that training never saw: the graph counts by
    regular expressions, one for each binary digit.

    Parameters
    ----------
    columns : str or list of str
        Categories, by name or pattern; they stay.
    most : int
        Longer texts count as this long; 511 by default, which is the most.

    Examples
    --------
    >>> text_length("comment", most=200)
    TextLength(columns=('comment',), most=200)
    """

    most: int = Field(default=511, ge=1, le=511, kw_only=False)

    takes: ClassVar[tuple[str, ...]] = ("category",)

    @property
    def text(self) -> str:
        return f"count the characters of {', '.join(self.columns)} (to {self.most})"

    def after(self, columns: Columns) -> dict[str, str]:
        return {**columns, **{name + _SUFFIX: "number" for name in self.chosen(columns)}}

    def fit(self, rows: Rows) -> tuple[Fit, Rows]:
        _, places = self.chosen_of(rows)
        fitted = Counted(len(rows.number_names), rows.category_names, tuple(places), self.most)
        return fitted, fitted.apply(rows)


def text_length(columns: str | list[str], most: int = 511) -> TextLength:
    """Add how many characters a category's text has, see `TextLength`.

    Examples
    --------
    >>> text_length("comment").text
    'count the characters of comment (to 511)'
    """
    return TextLength(columns, most)


@dataclass(frozen=True, slots=True)
class Counted:
    """Some categories whose characters are counted."""

    numbers: int
    names: tuple[str, ...]
    places: tuple[int, ...]
    most: int

    @property
    def origins(self) -> Mapping[str, str]:
        return {self.names[place] + _SUFFIX: self.names[place] for place in self.places}

    def apply(self, rows: Rows) -> Rows:
        import numpy as np

        made = []
        for place in self.places:
            column = rows.categories[place]
            sizes = [float(min(len(level), self.most)) for level in column.levels]
            made.append(np.array([*sizes, np.nan], np.float32)[column.codes])
        return replace(
            rows,
            number_names=(*rows.number_names, *self.origins),
            numbers=np.column_stack([rows.numbers, *made]),
        )

    def draw(self, graph: Graph) -> None:
        import numpy as np

        def number(value: float) -> str:
            return graph.constant(np.array(value, np.float32))

        texts = graph.chosen(graph.categories, self.places, len(self.names))
        nothing = number(0)
        digits = []
        for digit in range(self.most.bit_length()):
            unit = 2**digit
            odd = graph.add("RegexFullMatch", texts, pattern=f"(?s)(?:.{{{2 * unit}}})*.{{{unit},{2 * unit - 1}}}")
            digits.append(graph.add("Where", odd, number(unit), nothing))
        length = graph.add("Sum", *digits)
        long = graph.add("RegexFullMatch", texts, pattern=f"(?s).{{{self.most},}}")
        length = graph.add("Where", long, number(self.most), length)
        null = graph.add("Equal", texts, graph.constant(np.array("", object)))
        length = graph.add("Where", null, number(np.nan), length)
        graph.numbers = graph.joined([graph.numbers, length] if self.numbers else [length])

    def to_body(self) -> dict[str, Any]:
        return {self.names[place]: {"most": self.most} for place in self.places}
