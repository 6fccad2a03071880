"""CSV and its kin: a header, then as many fields in each row; every value is a text."""

from __future__ import annotations

import csv
import io
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from noria.core import DataError
from noria.sources.content import MOST_LINE, Lent, Pieces, given_back, text_of, unpacked
from noria.sources.formats import Given

if TYPE_CHECKING:
    import polars as pl

SEPARATORS = {".csv": ",", ".tsv": "\t"}
_BLOCK = 16 << 20
_LARGE_BLOCK = 2 * MOST_LINE
_HEADER = 16 << 20


def frames(given: Given) -> Iterator[pl.DataFrame]:
    """The rows of a file, as texts.

    Raises
    ------
    DataError
        A row has more or fewer fields than the header, which names a column twice, or a quote is never closed.
    """
    import polars as pl
    import pyarrow

    names, done, block = _names(given), 0, _BLOCK
    last: pl.DataFrame | None = None
    while True:
        ragged: list[Any] = []
        try:
            for frame in _blocks(given, names, block, ragged, done):
                done += len(frame)
                last = frame if len(frame) else last
                yield frame
            break
        except pyarrow.ArrowInvalid as error:
            if ragged:
                raise _ragged(given, ragged[0], names) from None
            if block == _LARGE_BLOCK:
                raise _unparsed(given, done, error) from None
            block = _LARGE_BLOCK  # a row may be longer than a block: once more from the start, in larger ones
    if last is None:
        yield pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    elif (last.item(-1, -1) or "").endswith("\n"):
        _refuse_open_quote(given, last, done)


def _separator(given: Given) -> str:
    return given.options.separator or SEPARATORS[given.kind]


def _quote(given: Given) -> str:
    return '"' if given.options.quote is None else given.options.quote


@contextmanager
def _text(given: Given) -> Iterator[Pieces]:
    """The text from the header on, with a line end at its end."""
    given.file.seek(0)
    with unpacked(given.source, given.place, given.file, given.size, given.packed) as (plain, _):
        text = text_of(given.source, given.place, plain, given.options.encoding or "")
        ahead, last = _without_lines(text, given.options.skip or 0), b"\n"

        def more(size: int) -> bytes:
            nonlocal ahead, last
            if ahead:
                found, ahead = (ahead, b"") if size < 0 else (ahead[:size], ahead[size:])
            else:
                found = text.read(size)
            if not found and last != b"\n":
                found = b"\n"
            last = found[-1:] or last
            return found

        yield Pieces(more)


def _without_lines(text: Pieces, lines: int) -> bytes:
    """What was read too far when some lines were skipped."""
    ahead = b""
    while lines:
        ahead = ahead or text.read(1 << 16)
        if not ahead:
            break
        end = ahead.find(b"\n")
        ahead, lines = (b"", lines) if end < 0 else (ahead[end + 1 :], lines - 1)
    return ahead


def _blocks(given: Given, names: list[str], block: int, ragged: list[Any], done: int) -> Iterator[pl.DataFrame]:
    import polars as pl
    import pyarrow
    from pyarrow import csv as arrow_csv

    def refuse(row: Any) -> str:
        ragged.append(row)
        return "error"

    with _text(given) as text:
        reader, lent = None, Lent(text)
        still_lent = weakref.ref(lent)
        file = pyarrow.PythonFile(lent, "r")
        del lent
        try:
            reader = arrow_csv.open_csv(
                file,
                read_options=arrow_csv.ReadOptions(
                    block_size=block, column_names=None if _has_header(given) else names
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=_separator(given),
                    quote_char=_quote(given) or False,
                    newlines_in_values=bool(_quote(given)),
                    invalid_row_handler=refuse,
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pyarrow.large_string()),
                    null_values=["", *given.source.null_values],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,
                ),
            )
            if reader.schema.names != names:
                raise pyarrow.ArrowInvalid(f"a header of {len(names)} and of {len(reader.schema)} columns")
            for batch in reader:
                if done >= batch.num_rows:
                    done -= batch.num_rows
                    continue
                yield pl.DataFrame(pl.from_arrow(batch.slice(done)))
                done = 0
        except Exception:
            if text.error is not None:
                raise text.error from None
            raise
        finally:
            text.end()
            del reader, file  # they hold what was lent, and so do their threads
            given_back(text, still_lent)


