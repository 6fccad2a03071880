"""Excel and OpenDocument sheets: cells as texts, dates in ISO 8601. A workbook is held in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from noria.core import DataError, require
from noria.sources.content import MOST_RATIO, seekable, size_text
from noria.sources.formats import Given
from noria.sources.formats.delimited import checked_names
from noria.sources.formats.parquet import parsing

if TYPE_CHECKING:
    import polars as pl

MOST_BYTES = 1 << 30
"""The largest workbook, unpacked."""


def frames(given: Given) -> Iterator[pl.DataFrame]:
    """The rows of a sheet.

    Raises
    ------
    DataError
        The workbook has several sheets, and nobody said which; it has no such sheet; it is too large.
    """
    import polars as pl

    fastexcel = require("fastexcel", extra="excel")
    with seekable(given.source, given.place, given.file, given.size, given.packed) as (file, _), parsing(given):
        _refuse_bomb(given, file)
        try:
            book = fastexcel.read_excel(file.read())
            sheet = _sheet(given, book)
            skip = given.options.skip or 0
            cells = book.load_sheet(sheet, header_row=None, skip_rows=skip, dtypes="string").to_polars()
        except fastexcel.FastExcelError as error:
            raise ValueError(str(error)) from None
        except BaseException as error:
            # A panic of the parser below is no Exception.
            if type(error).__name__ != "PanicException":
                raise
            raise ValueError(str(error)) from None
        frame = _with_names(given, cells)
        null = ["", *given.source.null_values]
        yield frame.with_columns(pl.when(~pl.all().is_in(null)).then(pl.all()))


def _sheet(given: Given, book: Any) -> str:
    names: list[str] = book.sheet_names
    wanted = given.options.sheet
    if wanted is None and len(names) > 1:
        raise DataError(
            f"source '{given.source.name}': the workbook has {len(names)} sheets",
            place=given.place, value=", ".join(names[:10]), mend=f"say which: nr.files(…, sheet={names[0]!r})",
        )  # fmt: skip
    if isinstance(wanted, int) and 1 <= wanted <= len(names):
        return names[wanted - 1]
    if wanted is None and names:
        return names[0]
    if wanted not in names:
        raise DataError(
            f"source '{given.source.name}': the workbook has no such sheet",
            place=given.place, value=wanted, mend="one of " + ", ".join(names[:10]),
        )  # fmt: skip
    return str(wanted)


def _with_names(given: Given, cells: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    header = given.options.header
    if isinstance(header, tuple):
        if len(header) != cells.width:
            raise DataError(
                f"source '{given.source.name}': the sheet has {cells.width} columns, {len(header)} were named",
                place=given.place, mend="name each of them",
            )  # fmt: skip
        return cells.rename(dict(zip(cells.columns, header, strict=True)))
    if header is False:
        return cells.rename({name: f"column_{number}" for number, name in enumerate(cells.columns, 1)})
    if cells.is_empty():
        raise DataError(f"source '{given.source.name}': the sheet is empty", place=given.place, mend="a header row")
    names = checked_names(given, ["" if name is None else str(name) for name in cells.row(0)])
    return cells.slice(1).rename(dict(zip(cells.columns, names, strict=True))).cast(pl.String)


def _refuse_bomb(given: Given, file: BinaryIO) -> None:
    """Most workbooks are archives, of which the parser unpacks what it likes."""
    if zipfile.is_zipfile(file):
        file.seek(0)
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
        size, packed = sum(one.file_size for one in members), sum(one.compress_size for one in members)
        if size > MOST_BYTES or size > max(packed * MOST_RATIO, 16 << 20):
            raise DataError(
                f"source '{given.source.name}': the workbook unpacks to {size_text(size)}",
                place=given.place, value=f"{size_text(packed)} packed", mend="save it as CSV if that is right",
            )  # fmt: skip
    file.seek(0, 2)
    if file.tell() > MOST_BYTES:
        raise DataError(
            f"source '{given.source.name}': the workbook is larger than {size_text(MOST_BYTES)}",
            place=given.place, mend="save it as CSV",
        )  # fmt: skip
    file.seek(0)
