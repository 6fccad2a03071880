"""encode: categories become numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from noria.training.preprocessing.transform import Columns, Fit, Transform, others

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.models import Category, Graph, Vocabulary
    from noria.training.rows import Rows

_NONE = -1.0  # the class of what has no column of its own


class Encode(Transform):
    """Make categories numbers.

    Parameters
    ----------
    columns : str or list of str
        Categories, by name or pattern; numbers take their place.
    how : str
        ``"onehot"``: a number for each value, ``carrier=AA``, 1 where it is it; null is a value, ``carrier=``, where
        the training rows have it; values never seen are 0 in all. ``"ordinal"``: the place of the value in the order
        of their texts, from 0; null is null, values never seen are -1. ``"target"``: the share of positives among the
        training rows with the value, drawn to the share of all; null is a value, values never seen have the share of
        all. ``"hash"``: `buckets` numbers, ``dest#0`` and on, 1 where the value's hash falls; null is a value, values
        never seen are 0 in all.
    most : int
        Of ``"onehot"``: the most frequent values have numbers, 100 by default.
    smoothing : float
        Of ``"target"``: as many rows of the share of all are added to those of each value; 20 by default.
    folds : int
        Of ``"target"``: training rows get shares that are worked out from the other folds, so that no row's own answer
        is in its number; 5 by default.
    buckets : int
        Of ``"hash"``: 32 by default.

    Examples
    --------
    >>> encode("carrier", "target", smoothing=50).text
    'encode carrier (target)'
    """

    how: Literal["onehot", "ordinal", "target", "hash"] = Field(default="onehot", kw_only=False)
    most: int = Field(default=100, ge=1)
    smoothing: float = Field(default=20.0, ge=0)
    folds: int = Field(default=5, ge=2, le=100)
    buckets: int = Field(default=32, ge=2, le=4096)

    takes: ClassVar[tuple[str, ...]] = ("category",)
    only: ClassVar[Mapping[str, str]] = {"most": "onehot", "smoothing": "target", "folds": "target", "buckets": "hash"}
    """Which way a parameter belongs to."""

    @property
    def text(self) -> str:
        return f"encode {', '.join(self.columns)} ({self.how})"

    def check(self, columns: Columns) -> None:
        for field in sorted(self.model_fields_set & self.only.keys()):
            if self.only[field] != self.how:
                mend = f'how="{self.only[field]}", or leave it out'
                raise self.refuse(f"{self.how} has no {field}", field=field, value=getattr(self, field), mend=mend)
        super().check(columns)

    def after(self, columns: Columns) -> dict[str, str]:
        chosen = self.chosen(columns)
        rest = {name: kind for name, kind in columns.items() if name not in chosen}
        sign = {"onehot": "=", "hash": "#"}.get(self.how, "")
        return {**rest, **{name + sign: "number" for name in chosen}}

    def fit(self, rows: Rows) -> tuple[Fit, Rows]:
        import numpy as np

        from noria.models import Vocabulary

        _, places = self.chosen_of(rows)
        chosen = [rows.categories[place] for place in places]
        known = Vocabulary.learn(chosen, 1)
        tables: tuple[NDArray[np.float64], ...]
        classes: tuple[tuple[str, ...], ...] = ()
        if self.how == "target":
            tables = tuple(_rates(i, n, rows.labels, self.smoothing) for i, n in _indexed(known, chosen))
        elif self.how == "ordinal":
            tables = tuple(_ordinals(len(levels)) for levels in known.levels)
        elif self.how == "hash":
            tables = tuple(_hashed(levels, self.buckets) for levels in known.levels)
            classes = tuple(tuple(f"#{bucket}" for bucket in range(self.buckets)) for _ in places)
        else:
            pairs = [
                _one_hot(i, n, k, self.most) for (i, n), k in zip(_indexed(known, chosen), known.levels, strict=True)
            ]
            tables, classes = tuple(table for table, _ in pairs), tuple(names for _, names in pairs)
        fitted = Encoded(rows.number_names, rows.category_names, tuple(places), known, tables, classes)
        if self.how != "target":
            return fitted, fitted.apply(rows)
        shares = np.empty((len(rows), len(places)), np.float32)
        for place, (indices, size) in enumerate(_indexed(known, chosen)):
            shares[:, place] = self._of_others(indices, size, rows)
        return fitted, fitted.with_numbers(rows, shares)

    def _of_others(self, indices: NDArray[np.int64], size: int, rows: Rows) -> NDArray[np.float32]:
        """Each training row's share, worked out from the rows of the other folds."""
        import numpy as np

        fold = np.random.default_rng(0).permutation(len(rows)) % self.folds
        found = np.empty(len(rows), np.float32)
        for number in range(self.folds):
            own = fold == number
            if own.any():
                rates = _rates(indices[~own], size, rows.labels[~own], self.smoothing)
                found[own] = rates[indices[own]]
        return found


