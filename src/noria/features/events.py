"""Events: a source's rows as sorted keys, times and states, the form that tiles are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from noria.expressions import Kind, to_polars
from noria.features.keys import key_text
from noria.features.views import Track, ViewPlan

if TYPE_CHECKING:
    from noria.features.aggregates.algebra import Floats, Ints


_KEY, _CODE = "\0key", "\0code"


@dataclass(frozen=True, slots=True)
class Events:
    """States of single events or of tiles, sorted by key and time.

    Attributes
    ----------
    codes : int64 array
        Which key, as a number.
    times : int64 array
        Microseconds: of the event, or of the tile's start.
    states : float64 array ``[rows, components]``
        One row of states each.
    """

    codes: Ints
    times: Ints
    states: Floats


def events_of(plan: ViewPlan, rows: pl.DataFrame, codes: pl.DataFrame) -> Events:
    """The events of a view, in order of key, time and arrival (the order of the rows).

    Parameters
    ----------
    plan : ViewPlan
        The view.
    rows : DataFrame
        Of its source, in order of arrival.
    codes : DataFrame
        ``key`` and ``code``: the keys that matter; events of others are left out.
    """
    time = plan.view.source.event_time
    assert time is not None
    # Names that no source's column has: a user's own "key" or "code" must stay what it is.
    frame = rows.with_columns(key_text(rows, plan.view.keys).alias(_KEY)).join(
        codes.rename({"key": _KEY, "code": _CODE}), on=_KEY, how="inner", maintain_order="left"
    )
    frame = (
        frame.filter(pl.col(time).is_not_null())
        .select(
            pl.col(_CODE).alias("code"),
            pl.col(time).dt.epoch("us").alias("time"),
            *(_value(track, plan.schema).alias(f"v{index}") for index, track in enumerate(plan.tracks)),
        )
        .sort("code", "time", maintain_order=True)
    )
    times = frame["time"].to_numpy()
    states = np.tile(np.array(plan.identity), (len(frame), 1))
    for index, track in enumerate(plan.tracks):
        value = frame[f"v{index}"].to_numpy()
        kept = ~np.isnan(value)
        states[kept, track.slice] = track.kind.init(value[kept], times[kept].astype(np.float64))
    return Events(frame["code"].to_numpy().astype(np.int64), times, states)


def _value(track: Track, schema: Mapping[str, Kind]) -> pl.Expr:
    """What a row gives to a track, as float64; NaN where it gives nothing: null, not a number, or filtered out."""
    value = pl.lit(0.0)
    if track.column is not None:
        column = to_polars(track.column, schema)
        if track.kind.takes:
            value = column.cast(pl.Float64)
        elif track.column.kind(schema) == "float":
            value = pl.when(column.is_not_null() & column.is_not_nan()).then(0.0)
        else:
            value = pl.when(column.is_not_null()).then(0.0)
    if track.where is not None:
        value = pl.when(to_polars(track.where, schema)).then(value)
    return value.fill_null(float("nan"))


def tiles_of(plan: ViewPlan, events: Events, hop: int) -> Events:
    """Events merged into tiles of one length, in order: a tumbling GROUP BY."""
    starts = events.times // hop * hop
    if not len(starts):
        return events
    new = np.nonzero((np.diff(starts) != 0) | (np.diff(events.codes) != 0))[0] + 1
    first = np.concatenate([[0], new])
    last = np.concatenate([new, [len(starts)]])
    return Events(events.codes[first], starts[first], reduce_states(plan, events.states, first, last))


def reduce_states(plan: ViewPlan, states: Floats, starts: Ints, stops: Ints) -> Floats:
    """Ranges of rows of states, each track by its own algebra."""
    return np.column_stack([track.kind.reduce(states[:, track.slice], starts, stops) for track in plan.tracks])
