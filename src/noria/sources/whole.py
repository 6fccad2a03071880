"""All batches of a source as one frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from noria.core import DataError
from noria.declarations import Source
from noria.sources.connector import Batch
from noria.sources.kinds import moments_in_utc, with_kinds

if TYPE_CHECKING:
    import polars as pl


def whole(source: Source, batches: Iterable[Batch]) -> pl.DataFrame:
    """The rows of all batches, texts without types as what they all are, with ``_row`` numbering them from 1.

    Raises
    ------
    DataError
        There is no row, or batches have different columns.
    """
    import polars as pl

    parts, untyped = dict[str, list[pl.DataFrame]](), False
    for batch in batches:
        parts.setdefault(batch.place, []).append(moments_in_utc(batch.frame, source.time_zone))
        untyped = untyped or batch.untyped
    if not parts:
        raise DataError(f"source '{source.name}': there is no row", mend="one row at least")
    # Batches of one place may have more columns than those before them, where a format names them in each row.
    places = {place: pl.concat(frames, how="diagonal_relaxed") for place, frames in parts.items()}
    first = next(iter(places))
    for place, frame in places.items():
        _alike(source, places[first], frame, place)
    rows = pl.concat(places.values(), how="vertical_relaxed")
    if "_row" in rows.columns or "_reasons" in rows.columns:
        raise DataError(
            f"source '{source.name}' has a column '_row' or '_reasons'",
            place=first,
            mend="rename it: Noria numbers rows, and keeps the reasons of wrong ones, under these names",
        )
    if rows.is_empty():
        raise DataError(f"source '{source.name}': there are columns but no row", place=first, mend="one row at least")
    if untyped:
        rows = with_kinds(rows, keep=source.contract.types)
    return rows.with_row_index("_row", 1).with_columns(pl.col("_row").cast(pl.Int64))


def _alike(source: Source, first: pl.DataFrame, frame: pl.DataFrame, place: str) -> None:
    import polars as pl

    if frame.columns != first.columns:
        here, there = set(frame.columns), set(first.columns)
        lost = [name for name in first.columns if name not in here]
        more = [name for name in frame.columns if name not in there]
        raise DataError(
            f"source '{source.name}': files have different columns",
            place=place,
            value=f"without {', '.join(lost)}" if lost else f"also {', '.join(more)}" if more else "in another order",
            mend="all files of a source have the columns of the first: " + ", ".join(first.columns),
        )
    for (name, a), b in zip(first.schema.items(), frame.schema.dtypes(), strict=True):
        if a != b and not (a.is_numeric() and b.is_numeric()) and pl.Null not in (a, b):
            raise DataError(
                f"source '{source.name}': a column has different types in different files",
                place=place,
                value=f"{name} is {b}, {a} in the first file",
                mend="write it alike in all files",
            )
