"""Rows: labelled rows of a training set as arrays, numbers and categories apart."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from noria.models import Category


@dataclass(frozen=True, slots=True)
class Rows:
    """Labelled rows, in order of time.

    Attributes
    ----------
    number_names, category_names : tuple of str
        k and m features, in the model's order.
    numbers : float32 [n, k]
        Null is NaN.
    categories : tuple of m Category
        Null and the empty text are the same.
    labels : int8 [n]
        0 or 1.
    times : int64 [n]
        When the question is asked, microseconds UTC.
    ids : int64 [n]
        The spine's row numbers.
    """

    number_names: tuple[str, ...]
    category_names: tuple[str, ...]
    numbers: NDArray[np.float32]
    categories: tuple[Category, ...]
    labels: NDArray[np.int8]
    times: NDArray[np.int64]
    ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def strings(self) -> NDArray[np.object_]:
        """The categories as text, ``[n, m]``, null as ``""``: what a graph takes."""
        columns = [column.strings() for column in self.categories]
        return np.column_stack(columns) if columns else np.empty((len(self), 0), object)

    def category(self, name: str) -> Category:
        """A category column by name."""
        return self.categories[self.category_names.index(name)]

    def digest(self) -> str:
        """The BLAKE2b digest (128 bits) of everything in it."""
        digest = hashlib.blake2b("\0".join([*self.number_names, "", *self.category_names]).encode(), digest_size=16)
        for array in (self.ids, self.times, self.labels, self.numbers):
            digest.update(np.ascontiguousarray(array).data)
        for column in self.categories:
            digest.update("\0".join(column.strings()).encode() + b"\0\0")
        return digest.hexdigest()


def read_rows(path: Path, features: Sequence[dict[str, Any]], part: pl.Expr) -> Rows:
    """Read the rows of one part of a training set; no other row is kept.

    Parameters
    ----------
    path : Path
        ``training_set.parquet``.
    features : sequence of dict
        ``{"name", "kind"}``, in the model's order, from the facts of the step ``training-set``.
    part : polars expression
        Which rows, by ``_time`` and ``_known``. Rows without a label are never read.
    """
    numbers = [feature["name"] for feature in features if feature["kind"] == "number"]
    texts = [feature["name"] for feature in features if feature["kind"] == "category"]
    frame = (
        pl.scan_parquet(path)
        .filter(part & pl.col("_label").is_not_null())
        .select("_row", "_time", "_label", *numbers, *texts)
        .collect()
    )
    return Rows(
        tuple(numbers),
        tuple(texts),
        _matrix(frame.select(numbers)),
        tuple(_category(frame[name]) for name in texts),
        frame["_label"].cast(pl.Int8).to_numpy(),
        frame["_time"].dt.epoch("us").cast(pl.Int64).to_numpy(),
        frame["_row"].cast(pl.Int64).to_numpy(),
    )


def _matrix(frame: pl.DataFrame) -> NDArray[np.float32]:
    # Column by column, so that no second copy of everything is made.
    matrix = np.empty(frame.shape, np.float32)
    for place, column in enumerate(frame.iter_columns()):
        matrix[:, place] = column.cast(pl.Float32).fill_null(float("nan")).to_numpy()
    return matrix


def _category(column: pl.Series) -> Category:
    levels = column.drop_nulls().unique().sort()
    levels = levels.filter(levels != "")
    codes = column.replace_strict(
        levels, pl.int_range(len(levels), dtype=pl.Int32, eager=True), default=-1, return_dtype=pl.Int32
    )
    return Category(codes.fill_null(-1).to_numpy(), tuple(levels.to_list()))
