"""Excel and OpenDocument sheets: cells as texts, dates in ISO 8601. A workbook is held in memory."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO

from noria.core import DataError, require
from noria.sources.content import MOST_RATIO, seekable, size_text
from noria.sources.formats import Given
from noria.sources.formats.delimited import checked_names
from noria.sources.formats.parquet import parsing

if TYPE_CHECKING:
    import polars as pl

_ROWS = 50_000
MOST_BYTES = 1 << 30
"""The largest workbook, unpacked."""


def frames(given: Given) -> Iterator[pl.DataFrame]:
    """The rows of a sheet in which something stands.

    Raises
    ------
    DataError
        The workbook has several sheets, and nobody said which; it has no such sheet; it is too large.
    """
    import polars as pl

    calamine = require("python_calamine", extra="excel")
    with seekable(given.source, given.place, given.file, given.size, given.packed) as (file, _), parsing(given):
        _refuse_broken(given, file)
        try:
            with calamine.CalamineWorkbook.from_filelike(io.BytesIO(file.read())) as book:
                sheet = book.get_sheet_by_name(_sheet(given, book.sheet_names))
                cells = itertools.islice(sheet.iter_rows(), given.options.skip or 0, None)
                rows = (row for row in cells if any(map(_stands, row)))
                names = _names(given, rows, sheet.width)
                if len(names) != sheet.width:
                    raise ValueError(f"the sheet has {sheet.width} columns, {len(names)} were named")
                yield pl.DataFrame(schema=dict.fromkeys(names, pl.String))
                null = {"", *given.source.null_values}
                while some := list(itertools.islice(rows, _ROWS)):
                    columns = zip(*some, strict=True)
                    texts = ([None if (text := _text(one)) in null else text for one in column] for column in columns)
                    yield pl.DataFrame(dict(zip(names, texts, strict=True)), schema=dict.fromkeys(names, pl.String))
        except calamine.CalamineError as error:
            raise ValueError(str(error)) from None


def _stands(cell: Any) -> bool:
    return cell is not None and cell != ""


def _text(cell: Any) -> str:
    """A cell as a text: whole numbers without a point, times in ISO 8601, a span in hours."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**63 else repr(cell)
    if isinstance(cell, timedelta):
        minutes, seconds = divmod(cell.total_seconds(), 60)
        return f"{int(minutes // 60)}:{int(minutes % 60):02}:{seconds:02g}"
    return "" if cell is None else str(cell)


def _sheet(given: Given, names: list[str]) -> str:
    wanted = given.options.sheet
    if wanted is None and len(names) > 1:
        raise DataError(
            f"source '{given.source.name}': the workbook has {len(names)} sheets",
            place=given.place, value=", ".join(names[:10]), mend=f"say which: nr.files(…, sheet={names[0]!r})",
        )  # fmt: skip
    if wanted is None and names:
        return names[0]
    if isinstance(wanted, int) and 1 <= wanted <= len(names):
        return names[wanted - 1]
    if wanted not in names:
        raise DataError(
            f"source '{given.source.name}': the workbook has no such sheet",
            place=given.place, value=wanted, mend="one of " + ", ".join(names[:10]),
        )  # fmt: skip
    return str(wanted)


def _names(given: Given, rows: Iterator[list[Any]], width: int) -> list[str]:
    """The names of the columns: the first row, or those that were said."""
    header = given.options.header
    if isinstance(header, tuple):
        return list(header)
    if header is False:
        return [f"column_{number}" for number in range(1, width + 1)]
    first = next(rows, None)
    if first is None:
        raise DataError(f"source '{given.source.name}': the sheet is empty", place=given.place, mend="a header row")
    return checked_names(given, [_text(cell) for cell in first])


def _refuse_broken(given: Given, file: BinaryIO) -> None:
    """Most workbooks are archives, of which the parser unpacks what it likes and checks nothing."""
    if file.seek(0, 2) > MOST_BYTES:
        raise _too_large(given, file.tell(), "as it is")
    if zipfile.is_zipfile(file):
        file.seek(0)
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            size, packed = sum(one.file_size for one in members), sum(one.compress_size for one in members)
            if size > MOST_BYTES or size > max(packed * MOST_RATIO, 16 << 20):
                raise _too_large(given, size, f"{size_text(packed)} packed")
            if broken := archive.testzip():
                raise ValueError(f"{broken} is broken")
    file.seek(0)


def _too_large(given: Given, size: int, value: str) -> DataError:
    return DataError(
        f"source '{given.source.name}': the workbook is too large: {size_text(size)}",
        place=given.place, value=value, mend="save it as CSV if that is right",
    )  # fmt: skip
