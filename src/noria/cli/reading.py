"""Reading a table that no project declares yet: its batches, typed, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from noria.declarations import Source


def source_of(place: str, name: str | None = None) -> Source:
    """A source that reads a file, a glob or a URL, named after it."""
    from noria.declarations import Source

    source = Source(name or name_of(place), place)
    source._where = "the command line"  # no file of the user's declares it
    return source


def name_of(place: str) -> str:
    """A name for what is read there: letters, digits and ``_``.

    Examples
    --------
    >>> name_of("data/Kunden 2024.csv.gz"), name_of("s3://bucket/day=1/*.parquet"), name_of("2024.csv")
    ('Kunden_2024', 'rows', 'rows_2024')
    """
    stem = re.split(r"[/\\]", place.rstrip("/"))[-1].split("?")[0].split(".")[0]
    plain = re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_")
    if not plain:
        return "rows"
    return plain if plain[0].isalpha() else f"rows_{plain}"


def typed_batches(source: Source, base: Path, most: int = 20_000) -> Iterator[pl.DataFrame]:
    """The rows of a source, batch by batch. Texts without types are read twice: to know what all of them are, and then
    as that; one batch is held at a time.

    Parameters
    ----------
    source : Source
        What is read.
    base : Path
        Where relative paths start.
    most : int
        More columns are refused at once: each costs time and memory of its own.

    Raises
    ------
    DataError
        It cannot be read, or it holds no row, or too many columns.
    """
    from noria.core import DataError
    from noria.sources import Ask, KindsFold, as_kinds, connector

    reader, ask = connector(source), Ask(source, base)
    fold, first, count, rows = KindsFold(), None, 0, 0
    for batch in reader.batches(ask):
        count, rows = count + 1, rows + len(batch.frame)
        first = batch if count == 1 else None
        if len(batch.frame.columns) > most:
            raise DataError(
                "there are too many columns to look at each",
                place=batch.place,
                value=f"{len(batch.frame.columns):,} columns, at most {most:,} are looked at",
                mend="keep those that you need in a file of their own, or turn columns into rows",
            )
        if batch.untyped:
            fold.observe(batch.frame)
    if not rows:
        raise DataError(f"{source.url}: there is no row", mend="one row at least")
    kinds = fold.kinds()
    for batch in [first] if first is not None else reader.batches(ask):
        yield as_kinds(batch.frame, kinds) if batch.untyped else batch.frame
