"""The end of a load: rows set aside, then rows kept with the state that says where the source was read to."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from noria.core import IntegrityError, content_key, to_micros
from noria.expressions import polars_kinds
from noria.ingest.checked import Found, reasons_of, refuse_rows
from noria.ingest.corrections import Correction
from noria.ingest.evolution import Change
from noria.ingest.existing import free_name
from noria.ingest.load import Load
from noria.ingest.shape import together
from noria.ingest.state import TableState, blank, outputs_of, quarantine_of
from noria.steps import Outcome

if TYPE_CHECKING:
    import polars as pl


def committed(
    load: Load,
    rows: Iterable[pl.DataFrame],
    find: Callable[[], Found],
    kinds: Mapping[str, str],
    changes: Sequence[Change],
    corrections: tuple[Correction, ...],
    *,
    replayed: Mapping[str, int] | None = None,
) -> Outcome:
    """Two commits, the quarantine first: a kill between them is made good by the next try, and nobody reads a version
    before the ledger names it.

    Rows may still be checked while they are written; nothing is committed before all of them hold.

    Parameters
    ----------
    load : Load
        What is loaded.
    rows : iterable of DataFrame
        Rows that are kept.
    find : callable
        What the contract left, once all rows are taken; an error of its own leaves all as it was.
    kinds : mapping of str to str
        The source's columns, to be pinned.
    changes : sequence of Change
        How the source is not as it was; some may be added until `find` returns.
    corrections : tuple of Correction
        What people mended.
    replayed : mapping, optional
        What a replay counts.
    """
    told: list[TableState] = []

    def state() -> dict[str, Any]:
        told.append(set_aside(load, find(), kinds, changes, corrections))
        return told[0].to_json()

    rows = iter(rows)
    version = _written(load, rows, state, {*kinds, *dict(load.source.columns)})
    if not told:  # it was written by a try before this one: what it said is said again
        for _ in rows:
            pass
        state()
    return _outcome(load, told[0], version, changes, replayed)


def set_aside(
    load: Load,
    found: Found,
    kinds: Mapping[str, str],
    changes: Sequence[Change],
    corrections: tuple[Correction, ...],
) -> TableState:
    """Commit the rows that are set aside, and give the state to be committed with those that are kept."""
    source, name, before = load.source, load.source.name, load.before
    aside = _aside_now(load, found)
    total = _totals(load, found)
    refuse_rows(load, total["kept"] + total["quarantined"])
    aside_version = -1
    if aside is not None:
        # What a try before this one set aside may be less, where more came meanwhile.
        aside_key = content_key(load.write_key, found.content, [len(frame) for frame in aside])
        aside_version = load.lake.write(quarantine_of(name), aside, step_key=aside_key)
    return dataclasses.replace(
        blank(source, corrections),
        position=load.position,
        rows=max(load.last_row, before.rows if load.grows and before else 0),
        loads=(before.loads if load.carries_on and before else 0) + 1,
        at=to_micros(load.ctx.clock.now()),
        aside_version=aside_version,
        read=total["read"],
        dropped=total["dropped"],
        aside=total["quarantined"],
        newest=_newest(load, found),
        api=load.pinned.api if load.pinned is not None and load.pinned.api else load.api,
        kinds=kinds,
        sketches={**(before.sketches if load.grows and before else {}), **found.sketches},
        memory=found.memory,
        content=found.content,
        facts=_facts(load, found, total, changes, aside or ()),
        places=_places(load),
    )


def _outcome(
    load: Load, state: TableState, version: int, changes: Sequence[Change], replayed: Mapping[str, int] | None
) -> Outcome:
    import polars as pl

    name = load.source.name
    load.saved = True
    rows = load.lake.read(name, version)
    facts = {**state.facts, "schema": polars_kinds(rows.collect_schema())}
    if load.merges and load.source.event_time is not None:  # of rows that went nobody knows whether they had one
        facts["null_event_time"] = rows.select(pl.col(load.source.event_time).null_count()).collect().item()
    outputs = outputs_of(name, version, state.aside_version)
    return Outcome(outputs, facts, tuple(_events(load, facts, outputs["table"], changes, replayed)))


def _totals(load: Load, found: Found) -> dict[str, int]:
    """Rows of the table, of its quarantine, and what was dropped, over all loads: their sum is all that was read.

    What was read again, because a cursor looks back, counts once.
    """
    counts, before = load.counts, load.before
    counts.settle(load.source)
    if not load.grows or before is None:
        # Where rows of before are checked again they are counted as read; what was dropped then is gone.
        gone = before.dropped if load.rechecks and before is not None else 0
        return {"read": counts.read - counts.known + gone, "kept": counts.kept, "quarantined": counts.quarantined,
                "dropped": counts.gone + gone}  # fmt: skip
    there = int(before.facts["kept"])
    taken = _taken(load, found)
    aside_gone = before.aside - load.aside_left
    total = {
        "read": before.read + counts.read - counts.known,
        "kept": there - taken + counts.kept,
        "quarantined": before.aside - aside_gone + counts.quarantined,
        "dropped": before.dropped + counts.gone + taken + aside_gone,
    }
    if total["read"] != total["kept"] + total["quarantined"] + total["dropped"]:
        mend = "nothing was written; please report it"
        raise IntegrityError(f"source '{load.source.name}': rows in are not rows out", value=str(total), mend=mend)
    return total


def _taken(load: Load, found: Found) -> int:
    """How many rows of the table make way for newer ones of the same key, or go."""
    import polars as pl

    if not load.merges:
        return 0
    key = list(load.source.contract.key)
    touched = [frame.select(key) for frame in found.kept if len(frame)]
    if load.gone is not None and len(load.gone):
        touched.append(load.gone.select(key))
    if not touched:
        return 0
    keys = pl.concat(touched, how="vertical_relaxed").unique()
    there = load.lake.read(load.source.name).select(key).cast(keys.schema, strict=False)
    return int(there.join(keys.lazy(), on=key, how="semi").select(pl.len()).collect().item())


def _aside_now(load: Load, found: Found) -> list[pl.DataFrame] | None:
    """All rows that are set aside now: those of before whose key has no newer row, and this load's."""
    import polars as pl

    now = list(found.aside)
    if not load.grows or load.before is None or load.before.aside_version < 0:
        return now or None
    before = load.lake.read(quarantine_of(load.source.name), load.before.aside_version).collect()
    key = list(load.source.contract.key)
    if load.merges:
        newer = [frame.select(key) for frame in (*found.kept, *found.aside) if len(frame)]
        newer += [frame.select(key) for frame in (load.gone, load.retired) if frame is not None and len(frame)]
        if newer:
            keys = pl.concat(newer, how="vertical_relaxed").unique()
            before = before.cast(dict(keys.schema), strict=False).join(keys, on=key, how="anti")
    load.aside_left = len(before)
    parts = [frame for frame in (before, *now) if len(frame)]
    return [together(parts)] if parts else None


