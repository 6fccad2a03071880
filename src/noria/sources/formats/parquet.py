"""Parquet: typed columns, read some rows of a row group at a time. What is nested stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from noria.core import DataError, NoriaError
from noria.sources.content import seekable
from noria.sources.formats import Given

if TYPE_CHECKING:
    import polars as pl

_BATCH_BYTES = 64 << 20
_MOST_ROWS = 1 << 18


def frames(given: Given) -> Iterator[pl.DataFrame]:
    """The rows of a file."""
    with seekable(given.source, given.place, given.file, given.size, given.packed) as (file, _), parsing(given):
        from pyarrow import parquet

        reader = parquet.ParquetFile(file)
        about = reader.metadata
        size = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
        rows = max(1, min(_MOST_ROWS, _BATCH_BYTES * about.num_rows // max(size, 1)))
        yield framed(reader.schema_arrow.empty_table())
        for batch in reader.iter_batches(batch_size=rows):
            yield framed(batch)


def framed(rows: Any) -> pl.DataFrame:
    """Arrow's rows as a frame."""
    import polars as pl

    _ = rows.schema.names  # raises where one is no UTF-8
    return pl.DataFrame(pl.from_arrow(rows))


@contextmanager
def parsing(given: Given) -> Iterator[None]:
    """What a library says of a file that it cannot parse, as an error of the file."""
    import polars as pl
    import pyarrow

    try:
        yield
    except (GeneratorExit, KeyboardInterrupt, SystemExit, NoriaError):
        raise
    except BaseException as error:
        # What a parser does not catch in a broken file may be any error: of its own, of Python's, or a panic of what it
        # is written in, which is no Exception.
        ours = (pyarrow.ArrowException, pl.exceptions.PolarsError, OSError, ValueError, EOFError, LookupError,
                TypeError, OverflowError, MemoryError)  # fmt: skip
        if not isinstance(error, ours) and type(error).__name__ != "PanicException":
            raise
        raise DataError(
            f"source '{given.source.name}': the file cannot be parsed",
            place=given.place,
            value=(str(error).strip().splitlines() or [type(error).__name__])[0],
            mend=f"is it really {given.kind}? is it cut short?",
        ) from None
