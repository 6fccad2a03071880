"""The rows of a load on their way to the contract: shaped, numbered, and beside those that are there already."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from noria.contracts import rules_of
from noria.expressions import parse, polars_kinds, to_polars
from noria.ingest.by_key import by_key
from noria.ingest.corrections import Correction
from noria.ingest.evolution import Evolved
from noria.ingest.existing import newest_versions, not_outdated, with_repeated_keys, without_known
from noria.ingest.load import Gathered, Layout, Load
from noria.ingest.prepare import prepared
from noria.ingest.shape import OURS, conformed, together

if TYPE_CHECKING:
    import polars as pl


def numbered(
    load: Load, batches: Gathered, made: Mapping[Layout, Evolved], types: Mapping[str, pl.DataType]
) -> Iterator[pl.DataFrame]:
    """Batches of one schema with ``_row``: numbers go on from those of the loads before and are never given twice."""
    import polars as pl

    number = load.before.rows if load.carries_on and load.before is not None else 0
    text_kinds, sure = batches.layouts.text_kinds, batches.rest is None
    for batch in batches:
        frame = conformed(load.source, batch, text_kinds, made[tuple(batch.frame.columns)].renamed, types, sure=sure)
        yield frame.select(pl.int_range(number + 1, number + len(frame) + 1, dtype=pl.Int64).alias("_row"), pl.all())
        if len(frame):
            load.places.append((batch.place, number + 1, number + len(frame), batch.again))
        number += len(frame)
    load.last_row = number


def to_check(load: Load, frames: Iterator[pl.DataFrame], corrections: tuple[Correction, ...]) -> Iterator[pl.DataFrame]:
    """Rows with types and derived columns. Where rows are added to others, those that are known are left out."""
    ready = (prepared(load.source, frame, corrections) for frame in frames)
    if not load.merges and not load.carries_on:
        return ready
    judge = functools.partial(_merged if load.merges else _appended, load)
    return by_key(load.ctx.scratch / "new", ready, load.source.contract.key, judge)


def _appended(load: Load, rows: pl.DataFrame) -> pl.DataFrame:
    """New rows only, those that repeat a key with a reason."""
    there, key = len(rows), load.source.contract.key
    if load.again:
        rows = _without_known_of_places(load, rows) if load.by_place else _without_known(load, rows, key)
        load.counts.known += there - len(rows)
    if key and len(rows):
        known = [load.known(rows, key, key, aside=aside) for aside in (False, True)]
        rows = with_repeated_keys(rows, together(known), key, f"key ({', '.join(key)})")
    return rows


def _without_known(load: Load, rows: pl.DataFrame, on: Sequence[str]) -> pl.DataFrame:
    columns = _compared(load, rows)
    known = [load.known(rows, on, columns, aside=aside) for aside in (False, True)]
    return without_known(rows, together(known), columns)


def _without_known_of_places(load: Load, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of places that were read before, such as a file that was written anew, less those that they had then.

    What another place has that is the same is another row.
    """
    import polars as pl

    columns, before = _compared(load, rows), load.before
    assert before is not None
    known = together([load.known(rows, (), ["_row", *columns], aside=aside) for aside in (False, True)])
    parts = [rows.filter(~_within(load.again_ranges))]
    for place in dict.fromkeys(place for place, _, _, again in load.places if again):
        mine = rows.filter(_within([(first, last) for one, first, last, _ in load.places if one == place]))
        then = known.filter(_within(before.places.get(place, [])))
        parts.append(without_known(mine, then.drop("_row"), columns))
    return pl.concat(parts).sort("_row")


def _within(ranges: Iterable[Sequence[int]]) -> pl.Expr:
    import polars as pl

    return pl.any_horizontal([pl.lit(False), *(pl.col("_row").is_between(first, last) for first, last in ranges)])


def _merged(load: Load, rows: pl.DataFrame) -> pl.DataFrame:
    """The newest version of each key, less what is known; rows that say that a key is gone go their own way."""
    key, how = load.source.contract.key, load.source.incremental
    assert how is not None
    there = len(rows)
    rows = newest_versions(rows, key, how.cursor)
    load.counts.superseded += there - len(rows)
    if load.carries_on:
        rows = _newer(load, rows, key, how.cursor)
    deleted = how.deleted
    if deleted is None:
        return rows
    kinds = polars_kinds(rows.schema)
    says = parse(deleted, place=f"{load.source.written_at}, Source '{load.source.name}', incremental.deleted")
    if says.kind(kinds) not in ("bool", "null"):
        raise load.source.refuse("what says that a key is gone is true or false", field="incremental", value=deleted)
    gone = rows.select(to_polars(says, kinds).fill_null(False).alias("gone"))["gone"]
    load.gone = _with(load.gone, rows.filter(gone))
    load.counts.deleted += int(gone.sum())
    return rows.filter(~gone)


def _newer(load: Load, rows: pl.DataFrame, key: Sequence[str], cursor: str | None) -> pl.DataFrame:
    """Rows that say something new of their key."""
    columns, there = _compared(load, rows), len(rows)
    kept, aside = (load.known(rows, key, columns, aside=aside) for aside in (False, True))
    left = without_known(rows, kept, columns)
    if cursor is None:  # what comes last is how it is now: that it came again, too
        same = rows.join(left.select("_row"), on="_row", how="anti").select(key)
        retired = same.join(aside.select(key), on=list(key), how="semi")
        load.retired = _with(load.retired, retired)
    rows = without_known(left, aside, columns)
    load.counts.known += there - len(rows)
    there = len(rows)
    rows = not_outdated(rows, together([kept, aside]), key, cursor)
    load.counts.superseded += there - len(rows)
    return rows


def _with(before: pl.DataFrame | None, more: pl.DataFrame) -> pl.DataFrame | None:
    """What parts of a load found, together; None where there is no row."""
    return together(frame for frame in (before, more) if frame is not None) if len(more) else before


def _compared(load: Load, rows: pl.DataFrame) -> list[str]:
    """The columns in which a row that is there already is the same: all but those that Noria adds or rules mend."""
    mended = {rule.columns[0] for rule in rules_of(load.source.contract) if rule.on_fail == "fix"}
    return [name for name, dtype in rows.schema.items() if name not in OURS and name not in mended]
