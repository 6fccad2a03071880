"""What the online store holds of an entity: for each tile's start, the state of all that has happened since.

A window's value is then one state, found by its tail: a request merges nothing. Tiles hold events that had been known
(event time + lag) before the last write; younger ones wait as single events. So a request at any later moment sees
exactly what is before it: the tiles, and of the waiting events those that are known by then.

The value is a row of 8-byte words, little-endian: format version, epoch, then for each tile length of the view the
number of tiles, their starts (int64) and their states (float64); then the same for the waiting events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from noria.core import IntegrityError
from noria.features.views import ViewPlan

if TYPE_CHECKING:
    from noria.features.aggregates.algebra import Floats, Ints

FORMAT = 2


@dataclass(slots=True)
class EntityStates:
    """What the store holds for one entity of one view.

    Attributes
    ----------
    epoch : int
        How often it was written. Nobody compares it yet: one process writes a store at a time.
    since : list of (starts, states)
        For each tile length of the view, shortest first: starts ascending, and the state of all tiles from each on.
    waiting : (times, states)
        Events that are in no tile yet, in order of time, then arrival.
    """

    epoch: int
    since: list[tuple[Ints, Floats]]
    waiting: tuple[Ints, Floats]


def nothing(plan: ViewPlan) -> EntityStates:
    """What the store holds for an entity that was never seen."""
    none = np.empty(0, np.int64), np.empty((0, plan.width))
    return EntityStates(0, [none for _ in plan.hops], none)


def encode(entity: EntityStates) -> bytes:
    """The stored form."""
    parts = [np.array([FORMAT, entity.epoch], "<i8").tobytes()]
    for times, states in (*entity.since, entity.waiting):
        parts += [
            np.array([len(times)], "<i8").tobytes(),
            times.astype("<i8").tobytes(),
            states.astype("<f8").tobytes(),
        ]
    return b"".join(parts)


def decode(plan: ViewPlan, value: bytes) -> EntityStates:
    """What `encode` wrote.

    Raises
    ------
    IntegrityError
        It is of another format, or cut short.
    """
    try:
        words, numbers = np.frombuffer(value, "<i8"), np.frombuffer(value, "<f8")
        if words[0] != FORMAT:
            raise ValueError
        at, width, groups = 2, plan.width, []
        for _ in range(len(plan.hops) + 1):
            low, high = at + 1, at + 1 + int(words[at])
            at = high + int(words[at]) * width
            groups.append((words[low:high], numbers[high:at].reshape(high - low, width)))
        if at != len(words):
            raise ValueError
    except (ValueError, IndexError):
        raise unreadable(plan) from None
    return EntityStates(int(words[1]), groups[:-1], groups[-1])


def unreadable(plan: ViewPlan) -> IntegrityError:
    """The error for a value of another format, or one that was cut short."""
    return IntegrityError(
        "a value of the online store cannot be read", value=f"view {plan.view.name}", mend="noria run fills it anew"
    )


def fold(plan: ViewPlan, entity: EntityStates, now: int, times: Ints, states: Floats) -> EntityStates:
    """Take in new events at a moment: what was known before goes into tiles, the rest waits; what no window reads goes.

    Parameters
    ----------
    plan : ViewPlan
        The view.
    entity : EntityStates
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
    since = []
    for hop, group in zip(plan.hops, entity.since, strict=True):
        oldest = (known - plan.longest(hop)) // hop * hop
        starts, grown = _grown(plan, group, all_times[:ready], all_states[:ready], hop, oldest)
        first = int(np.searchsorted(starts, oldest))
        since.append((starts[first:], grown[first:]))
    return EntityStates(entity.epoch + 1, since, (all_times[ready:], all_states[ready:]))


def _grown(
    plan: ViewPlan, group: tuple[Ints, Floats], times: Ints, states: Floats, hop: int, oldest: int
) -> tuple[Ints, Floats]:
    # One event after the other, so that the numbers do not depend on how the stream was cut into batches.
    starts, grown = group[0], group[1].copy()
    for time, state in zip(times, states, strict=True):
        start = time // hop * hop
        if start < oldest:
            continue
        at = int(np.searchsorted(starts, start))
        if at == len(starts) or starts[at] != start:
            following = grown[at] if at < len(starts) else np.array(plan.identity)
            starts = np.insert(starts, at, start)
            grown = np.insert(grown, at, following, axis=0)
        for track in plan.tracks:
            before = grown[: at + 1, track.slice]
            grown[: at + 1, track.slice] = track.kind.merge(before, np.broadcast_to(state[track.slice], before.shape))
    return starts, grown