def _written(
    load: Load, rows: Iterable[pl.DataFrame], state: Callable[[], Mapping[str, Any]], columns: Collection[str]
) -> int:
    """The version with this load's rows, which have these columns, and state."""
    import polars as pl

    name, key, after = load.source.name, load.write_key, load.after
    if not load.grows:
        return load.lake.write(name, rows, step_key=key, state=state, after=after)
    if not load.merges:
        return load.lake.write(name, rows, step_key=key, mode="append", state=state, after=after, widen=load.widens)
    gone = load.gone.drop("_reasons", strict=False) if load.gone is not None and len(load.gone) else None
    deleted = free_name("_deleted", columns)
    parts = itertools.chain(((frame, False) for frame in rows), [(gone, True)] if gone is not None else [])
    flagged = (frame.with_columns(pl.lit(is_gone).alias(deleted)) for frame, is_gone in parts)
    return load.lake.write(
        name, flagged, step_key=key, mode="merge", key=tuple(load.source.contract.key), deleted=deleted, state=state,
        after=after, widen=load.widens,
    )  # fmt: skip


def _places(load: Load) -> dict[str, list[tuple[int, int]]]:
    """Which numbers the rows of each place have, where places may be read again."""
    if not load.by_place or load.merges:
        return {}
    known = load.before.places if load.carries_on and load.before is not None else {}
    found = {place: [(first, last) for first, last in ranges] for place, ranges in known.items()}
    for place, first, last, _ in load.places:
        found.setdefault(place, []).append((first, last))
    return found


def _newest(load: Load, found: Found) -> int | None:
    """The newest event time so far, in microseconds."""
    there = [found.late.newest_now, load.before.newest if load.carries_on and load.before is not None else None]
    known = [value for value in there if value is not None]
    return max(known) if known else None


def _facts(
    load: Load,
    found: Found,
    total: Mapping[str, int],
    changes: Sequence[Change],
    aside: Iterable[pl.DataFrame],
) -> dict[str, Any]:
    counts, before = load.counts, load.before
    nulls = found.null_event_time
    if load.grows and before is not None:
        nulls += int(before.facts.get("null_event_time", 0))
    return {
        **total,
        "null_event_time": nulls,
        "reasons": reasons_of(aside),
        "verdicts": [verdict.to_body() for verdict in found.verdicts],
        "key": list(load.source.contract.key),
        "bytes": found.kept.bytes,
        "made_of": load.made_of,
        "load": {
            "read": counts.read, "kept": counts.kept, "quarantined": counts.quarantined, "known": counts.known,
            "superseded": counts.superseded, "deleted": counts.deleted, "dropped": counts.dropped,
            "whole": not load.grows,
        },
        "late": found.late.facts(),
        "changes": [change.to_body() for change in changes],
    }  # fmt: skip


def _events(
    load: Load, facts: Mapping[str, Any], table: str, changes: Sequence[Change], replayed: Mapping[str, int] | None
) -> list[dict[str, Any]]:
    counts = {name: facts[name] for name in ("read", "kept", "quarantined", "dropped")}
    events: list[dict[str, Any]] = [
        {"kind": "contract.checked", "subject": table, "body": {"verdicts": facts["verdicts"]}},
        {"kind": "table.written", "subject": table, "body": {**counts, "load": facts["load"]}},
    ]
    events += told_changes(changes, table)
    if facts["late"]["rows"] or facts["late"]["too_late"]:
        events.append({"kind": "data.late", "subject": table, "body": facts["late"]})
    if replayed is not None:
        events.append({"kind": "quarantine.replayed", "subject": table, "body": dict(replayed)})
    return events


def told_changes(changes: Sequence[Change], table: str) -> list[dict[str, Any]]:
    """How the ledger is told that a source is not as it was."""
    return [{"kind": "source.changed", "subject": table, "body": change.to_body()} for change in changes]
