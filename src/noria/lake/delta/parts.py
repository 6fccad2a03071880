"""Parts: the Parquet files that a write makes. They are no part of the table before a commit names them."""

from __future__ import annotations

import contextlib
import json
import math
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from noria.lake.delta.errors import unwritable
from noria.lake.delta.places import Place

if TYPE_CHECKING:
    import polars as pl

PART_BYTES = 128 << 20
"""What a part may take in memory; three of them are held at most: one that is gathered, one written, one on its way."""

_COLUMNS_WITH_BOUNDS = 32
_LONGEST_BOUND = 64


@dataclass(frozen=True, slots=True)
class Part:
    """A file that was written.

    Attributes
    ----------
    path : str
        Its name in the table's folder.
    size : int
        Bytes.
    rows : int
        Rows.
    stats : str
        Counts and bounds of columns as Delta's log keeps them.
    at : int
        When it was written, in milliseconds since 1970.
    """

    path: str
    size: int
    rows: int
    stats: str
    at: int


def write_parts(place: Place, table: str, frames: Iterable[pl.DataFrame]) -> list[Part]:
    """Write frames as parts, in their order; one is written while the next is gathered.

    An error on either side, the iterator's own too, removes what was written and is raised as it is.
    """
    parts: list[Part] = []
    pending: Future[Part] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="noria-lake") as pool:
        try:
            for frame in _gathered(frames):
                if pending is not None:
                    parts.append(pending.result())
                pending = pool.submit(_write, place, table, frame)
            if pending is not None:
                parts.append(pending.result())
        except BaseException:
            with contextlib.suppress(Exception):
                if pending is not None:
                    parts.append(pending.result())
            remove_parts(place, table, parts)
            raise
    return parts


def remove_parts(place: Place, table: str, parts: Iterable[Part]) -> None:
    """Take away what no commit names; what cannot be removed is left to a vacuum."""
    for part in parts:
        with contextlib.suppress(Exception):
            place.remove(f"{table}/{part.path}")


def _gathered(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Frames of the same columns, put together until they have a part's size; no empty ones."""
    import polars as pl

    held: list[pl.DataFrame] = []
    size = 0
    for frame in frames:
        if held and frame.schema != held[0].schema:
            yield pl.concat(held)
            held, size = [], 0
        for piece in _pieces(frame):
            held.append(piece)
            size += int(piece.estimated_size())
            if size >= PART_BYTES:
                yield pl.concat(held)
                held, size = [], 0
    if held:
        yield pl.concat(held)


def _pieces(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """A frame in slices of about a part's size."""
    if not frame.height:
        return
    count = max(1, math.ceil(frame.estimated_size() / (PART_BYTES * 1.5)))
    yield from frame.iter_slices(math.ceil(frame.height / count))


def _write(place: Place, table: str, frame: pl.DataFrame) -> Part:
    import polars as pl

    path = f"part-{uuid.uuid4()}.zstd.parquet"
    try:
        size = place.put(f"{table}/{path}", frame)
    except (OSError, pl.exceptions.PolarsError) as error:
        with contextlib.suppress(Exception):
            place.remove(f"{table}/{path}")
        raise unwritable(f"{place.root}/{table}", error) from None
    return Part(path, size, frame.height, _stats(frame), time.time_ns() // 1_000_000)


def _stats(frame: pl.DataFrame) -> str:
    """Rows, and of the first columns nulls, minimum and maximum, where a bound can be said exactly."""
    import polars as pl

    names = frame.columns[:_COLUMNS_WITH_BOUNDS]
    nulls = frame.select(pl.col(names).null_count()).row(0, named=True) if names else {}
    bounded = [name for name in names if _has_bounds(frame.schema[name]) and nulls[name] < frame.height]
    low = frame.select(pl.col(bounded).min()).row(0, named=True) if bounded else {}
    high = frame.select(pl.col(bounded).max()).row(0, named=True) if bounded else {}
    floats = [name for name in bounded if frame.schema[name].is_float()]
    odd = frame.select(pl.col(floats).is_nan().any()).row(0, named=True) if floats else {}
    told = {name: (_bound(low[name]), _bound(high[name])) for name in bounded if not odd.get(name)}
    said = {name: bounds for name, bounds in told.items() if None not in bounds}
    return json.dumps(
        {
            "numRecords": frame.height,
            "minValues": {name: bounds[0] for name, bounds in said.items()},
            "maxValues": {name: bounds[1] for name, bounds in said.items()},
            "nullCount": nulls,
        },
        ensure_ascii=False,
        allow_nan=False,
    )


def _has_bounds(dtype: pl.DataType) -> bool:
    import polars as pl

    return dtype.is_integer() or dtype.is_float() or dtype in (pl.String, pl.Date, pl.Datetime)


def _bound(value: Any) -> Any:
    """A bound as the log says it; None where it cannot: it is infinite, zero (of which there are two), or long."""
    if isinstance(value, float):
        return value if math.isfinite(value) and value != 0 else None
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if value.year >= 1000 else None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_BOUND and "\0" not in value else None
    return value
