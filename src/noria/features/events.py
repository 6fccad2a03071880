"""Events: a source's rows as sorted keys, times and states, the form that tiles are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from noria.expressions import to_polars
from noria.features.views import ViewPlan

if TYPE_CHECKING:
    from noria.features.aggregates.algebra import Floats, Ints


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


def key_text(frame: pl.DataFrame, keys: tuple[str, ...]) -> pl.Series:
    """The keys of rows as one text each, null where any of them is: what the online store knows entities by."""
    parts = [pl.col(key).cast(pl.String) for key in keys]
    return frame.select(pl.concat_str(parts, separator="\x1f").alias("key"))["key"]


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
    values = [
        to_polars(track.column, plan.schema).cast(pl.Float64) if track.column else pl.lit(0.0) for track in plan.tracks
    ]
    seen = [
        to_polars(track.where, plan.schema).fill_null(False) if track.where else pl.lit(True) for track in plan.tracks
    ]
    present = [
        keep & (to_polars(track.column, plan.schema).is_not_null() if track.column else pl.lit(True))
        for track, keep in zip(plan.tracks, seen, strict=True)
    ]
    counted = {index for index, track in enumerate(plan.tracks) if track.kind.kind == "count"}
    frame = rows.with_columns(key=key_text(rows, plan.view.keys)).join(
        codes, on="key", how="inner", maintain_order="left"
    )
    frame = frame.filter(pl.col(time).is_not_null()).select(
        "code", pl.col(time).dt.epoch("us").alias("time"),
        *(pl.lit(0.0).alias(f"v{index}") if index in counted else value.alias(f"v{index}") for index, value in enumerate(values)),
        *(keep.alias(f"p{index}") for index, keep in enumerate(present)),
    ).sort("code", "time", maintain_order=True)  # fmt: skip
    times = frame["time"].to_numpy()
    states = np.tile(np.array(plan.identity), (len(frame), 1))
    for index, track in enumerate(plan.tracks):
        # NaN is no value: no window could be told from an empty one.
        value = frame[f"v{index}"].fill_null(float("nan")).to_numpy()
        kept = frame[f"p{index}"].to_numpy() & ~np.isnan(value)
        states[kept, track.slice] = track.kind.init(value[kept], times[kept].astype(np.float64))
    return Events(frame["code"].to_numpy().astype(np.int64), times, states)


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


def merge_states(plan: ViewPlan, left: Floats, right: Floats) -> Floats:
    """Rows of states, pair by pair."""
    return np.column_stack([track.kind.merge(left[:, track.slice], right[:, track.slice]) for track in plan.tracks])
