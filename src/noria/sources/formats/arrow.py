"""Arrow's IPC format, also known as Feather: files and streams of it, a record batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from noria.sources.content import seekable
from noria.sources.formats import Given
from noria.sources.formats.parquet import framed, parsing

if TYPE_CHECKING:
    import polars as pl

_MOST_ROWS = 1 << 18


def frames(given: Given) -> Iterator[pl.DataFrame]:
    """The rows of a file."""
    with seekable(given.source, given.place, given.file, given.size, given.packed) as (file, _), parsing(given):
        import pyarrow

        # A file of the format starts with its name; a stream of it does not.
        is_file = file.read(6) == b"ARROW1"
        file.seek(0)
        if not is_file:
            stream = pyarrow.ipc.open_stream(file)
            yield framed(stream.schema.empty_table())
            for batch in stream:
                yield from _sliced(batch)
            return
        reader = pyarrow.ipc.open_file(file)
        yield framed(reader.schema.empty_table())
        for number in range(reader.num_record_batches):
            yield from _sliced(reader.get_batch(number))


def _sliced(batch: object) -> Iterator[pl.DataFrame]:
    frame = framed(batch)
    for start in range(0, len(frame), _MOST_ROWS):
        yield frame.slice(start, _MOST_ROWS)
