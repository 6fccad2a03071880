"""Tiles in the online store: one value an entity and view, that holds its tiles of every length and its newest events.

Tiles hold events that had been known (event time + lag) before the last fold; younger ones wait as single events. So a request at
any later moment sees exactly what is before it: whole tiles, and of the waiting events those that are known by then.

The value is a row of float64: format version, epoch, then for each tile length the number of tiles and their starts and states,
then the same for the waiting events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from noria.core import IntegrityError
from noria.features.views import ViewPlan

if TYPE_CHECKING:
    import polars as pl

    from noria.features.aggregates.algebra import Floats
    from noria.features.stores import OnlineStore

FORMAT = 1.0
_WRITTEN_AT_ONCE = 2000


@dataclass(slots=True)
class EntityTiles:
    """What the store holds for one entity of one view.

    Attributes
    ----------
    epoch : int
        How often it was written.
    tiles : list of (starts, states)
        For each tile length of the view, shortest first: starts ascending.
    waiting : (times, states)
        Events not in the tiles yet, in order of time, then arrival.
    """

    epoch: int
    tiles: list[tuple[Floats, Floats]]
    waiting: tuple[Floats, Floats]


def nothing(plan: ViewPlan) -> EntityTiles:
    """What the store holds for an entity that was never seen."""
    return EntityTiles(
        0, [(np.empty(0), np.empty((0, plan.width))) for _ in plan.hops], (np.empty(0), np.empty((0, plan.width)))
    )


def encode(entity: EntityTiles) -> bytes:
    """The stored form."""
    parts = [np.array([FORMAT, float(entity.epoch)])]
    for times, states in (*entity.tiles, entity.waiting):
        parts += [np.array([float(len(times))]), times, states.ravel()]
    return np.concatenate(parts).tobytes()


def decode(plan: ViewPlan, value: bytes) -> EntityTiles:
    """What `encode` wrote.

    Raises
    ------
    IntegrityError
        It is of another format, or cut short.
    """
    numbers = np.frombuffer(value)
    if len(numbers) < 2 or numbers[0] != FORMAT:
        raise IntegrityError(
            "a value of the online store cannot be read", value=f"view {plan.view.name}", mend="noria run fills it anew"
        )
    at, width, groups = 2, plan.width, []
    for _ in range(len(plan.hops) + 1):
        count = int(numbers[at])
        states = numbers[at + 1 + count : at + 1 + count * (1 + width)]
        groups.append((numbers[at + 1 : at + 1 + count], states.reshape(count, width)))
        at += 1 + count * (1 + width)
    return EntityTiles(int(numbers[1]), groups[:-1], groups[-1])


def window_values(plan: ViewPlan, entity: EntityTiles, at: int) -> list[float]:
    """The values of all windowed features at a moment (microseconds); NaN is null. The request path."""
    t = at - plan.view.source.lag
    values = [float("nan")] * len(plan.windowed)
    times, states = entity.waiting
    young = int(np.searchsorted(times, t)) if len(times) else 0
    zero = np.zeros(1, np.int64)
    for hop, (starts, tiles) in zip(plan.hops, entity.tiles, strict=True):
        wanted = [(index, one) for index, one in enumerate(plan.windowed) if one.hop == hop]
        tails = np.array([(t - one.window) // hop * hop for _, one in wanted], np.float64)
        first = np.searchsorted(starts, tails).astype(np.int64)
        for number, track in enumerate(plan.tracks):
            mine = [row for row, (_, one) in enumerate(wanted) if one.track == number]
            if not mine:
                continue
            begin = first[mine]
            found = track.kind.reduce(tiles[:, track.slice], begin, np.full(len(mine), len(starts), np.int64))
            if young:
                head = track.kind.reduce(states[:, track.slice], zero, zero + young)
                found = track.kind.merge(found, np.repeat(head, len(mine), axis=0))
            for row, value in zip(mine, track.kind.finalise(found).tolist(), strict=True):
                values[wanted[row][0]] = value
    return values


def fold(plan: ViewPlan, entity: EntityTiles, now: int, times: Floats, states: Floats) -> EntityTiles:
    """Take in new events at a moment: what was known before it goes into tiles, the rest waits; tiles that no window reads go.

    Parameters
    ----------
    plan : ViewPlan
        The view.
    entity : EntityTiles
        As stored.
    now : int
        The clock, in microseconds.
    times, states : arrays
        New events in order of arrival.
    """
    known = now - plan.view.source.lag
    all_times = np.concatenate([entity.waiting[0], times])
    all_states = np.concatenate([entity.waiting[1], states])
    order = np.argsort(all_times, kind="stable")
    all_times, all_states = all_times[order], all_states[order]
    ready = int(np.searchsorted(all_times, known))
    tiles = []
    for hop, group in zip(plan.hops, entity.tiles, strict=True):
        grown = _grown(plan, group, all_times[:ready], all_states[:ready], hop)
        oldest = (known - plan.longest(hop)) // hop * hop
        first = int(np.searchsorted(grown[0], oldest))
        tiles.append((grown[0][first:], grown[1][first:]))
    return EntityTiles(entity.epoch + 1, tiles, (all_times[ready:], all_states[ready:]))


def _grown(
    plan: ViewPlan, group: tuple[Floats, Floats], times: Floats, states: Floats, hop: int
) -> tuple[Floats, Floats]:
    starts, tiles = group[0], group[1].copy()
    for time, state in zip(times, states, strict=True):
        start = time // hop * hop
        at = int(np.searchsorted(starts, start))
        if at < len(starts) and starts[at] == start:
            for track in plan.tracks:
                tiles[at : at + 1, track.slice] = track.kind.merge(
                    tiles[at : at + 1, track.slice], state[None, track.slice]
                )
        else:
            starts = np.insert(starts, at, start)
            tiles = np.insert(tiles, at, state, axis=0)
    return starts, tiles


def key_bytes(row: Mapping[str, Any], keys: tuple[str, ...]) -> bytes | None:
    """The key of a row as the store knows it; None where a part of it is null."""
    parts = [row.get(key) for key in keys]
    return None if None in parts else "\x1f".join(str(part) for part in parts).encode()


def fill(plan: ViewPlan, rows: pl.DataFrame, store: OnlineStore, until: int | None) -> int:
    """Write all entities of a view from its source's rows, as known at a moment; returns how many."""
    import polars as pl

    from noria.features.events import events_of, key_text, tiles_of
    from noria.features.service import encode_lookup

    time = plan.view.source.event_time
    if not plan.windowed:
        table = (
            rows.with_columns(_key=key_text(rows, plan.view.keys))
            .filter(pl.col("_key").is_not_null())
            .unique("_key", keep="first")
        )
        values = {row["_key"].encode(): encode_lookup(plan, row) for row in table.iter_rows(named=True)}
        store.write(plan.view.name, values)
        return len(values)
    assert time is not None
    known = int(rows[time].dt.epoch("us").max() or 0) + 1 if until is None else until - plan.view.source.lag  # type: ignore[operator]
    rows = rows.filter(pl.col(time).dt.epoch("us") < known)
    codes = key_text(rows, plan.view.keys).drop_nulls().unique().sort().to_frame("key").with_row_index("code")
    events = events_of(plan, rows, codes)
    groups = []
    for hop in plan.hops:
        tiles = tiles_of(plan, events, hop)
        bounds = np.searchsorted(tiles.codes, np.arange(len(codes) + 1))
        groups.append((tiles, bounds, (known - plan.longest(hop)) // hop * hop))
    waiting = nothing(plan).waiting
    batch: dict[bytes, bytes] = {}
    for code, key in enumerate(codes["key"]):
        parts = []
        for tiles, bounds, oldest in groups:
            low, high = int(bounds[code]), int(bounds[code + 1])
            low += int(np.searchsorted(tiles.times[low:high], oldest))
            parts.append((tiles.times[low:high].astype(np.float64), tiles.states[low:high]))
        batch[key.encode()] = encode(EntityTiles(1, parts, waiting))
        if len(batch) >= _WRITTEN_AT_ONCE:
            store.write(plan.view.name, batch)
            batch = {}
    store.write(plan.view.name, batch)
    return len(codes)