def encode(columns: str | list[str], how: str = "onehot", **ways: float) -> Encode:
    """Make categories numbers, see `Encode`.

    Examples
    --------
    >>> encode(["carrier", "dest"], "hash", buckets=64).buckets
    64
    """
    return Encode(columns, how, **ways)


def _indexed(known: Vocabulary, columns: Sequence[Category]) -> list[tuple[NDArray[np.int64], int]]:
    return list(zip(known.indices(columns), known.sizes(), strict=True))


def _rates(indices: NDArray[np.int64], size: int, labels: NDArray[np.int8], smoothing: float) -> NDArray[np.float64]:
    """The share of positives of each index, drawn to that of all."""
    import numpy as np

    overall = labels.mean() if len(labels) else 0.0
    rows = np.bincount(indices, minlength=size)
    positives = np.bincount(indices, weights=labels, minlength=size)
    weight = rows + smoothing
    rates: NDArray[np.float64] = np.full(size, overall)
    np.divide(positives + overall * smoothing, weight, out=rates, where=weight > 0)
    return rates


def _ordinals(levels: int) -> NDArray[np.float64]:
    import numpy as np

    return np.array([np.nan, -1.0, *range(levels)])


def _hashed(levels: Sequence[str], buckets: int) -> NDArray[np.float64]:
    import numpy as np

    def bucket(text: str) -> float:
        return float(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") % buckets)

    return np.array([bucket(""), _NONE, *map(bucket, levels)])


def _one_hot(
    indices: NDArray[np.int64], size: int, levels: Sequence[str], most: int
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """The class of each index, and the classes' names: values in their order, null last."""
    import numpy as np

    counts = np.bincount(indices, minlength=size)
    frequent = np.sort(np.argsort(-counts[2:], kind="stable")[:most])
    table = np.full(size, _NONE)
    table[2 + frequent] = np.arange(len(frequent))
    names = [f"={levels[place]}" for place in frequent]
    if counts[0]:
        table[0] = len(names)
        names.append("=")
    return table, tuple(names)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A number for every value of some categories, or a class and its column."""

    number_names: tuple[str, ...]
    category_names: tuple[str, ...]
    places: tuple[int, ...]
    known: Vocabulary
    tables: tuple[NDArray[np.float64], ...]
    classes: tuple[tuple[str, ...], ...]

    @property
    def origins(self) -> Mapping[str, str]:
        own = [self.category_names[place] for place in self.places]
        if not self.classes:
            return {name: name for name in own}
        return {name + end: name for name, ends in zip(own, self.classes, strict=True) for end in ends}

    def apply(self, rows: Rows) -> Rows:
        import numpy as np

        indices = self.known.indices([rows.categories[place] for place in self.places])
        found = [table[index] for table, index in zip(self.tables, indices, strict=True)]
        if not self.classes:
            return self.with_numbers(rows, np.column_stack(found).astype(np.float32))
        made, start = np.zeros((len(rows), len(self.origins)), np.float32), 0
        for column, ends in zip(found, self.classes, strict=True):
            [own] = np.nonzero(column != _NONE)
            made[own, start + column[own].astype(np.int64)] = 1
            start += len(ends)
        return self.with_numbers(rows, made)

    def with_numbers(self, rows: Rows, made: NDArray[np.float32]) -> Rows:
        """The rows with these numbers in place of the categories."""
        import numpy as np

        rest = others(self.places, len(self.category_names))
        return replace(
            rows,
            number_names=(*rows.number_names, *self.origins),
            numbers=np.concatenate([rows.numbers, made], axis=1),
            category_names=tuple(self.category_names[place] for place in rest),
            categories=tuple(rows.categories[place] for place in rest),
        )

    def draw(self, graph: Graph) -> None:
        size = len(self.category_names)
        rest = others(self.places, size)
        if self.origins:
            self._draw_numbers(graph, size)
        if rest:
            graph.categories = graph.chosen(graph.categories, rest, size)

    def _draw_numbers(self, graph: Graph, size: int) -> None:
        import numpy as np

        found = graph.lookup(self.known, self.tables, graph.chosen(graph.categories, self.places, size))
        if self.classes:
            columns = [place for place, ends in enumerate(self.classes) for _ in ends]
            numbers = [float(number) for ends in self.classes for number in range(len(ends))]
            repeated = graph.add("Gather", found, graph.constant(np.array(columns)), axis=1)
            found = graph.add("Equal", repeated, graph.constant(np.array(numbers)))
        made = graph.single(found)
        graph.numbers = graph.joined([graph.numbers, made] if self.number_names else [made])

    def to_body(self) -> dict[str, Any]:
        return {
            self.category_names[place]: {"null": _json(table[0]), "other": _json(table[1])}
            | {"values": dict(zip(levels, map(_json, table[2:]), strict=True))}
            for place, levels, table in zip(self.places, self.known.levels, self.tables, strict=True)
        }


def _json(number: float) -> float | None:
    return None if number != number else float(number)
