"""impute: a value where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from noria.training.preprocessing.transform import Columns, Fit, Transform

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.models import Category, Graph
    from noria.training.rows import Rows

_SUFFIX = "_missing"


class Impute(Transform):
    """Put a value where there is none.

    What is learned, it learns from the training rows; of numbers from their finite values. A column that is null in all
    of them stays as it is. Categories take ``"most_frequent"`` and a constant text only.

    Parameters
    ----------
    columns : str or list of str
        Numbers and categories, by name or pattern; patterns choose numbers only where `how` suits numbers only.
    how : str
        ``"median"``, ``"mean"``, ``"most_frequent"`` (the smallest of the most frequent) or ``"constant"``.
    value : float or str, optional
        The constant.
    indicator : bool
        Also add a number that is 1 where the value was missing, ``temp_missing``; of columns only that have nulls in
        the training rows.

    Examples
    --------
    >>> impute(["temp", "wind*"], "median", indicator=True)
    Impute(columns=('temp', 'wind*'), how='median', value=None, indicator=True)
    """

    how: Literal["median", "mean", "most_frequent", "constant"] = Field(default="median", kw_only=False)
    value: float | str | None = Field(default=None, kw_only=False)
    indicator: bool = False

    takes: ClassVar[tuple[str, ...]] = ("number", "category")

    @property
    def text(self) -> str:
        how = f"constant {self.value}" if self.how == "constant" else self.how.replace("_", " ")
        return f"impute {', '.join(self.columns)} ({how}{', with an indicator' if self.indicator else ''})"

    def check(self, columns: Columns) -> None:
        if (self.value is None) == (self.how == "constant"):
            mend = 'how="constant" with value=…'
            raise self.refuse("a constant needs its value, and nothing else does", field="value", mend=mend)
        if self.value == "":
            raise self.refuse("the empty text is null", field="value", mend="another text")
        super().check(columns)
        for name, kind in columns.items():
            if name in self.columns and kind not in self._suits:
                message = f"{name} is a {kind}, which this cannot fill"
                mend = 'how="most_frequent", or a constant of its kind'
                raise self.refuse(message, field="how", value=self.how, mend=mend)

    @property
    def _suits(self) -> tuple[str, ...]:
        if self.how == "most_frequent":
            return self.takes
        return ("category",) if isinstance(self.value, str) else ("number",)

    def chosen(self, columns: Columns) -> list[str]:
        return [name for name in super().chosen(columns) if columns[name] in self._suits]

    def after(self, columns: Columns) -> dict[str, str]:
        added = {name + _SUFFIX: "number" for name in self.chosen(columns)} if self.indicator else {}
        return {**columns, **added}

    def fit(self, rows: Rows) -> tuple[Fit, Rows]:
        import numpy as np

        numbers, categories = self.chosen_of(rows)
        values = np.full(len(rows.number_names), np.nan, np.float32)
        texts = [""] * len(rows.category_names)
        with np.errstate(over="ignore"):
            for place in numbers:
                values[place] = self._number(rows.numbers[:, place])
        for place in categories:
            texts[place] = self._text(rows.categories[place])
        shown: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        if self.indicator:
            shown = (
                tuple(place for place in numbers if np.isnan(rows.numbers[:, place]).any()),
                tuple(place for place in categories if (rows.categories[place].codes < 0).any()),
            )
        chosen = (tuple(numbers), tuple(categories))
        fitted = Filled(rows.number_names, rows.category_names, chosen, values, tuple(texts), shown)
        return fitted, fitted.apply(rows)

    def _number(self, column: NDArray[np.float32]) -> float:
        import numpy as np

        if self.how == "constant":
            return float(self.value)  # type: ignore[arg-type]
        finite = column[np.isfinite(column)].astype(np.float64)
        if not len(finite):
            return float("nan")
        if self.how == "most_frequent":
            found, counts = np.unique(finite, return_counts=True)
            return float(found[counts.argmax()])
        return float(np.median(finite) if self.how == "median" else finite.mean())

    def _text(self, column: Category) -> str:
        import numpy as np

        if self.how == "constant":
            return str(self.value)
        counts = np.bincount(column.codes + 1, minlength=len(column.levels) + 1)[1:]
        if not counts.any():
            return ""
        return min(level for level, rows in zip(column.levels, counts, strict=True) if rows == counts.max())


def impute(
    columns: str | list[str], how: str = "median", value: float | str | None = None, *, indicator: bool = False
) -> Impute:
    """Put a value where there is none, see `Impute`.

    Examples
    --------
    >>> impute("carrier", "constant", "(none)").text
    'impute carrier (constant (none))'
    """
    return Impute(columns, how, value, indicator=indicator)


@dataclass(frozen=True, slots=True)
class Filled:
    """What fills each number and each category: NaN and the empty text where nothing does."""

    number_names: tuple[str, ...]
    category_names: tuple[str, ...]
    chosen: tuple[tuple[int, ...], tuple[int, ...]]
    numbers: NDArray[np.float32]
    texts: tuple[str, ...]
    shown: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def _shown_names(self) -> list[str]:
        numbers, categories = self.shown
        return [*(self.number_names[place] for place in numbers), *(self.category_names[place] for place in categories)]

    @property
    def origins(self) -> Mapping[str, str]:
        return {name + _SUFFIX: name for name in self._shown_names}

    def apply(self, rows: Rows) -> Rows:
        import numpy as np

        numbers, categories = self.shown
        missing = [np.isnan(rows.numbers[:, place]) for place in numbers]
        missing += [rows.categories[place].codes < 0 for place in categories]
        filled = np.where(np.isnan(rows.numbers), self.numbers, rows.numbers)
        if missing:
            filled = np.column_stack([filled, *(one.astype(np.float32) for one in missing)])
        return replace(
            rows,
            number_names=(*rows.number_names, *(name + _SUFFIX for name in self._shown_names)),
            numbers=filled,
            categories=tuple(map(_filled, rows.categories, self.texts)),
        )

    def draw(self, graph: Graph) -> None:
        import numpy as np

        numbers, categories = self.shown
        added = []
        if self.chosen[0]:
            missing = graph.add("IsNaN", graph.numbers)
            if numbers:
                added.append(graph.chosen(missing, numbers, len(self.number_names)))
            graph.numbers = graph.add("Where", missing, graph.constant(self.numbers), graph.numbers)
        if self.chosen[1]:
            missing = graph.add("Equal", graph.categories, graph.constant(np.array("", object)))
            if categories:
                added.append(graph.chosen(missing, categories, len(self.category_names)))
            texts = graph.constant(np.array(self.texts, object))
            graph.categories = graph.add("Where", missing, texts, graph.categories)
        if added:
            joined = graph.joined(added)
            own = [graph.numbers] if self.number_names else []
            graph.numbers = graph.joined([*own, graph.single(joined)])

    def to_body(self) -> dict[str, Any]:
        numbers, categories = self.chosen
        values = {self.number_names[place]: float(self.numbers[place]) for place in numbers}
        return {name: None if value != value else value for name, value in values.items()} | {
            self.category_names[place]: self.texts[place] or None for place in categories
        }


def _filled(column: Category, text: str) -> Category:
    import numpy as np

    from noria.models import Category

    if not text or not (column.codes < 0).any():
        return column
    levels = column.levels if text in column.levels else (*column.levels, text)
    return Category(np.where(column.codes < 0, np.int32(levels.index(text)), column.codes), levels)
