"""The rows of a load on their way to the contract: shaped, numbered, and beside those that are there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from noria.contracts import rules_of
from noria.expressions import Kind, parse, polars_kinds, to_polars
from noria.ingest.corrections import Correction
from noria.ingest.evolution import Evolved
from noria.ingest.existing import newest_versions, not_outdated, with_repeated_keys, without_known
from noria.ingest.load import Layout, Load, again
from noria.ingest.prepare import prepared
from noria.ingest.shape import OURS, conformed
from noria.ingest.spool import Spool
from noria.sources import Batch

if TYPE_CHECKING:
    import polars as pl


def numbered(
    load: Load,
    raw: Spool,
    told: list[Batch],
    made: Mapping[Layout, Evolved],
    types: Mapping[str, pl.DataType],
    text_kinds: Mapping[str, Kind],
) -> Iterator[pl.DataFrame]:
    """Batches of one schema with ``_row``: numbers go on from those of the loads before and are never given twice."""
    import polars as pl

    number = load.before.rows if load.carries_on and load.before is not None else 0
    for batch in again(raw, told):
        frame = conformed(load.source, batch, text_kinds, made[tuple(batch.frame.columns)].renamed, types)
        yield frame.select(pl.int_range(number + 1, number + len(frame) + 1, dtype=pl.Int64).alias("_row"), pl.all())
        number += len(frame)
    load.last_row = number


def to_check(load: Load, frames: Iterator[pl.DataFrame], corrections: tuple[Correction, ...]) -> Iterator[pl.DataFrame]:
    """Rows with types and derived columns. Where rows are added to others, those that are known are left out.

    A load that goes on, or merges, is held in memory whole; one that replaces goes batch by batch.
    """
    import polars as pl

    ready = (prepared(load.source, frame, corrections) for frame in frames)
    if not load.merges and not load.carries_on:
        yield from ready
        return
    parts = list(ready)
    if parts:
        rows = pl.concat(parts, how="diagonal_relaxed")
        yield _merged(load, rows) if load.merges else _appended(load, rows)


def _appended(load: Load, rows: pl.DataFrame) -> pl.DataFrame:
    """New rows only, those that repeat a key with a reason."""
    there = len(rows)
    if load.again:
        rows = without_known(rows, load.known(rows), _compared(load, rows))
        load.counts.known += there - len(rows)
    key = load.source.contract.key
    if key:
        rows = with_repeated_keys(rows, load.known(rows, key), key, f"key ({', '.join(key)})")
    return rows


def _merged(load: Load, rows: pl.DataFrame) -> pl.DataFrame:
    """The newest version of each key, less what is known; rows that say that a key is gone go their own way."""
    key, how = load.source.contract.key, load.source.incremental
    assert how is not None
    there = len(rows)
    rows = newest_versions(rows, key, how.cursor)
    load.counts.superseded += there - len(rows)
    if load.carries_on:
        there = len(rows)
        known = load.known(rows)
        rows = without_known(rows, known, _compared(load, rows))
        load.counts.known += there - len(rows)
        there = len(rows)
        rows = not_outdated(rows, known, key, how.cursor)
        load.counts.superseded += there - len(rows)
    deleted = how.deleted
    if deleted is None:
        return rows
    kinds = polars_kinds(rows.schema)
    says = parse(deleted, place=f"{load.source.written_at}, Source '{load.source.name}', incremental.deleted")
    if says.kind(kinds) not in ("bool", "null"):
        raise load.source.refuse("what says that a key is gone is true or false", field="incremental", value=deleted)
    gone = rows.select(to_polars(says, kinds).fill_null(False).alias("gone"))["gone"]
    load.gone = rows.filter(gone)
    load.counts.deleted += len(load.gone)
    return rows.filter(~gone)


def _compared(load: Load, rows: pl.DataFrame) -> list[str]:
    """The columns in which a row that is there already is the same: all but those that Noria adds or rules mend."""
    mended = {rule.columns[0] for rule in rules_of(load.source.contract) if rule.on_fail == "fix"}
    return [name for name, dtype in rows.schema.items() if name not in OURS and name not in mended]
