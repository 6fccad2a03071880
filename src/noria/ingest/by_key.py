"""Rows by keys: what is asked of all rows of a key at once is asked of parts, each with all rows of some keys."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from noria.ingest.shape import together
from noria.ingest.spool import Spool

if TYPE_CHECKING:
    import polars as pl

MOST_AT_ONCE = 512 << 20
"""Bytes of rows that are judged at once."""

PARTS = 64
"""Of how many parts some are judged at once: one of them, if it is large, is the least that memory holds."""


def by_key(
    folder: Path, frames: Iterator[pl.DataFrame], key: Sequence[str], judge: Callable[[pl.DataFrame], pl.DataFrame]
) -> Iterator[pl.DataFrame]:
    """The rows that `judge` leaves of all of them, in the order of ``_row``, with the reasons that it gives.

    What memory should not hold goes to files, in parts by a hash of the key, and `judge` sees some parts at a time. Of
    every other row no more than its number and reasons is held. Without a key `judge` sees all rows at once.

    Parameters
    ----------
    folder : Path
        Where files go.
    frames : iterator of DataFrame
        Rows with ``_row``, which grows.
    key : sequence of str
        Columns by which `judge` compares rows.
    judge : callable
        Gives some of the rows that it is given, perhaps with other ``_reasons``.
    """
    held: list[pl.DataFrame] = []
    size = 0
    for frame in frames:
        held.append(frame)
        size += int(frame.estimated_size())
        if key and size > MOST_AT_ONCE:
            yield from _in_parts(folder, _chunks(itertools.chain(_handed_on(held), frames)), key, judge)
            return
    if held:
        yield judge(together(held))


def _in_parts(
    folder: Path, chunks: Iterator[pl.DataFrame], key: Sequence[str], judge: Callable[[pl.DataFrame], pl.DataFrame]
) -> Iterator[pl.DataFrame]:
    """Every chunk has one piece in each part, so that the pieces of a chunk can be put together again."""
    import polars as pl

    parts = [Spool(folder / str(number), most=0) for number in range(PARTS)]
    for chunk in chunks:
        part = chunk.select(key).hash_rows() % PARTS
        for number, spool in enumerate(parts):
            spool.add(chunk.filter(part == number))
    left = (_left(judge(together(itertools.chain(*group)))) for group in _groups(parts))
    numbers = together(left).sort("_row")
    for pieces in zip(*parts, strict=True):
        rows = together(pieces).sort("_row").drop("_reasons", strict=False)
        these = numbers.filter(pl.col("_row").is_between(rows["_row"].min(), rows["_row"].max()))
        yield rows.join(these, on="_row", how="inner", maintain_order="left")
    for spool in parts:
        spool.clear()


def _left(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(name for name in ("_row", "_reasons") if name in rows.columns)


def _groups(parts: Sequence[Spool]) -> Iterator[list[Spool]]:
    """Parts that are judged together: as many as are small enough, one at least."""
    group: list[Spool] = []
    size = 0
    for part in parts:
        if group and size + part.bytes > MOST_AT_ONCE:
            yield group
            group, size = [], 0
        group.append(part)
        size += part.bytes
    yield group


def _chunks(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Frames put together until their pieces are worth files of their own; none is empty."""
    held: list[pl.DataFrame] = []
    size = 0
    for frame in frames:
        held.append(frame)
        size += int(frame.estimated_size())
        if size > MOST_AT_ONCE // 4:
            yield together(held)
            held, size = [], 0
    if sum(map(len, held)):
        yield together(held)


def _handed_on(frames: list[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The frames, which are let go of one by one."""
    frames.reverse()
    while frames:
        yield frames.pop()
