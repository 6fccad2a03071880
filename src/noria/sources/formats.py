"""The formats: bytes of one file to rows. Texts without types come as texts, for `noria.sources.kinds` to look at."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from noria.core import DataError
from noria.declarations import Source

if TYPE_CHECKING:
    import polars as pl

SEPARATORS = {".csv": ",", ".tsv": "\t"}
_MOST_BLOCK = 1 << 30


def rows_of(source: Source, place: str, kind: str, data: bytearray) -> pl.DataFrame:
    """The rows of a file.

    Raises
    ------
    DataError
        It is not what its name says; rows have more or fewer fields than the header; the header names a column twice.
    """
    import polars as pl

    if kind in SEPARATORS:
        return _delimited(source, place, SEPARATORS[kind], data)
    try:
        if kind == ".parquet":
            return pl.read_parquet(io.BytesIO(data))
        if kind in (".arrow", ".feather"):
            # A file of the IPC format starts with its name; a stream of it does not.
            read: Any = pl.read_ipc if data.startswith(b"ARROW1") else pl.read_ipc_stream
            return read(io.BytesIO(data))  # type: ignore[no-any-return]
        return pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        line, why = _wrong_line(data) if kind in (".jsonl", ".ndjson") else (0, "")
        raise DataError(
            f"source '{source.name}': the file cannot be parsed",
            place=f"{place}, line {line}" if line else place,
            value=why or str(error).strip().splitlines()[0],
            mend="one JSON object a line" if line else f"is it really {kind}? is it cut short?",
        ) from None


def _wrong_line(data: bytearray) -> tuple[int, str]:
    """The first line that is no JSON object, and why; only looked for once parsing has failed."""
    for number, line in enumerate(data.splitlines(), 1):
        try:
            if line.strip() and not isinstance(json.loads(line, parse_constant=_no_constant), dict):
                return number, "not an object: " + line[:60].decode()
        except (ValueError, RecursionError) as error:
            return number, f"{error}: {line[:60].decode(errors='replace')}"
    return 0, ""


def _no_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def _delimited(source: Source, place: str, separator: str, data: bytearray) -> pl.DataFrame:
    import polars as pl
    import pyarrow
    from pyarrow import csv as arrow_csv

    names = _header(source, place, separator, data)
    if not data.endswith(b"\n"):
        data += b"\n"
    ragged: list[Any] = []

    def refuse(row: Any) -> str:
        ragged.append(row)
        return "error"

    try:
        # Of one thread and one block: only so does a wrong row know its number.
        table = arrow_csv.read_csv(
            pyarrow.py_buffer(data),
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=min(len(data) + 1, _MOST_BLOCK)),
            parse_options=arrow_csv.ParseOptions(
                delimiter=separator, newlines_in_values=True, invalid_row_handler=refuse
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pyarrow.large_string()),
                null_values=["", *source.null_values],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except pyarrow.ArrowInvalid as error:
        if not ragged:
            raise DataError(
                f"source '{source.name}': the file cannot be parsed", place=place, value=str(error)
            ) from None
        row = ragged[0]
        raise DataError(
            f"source '{source.name}': a row has {row.actual_columns} fields, the header has {row.expected_columns}",
            place=f"{place}, row {row.number - 1}",
            value=row.text,
            mend="is a quote, a separator or a line end too many or missing?",
        ) from None
    frame = pl.DataFrame(table)
    if data.count(b'"') % 2 and len(frame) and (frame.item(-1, -1) or "").endswith("\n"):
        raise DataError(
            f"source '{source.name}': a quote is never closed",
            place=f"{place}, row {len(frame)}",
            value=str(frame.item(-1, -1))[:60],
            mend='close it; a quote inside of quotes is written ""',
        )
    return frame


def _header(source: Source, place: str, separator: str, data: bytearray) -> list[str]:
    """The names in the first line that is not empty, each once."""
    names: list[str] = next(
        (row for row in csv.reader(io.StringIO(_first_lines(data)), delimiter=separator) if row), []
    )
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(
            f"source '{source.name}': a column stands twice in the header",
            place=f"{place}, line 1",
            value=repeated,
            mend="rename one of them",
        )
    if "" in names:
        raise DataError(
            f"source '{source.name}': a column has no name",
            place=f"{place}, line 1",
            value=f"column {names.index('') + 1} of {len(names)}",
            mend="give it one",
        )
    return names


def _first_lines(data: bytearray) -> str:
    """Enough of the file to hold its header: names may have line ends in quotes."""
    return data[: 1 << 20].decode(errors="ignore")
