"""The formats: one file to frames of rows, a bounded number at a time. One is a module and its lines in `FORMATS`.

Texts without types come as texts, for `noria.sources.kinds` to look at.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO

from noria.core import DataError
from noria.declarations import Source
from noria.sources.content import PACKED

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is read where its name does not say; None: as is usual.

    Attributes
    ----------
    separator, quote, encoding, sheet, header, skip
        See `noria.files`.
    """

    separator: str | None = None
    quote: str | None = None
    encoding: str | None = None
    sheet: str | int | None = None
    header: bool | tuple[str, ...] | None = None
    skip: int | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """One file to read.

    Attributes
    ----------
    source : Source
        Whose it is.
    place : str
        Its path or URL, for errors.
    kind : str
        Its format, such as ``".csv"``.
    packed : str
        How it is packed, such as ``".gz"``, or ``""``.
    file : binary file
        The file itself, packed as it is; seekable, at its beginning.
    size : int
        Its length in bytes.
    options : Options
        What was said about it.
    """

    source: Source
    place: str
    kind: str
    packed: str
    file: BinaryIO
    size: int
    options: Options


@dataclass(frozen=True, slots=True)
class Format:
    """What is known of a format without importing what reads it; see `noria.sources.Batch` for the last two."""

    module: str
    options: frozenset[str]
    untyped: bool
    sparse: bool = False

    def frames(self, given: Given) -> Generator[pl.DataFrame]:
        """The rows of a file; at least one frame, which says the columns."""
        read: Callable[[Given], Generator[pl.DataFrame]] = importlib.import_module(self.module).frames
        return read(given)


_DELIMITED = Format(
    "noria.sources.formats.delimited",
    frozenset({"separator", "quote", "encoding", "header", "skip", "null_values"}),
    untyped=True,
)
_JSON = Format("noria.sources.formats.json_lines", frozenset({"encoding"}), untyped=True, sparse=True)
_ARROW = Format("noria.sources.formats.arrow", frozenset(), untyped=False)
_EXCEL = Format("noria.sources.formats.excel", frozenset({"sheet", "header", "skip", "null_values"}), untyped=True)

FORMATS = {
    ".csv": _DELIMITED,
    ".tsv": _DELIMITED,
    ".jsonl": _JSON,
    ".ndjson": _JSON,
    ".parquet": Format("noria.sources.formats.parquet", frozenset(), untyped=False),
    ".arrow": _ARROW,
    ".feather": _ARROW,
    ".avro": Format("noria.sources.formats.avro", frozenset(), untyped=False),
    ".xlsx": _EXCEL,
    ".xlsm": _EXCEL,
    ".xlsb": _EXCEL,
    ".xls": _EXCEL,
    ".ods": _EXCEL,
}
"""Of each ending of a name what reads it."""


def known_format(source: Source, place: str, kind: str) -> str:
    """The format, where it is one that can be read."""
    if kind not in FORMATS:
        raise DataError(
            f"source '{source.name}': unknown format",
            place=place,
            value=kind or PurePath(place).name,
            mend="one of " + ", ".join(FORMATS) + ", plain or " + ", ".join(PACKED) + "; or say format=…",
        )
    return kind