def _has_header(given: Given) -> bool:
    return given.options.header is None or given.options.header is True


def _names(given: Given) -> list[str]:
    """The names in the first line that is not empty, each once; or those that were said."""
    if isinstance(given.options.header, tuple):
        return list(given.options.header)
    with _text(given) as text:
        begin = text.read(_HEADER).decode(errors="ignore")
    try:
        names: list[str] = next((row for row in _rows(given, io.StringIO(begin, newline="")) if row), [])
    except csv.Error as error:
        raise DataError(
            f"source '{given.source.name}': the file cannot be parsed",
            place=f"{given.place}, header", value=str(error), mend="a header line",
        ) from None  # fmt: skip
    if given.options.header is False:
        return [f"column_{number}" for number in range(1, len(names) + 1)]
    return checked_names(given, names)


def checked_names(given: Given, names: list[str]) -> list[str]:
    """The names of a header, where there is each once, and none is empty."""
    place = f"{given.place}, line {(given.options.skip or 0) + 1}"
    if repeated := sorted(name for name, times in Counter(names).items() if times > 1):
        raise DataError(
            f"source '{given.source.name}': a column stands twice in the header",
            place=place,
            value=repeated[:5],
            mend="rename one of them",
        )
    if "" in names:
        raise DataError(
            f"source '{given.source.name}': a column has no name",
            place=place,
            value=f"column {names.index('') + 1} of {len(names)}",
            mend="give it one",
        )
    return names


def _rows(given: Given, text: Any) -> Iterator[list[str]]:
    quote = _quote(given)
    if quote:
        return csv.reader(text, delimiter=_separator(given), quotechar=quote)
    return csv.reader(text, delimiter=_separator(given), quoting=csv.QUOTE_NONE)


def _ragged(given: Given, row: Any, names: list[str]) -> DataError:
    """Which row it is, is only looked for once there is one: blocks are parsed without knowing what is before them."""
    number = 0
    with _text(given) as text:
        lines = io.TextIOWrapper(io.BufferedReader(_Raw(text)), encoding="utf-8", newline="")
        try:
            for fields in filter(None, _rows(given, lines)):
                number += 1
                if len(fields) != len(names):
                    break
        except csv.Error:
            number = 0
    number -= _has_header(given)
    return DataError(
        f"source '{given.source.name}': a row has {row.actual_columns} fields, the header has {row.expected_columns}",
        place=f"{given.place}, row {number}" if number > 0 else given.place,
        value=row.text,
        mend="is a quote, a separator or a line end too many or missing?",
    )


class _Raw(io.RawIOBase):
    """A text's pieces as Python's own kind of file."""

    def __init__(self, pieces: Pieces):
        self._pieces = pieces

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._pieces.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)


def _unparsed(given: Given, done: int, error: Exception) -> DataError:
    return DataError(
        f"source '{given.source.name}': the file cannot be parsed",
        place=f"{given.place}, after row {done}",
        value=str(error),
        mend="is a quote never closed there? nr.files(…, separator=…, quote=…) says how it is written",
    )


def _refuse_open_quote(given: Given, last: pl.DataFrame, done: int) -> None:
    """The last value ends with a line end: either it is in quotes, or the quote before it was never closed."""
    quote, count = _quote(given).encode(), 0
    if not quote:
        return
    with _text(given) as text:
        while chunk := text.read(1 << 20):
            count += chunk.count(quote)
    if count % 2:
        raise DataError(
            f"source '{given.source.name}': a quote is never closed",
            place=f"{given.place}, row {done}",
            value=str(last.item(-1, -1))[:60],
            mend='close it; a quote inside of quotes is written ""',
        )
