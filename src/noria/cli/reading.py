"""Reading a table that no project declares yet: its batches, typed, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import polars as pl

    from noria.declarations import Source
    from noria.sources import Batch

_MOST_WORDS = 5

Separator = Annotated[
    str | None,
    typer.Option("--separator", help="What stands between the columns of a CSV file: ';', or '\\t' for a tab."),
]


def source_of(place: str, name: str | None = None, *, separator: str | None = None) -> Source:
    """A source that reads a file, a glob or a URL, named after it."""
    from noria.declarations import Source
    from noria.sources import files

    source = Source(name or name_of(place), place if separator is None else files(place, separator=tab(separator)))
    source._where = "the command line"  # no file of the user's declares it
    return source


def tab(separator: str) -> str:
    """A separator as it was meant: a shell has no simple way to write a tab."""
    return "\t" if separator == "\\t" else separator


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
    guessed = isinstance(source.origin, str)
    fold, first, count, rows = KindsFold(), None, 0, 0
    for batch in _told(reader.batches(ask)) if guessed else reader.batches(ask):
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


def words_for_nothing(source: Source, base: Path, sample: pl.DataFrame) -> dict[str, list[str]]:
    """Of columns of texts without types that are numbers but for a few words, such as ``?``, these words.

    Where a format says itself what is null, there are none.

    Parameters
    ----------
    source, base
        As for `typed_batches`.
    sample : DataFrame
        Some rows: only columns of texts that are mostly numbers in these are looked at in all rows.
    """
    from noria.sources import Ask, connector, words_among_numbers

    texts = [name for name, dtype in sample.schema.items() if str(dtype) == "String"]
    found = {name: words for name in texts if (words := words_among_numbers(sample[name], most=_MOST_WORDS))}
    for batch in connector(source).batches(Ask(source, base)) if found else ():
        if not batch.untyped or batch.sparse:
            return {}
        for name in found.keys() & set(batch.frame.columns):
            more = words_among_numbers(batch.frame[name], most=_MOST_WORDS, share=1.0)
            found[name] |= more or set()
            if more is None or len(found[name]) > _MOST_WORDS:
                del found[name]
    return {name: sorted(words) for name, words in found.items()}


def _told(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Batches of texts that were read as if commas parted them; another separator is named in the error."""
    from noria.core import DataError

    try:
        for batch in batches:
            [first, *others] = batch.frame.columns or [""]
            if batch.untyped and not others and (found := _separator_in(first)):
                said = "there is one column alone, and a separator in its name"
                raise DataError(said, place=batch.place, value=first, mend=_say(found))
            yield batch
    except DataError as error:
        if "separator" in (error.mend or "") and (found := _separator_in(str(error.value))):
            error.mend = _say(found)
        raise


def _separator_in(text: str) -> str:
    return next((one for one in ";\t|" if one in text), "")


def _say(separator: str) -> str:
    shown = "\\t" if separator == "\t" else separator
    return f"is this what parts the columns? --separator '{shown}' (a comma: --separator ',')"
