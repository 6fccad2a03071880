"""Fill an online store from tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import polars as pl

from noria.features.aggregates.algebra import NAN
from noria.features.events import Events, events_of, reduce_states, tiles_of
from noria.features.join import as_feature
from noria.features.keys import key_text
from noria.features.online import EntityStates, encode
from noria.features.views import ViewPlan, model_kind

if TYPE_CHECKING:
    from noria.features.aggregates.algebra import Floats, Ints
    from noria.features.stores import OnlineStore


def fill(plan: ViewPlan, rows: pl.DataFrame, store: OnlineStore, now: int) -> int:
    """Make the store hold of a view what its source's rows say, and nothing else; returns the number of entities.

    Rows that are not known yet wait in the store for their time.

    Parameters
    ----------
    plan : ViewPlan
        The view.
    rows : DataFrame
        Of its source, in order of arrival.
    store : OnlineStore
        Is written in one transaction.
    now : int
        The clock, in microseconds: nothing will be asked before it.
    """
    codes = key_text(rows, plan.view.keys).drop_nulls().unique().sort().to_frame("key").with_row_index("code")
    store.replace(plan.address, _entities(plan, rows, codes, now) if plan.windowed else _looked_up(plan, rows))
    return len(codes)


def _looked_up(plan: ViewPlan, rows: pl.DataFrame) -> Iterator[tuple[bytes, bytes]]:
    values = (
        as_feature(one.expression, plan.schema, model_kind(one.kind)).alias(f"v{index}")
        for index, one in enumerate(plan.lookups)
    )
    table = rows.select(key_text(rows, plan.view.keys), *values).with_columns(pl.col(pl.Float32).fill_null(NAN))
    encoder = msgspec.msgpack.Encoder()
    for key, *told in table.drop_nulls("key").unique("key", keep="first", maintain_order=True).iter_rows():
        yield key.encode(), encoder.encode(told)


def _entities(plan: ViewPlan, rows: pl.DataFrame, codes: pl.DataFrame, now: int) -> Iterator[tuple[bytes, bytes]]:
    events = events_of(plan, rows, codes)
    known = now - plan.view.source.lag
    ready = events.times < known
    past, future = (Events(events.codes[at], events.times[at], events.states[at]) for at in (ready, ~ready))
    # What is older than the longest window before the newest event is never asked for again.
    newest = int(past.times.max()) if len(past.times) else 0
    every = np.arange(len(codes) + 1)
    groups = [_since(plan, past, hop, (newest - plan.longest(hop)) // hop * hop, every) for hop in plan.hops]
    bounds = np.searchsorted(future.codes, every)
    for code, key in enumerate(codes["key"]):
        since = [
            (starts[cut[code] : cut[code + 1]], states[cut[code] : cut[code + 1]]) for starts, states, cut in groups
        ]
        wait = slice(bounds[code], bounds[code + 1])
        yield key.encode(), encode(EntityStates(1, since, (future.times[wait], future.states[wait])))


def _since(plan: ViewPlan, past: Events, hop: int, oldest: int, every: Ints) -> tuple[Ints, Floats, Ints]:
    """Tiles' starts, the states of all since each, and where each entity's begin."""
    tiles = tiles_of(plan, past, hop)
    young = tiles.times >= oldest
    codes, starts, states = tiles.codes[young], tiles.times[young], tiles.states[young]
    cut = np.searchsorted(codes, every)
    return starts, reduce_states(plan, states, np.arange(len(codes)), cut[codes + 1]), cut
