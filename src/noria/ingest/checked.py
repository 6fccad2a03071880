"""The second pass of a load: rows meet the contract, what holds and what does not wait apart."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noria.contracts import Checker, Verdict, type_reason
from noria.core import DataError
from noria.expressions import polars_kinds
from noria.ingest.late import Lateness
from noria.ingest.load import Load
from noria.ingest.sketch import Sketch, Sketcher
from noria.ingest.spool import Spool

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Found:
    """What a contract left of a load's rows."""

    kept: Spool
    aside: Spool
    verdicts: tuple[Verdict, ...]
    memory: Mapping[str, Any]
    sketches: Mapping[str, Sketch]
    late: Lateness
    null_event_time: int


def checked(
    load: Load,
    frames: Iterator[pl.DataFrame],
    references: Mapping[str, pl.DataFrame],
    columns: list[str],
) -> Found:
    """Check the rows of a load.

    Parameters
    ----------
    load : Load
        Whose rows they are; its counts are settled.
    frames : iterator of DataFrame
        Prepared rows, of one schema.
    references : mapping of str to DataFrame
        Tables that rules refer to.
    columns : list of str
        Those that came from the source, which are sketched.
    """
    source, before = load.source, load.before if load.carries_on else None
    kept, aside, waiting = (Spool(load.ctx.scratch / name) for name in ("kept", "aside", "prepared"))
    late = Lateness(source, before.newest if before is not None else None, load.ctx.clock.micros())
    sketcher = Sketcher()
    first = next(frames, None)
    if first is None:
        return Found(kept, aside, (), {}, {}, late, 0)
    checker = _checker(load, first, references)

    def split(frame: pl.DataFrame) -> None:
        parts = checker.split(frame)
        kept.add(parts.kept)
        if len(parts.quarantined):
            aside.add(parts.quarantined)
        load.counts.dropped += parts.dropped

    for frame in itertools.chain([first], frames):
        frame = late.observe(frame)
        sketcher.observe(frame.select(name for name in columns if name in frame.columns))
        checker.observe(frame)
        if checker.streams:
            split(frame)
        else:
            waiting.add(frame)
    for frame in waiting:
        split(frame)
    waiting.clear()
    verdicts = checker.verdicts()
    nulls = sum(frame[source.event_time].null_count() for frame in kept) if source.event_time is not None else 0
    load.counts.kept += kept.rows
    load.counts.quarantined += aside.rows
    return Found(kept, aside, verdicts, checker.memory(), sketcher.sketches(), late, nulls)


def _checker(load: Load, first: pl.DataFrame, references: Mapping[str, pl.DataFrame]) -> Checker:
    contract = load.source.contract.replace(rows=None) if load.carries_on else load.source.contract
    memory = load.before.memory if load.before is not None and not load.rechecks else None
    kinds = polars_kinds(first.drop("_reasons", strict=False).schema)
    return Checker(contract, kinds, references, place_of(load), memory=memory, now=load.ctx.clock.now())


def place_of(load: Load) -> str:
    """The source, for errors."""
    return f"source '{load.source.name}'"


def refuse_rows(load: Load, rows: int) -> None:
    """Raise a DataError where a table that grew has too few or too many rows."""
    bounds = load.source.contract.rows
    if load.carries_on and bounds is not None and not bounds[0] <= rows <= bounds[1]:
        raise DataError(
            f"{place_of(load)}: the number of rows is out of bounds",
            value=f"{rows:,} rows",
            mend=f"between {bounds[0]:,} and {bounds[1]:,} were declared",
        )


def reasons_of(aside: Spool) -> dict[str, int]:
    """How many rows each rule set aside; values of a wrong type are counted by column."""
    counted: dict[str, int] = {}
    kinds = "|".join(("bool", "int", "float", "string", "date", "timestamp"))
    for frame in aside:
        texts = frame["_reasons"].explode().str.replace(rf"(?s)({type_reason(f'(?:{kinds})')}).*", "${1}")
        texts = texts.str.replace(r"(?s)( is no time in [^:]*): .*", "${1}").str.strip_suffix(": ")
        for reason, count in texts.value_counts().iter_rows():
            counted[reason] = counted.get(reason, 0) + count
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))
