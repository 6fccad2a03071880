"""The point-in-time join: the features of each row of the spine, as they were when its question was asked.

For each view the events are sorted once and merged into tiles; then a window of a row is two ranges, found by binary
search: the tiles from its tail to the last whole hop, and the events since. Views are worked out one after the other;
held in memory are the spine's keys and times, one view's events, and the features made so far (float32).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from noria.expressions import Expression, Kind, to_polars
from noria.features.events import Events, events_of, tiles_of
from noria.features.keys import key_text
from noria.features.views import ViewPlan, Windowed, model_kind

if TYPE_CHECKING:
    from noria.features.aggregates.algebra import Floats, Ints


def view_features(plan: ViewPlan, spine: pl.DataFrame, times: Ints, rows: pl.DataFrame) -> dict[str, pl.Series]:
    """The features of one view for each row of the spine, in the spine's order.

    Parameters
    ----------
    plan : ViewPlan
        The view.
    spine : DataFrame
        Has the view's keys.
    times : int64 array
        When each question is asked, in microseconds.
    rows : DataFrame
        Of the view's source.
    """
    return _windowed(plan, spine, times, rows) if plan.windowed else _looked_up(plan, spine, rows)


def _windowed(plan: ViewPlan, spine: pl.DataFrame, times: Ints, rows: pl.DataFrame) -> dict[str, pl.Series]:
    keys = key_text(spine, plan.view.keys)
    codes = keys.drop_nulls().unique().sort().to_frame("key").with_row_index("code")
    asked = (
        keys.to_frame("key")
        .join(codes, on="key", how="left", maintain_order="left")["code"]
        .cast(pl.Int64)
        .fill_null(-1)
        .to_numpy()
    )
    at = times - plan.view.source.lag
    order = np.lexsort((at, asked))
    asked, at = asked[order], at[order]
    events = events_of(plan, rows, codes)
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    found: dict[str, pl.Series] = {}
    for hop in plan.hops:
        for name, values in _of_hop(plan, hop, events, asked, at):
            found[name] = pl.Series(name, values.astype(np.float32)[back]).fill_nan(None)
    return {one.name: found[one.name] for one in plan.windowed}


def _of_hop(plan: ViewPlan, hop: int, events: Events, asked: Ints, at: Ints) -> Iterator[tuple[str, Floats]]:
    in_events = _Search(events, int(asked.max(initial=0)) + 1)
    windows = [one for one in plan.windowed if one.hop == hop]
    now = in_events.left(asked, at)
    for window in {one.window for one in windows if plan.tracks[one.track].kind.long_ranges}:
        tail = in_events.left(asked, (at - window) // hop * hop)
        for one in windows:
            track = plan.tracks[one.track]
            if one.window == window and track.kind.long_ranges:
                yield one.name, track.kind.finalise(track.kind.reduce(events.states[:, track.slice], tail, now))
    if tiled := [one for one in windows if not plan.tracks[one.track].kind.long_ranges]:
        yield from _by_tiles(plan, tiled, hop, events, asked, at, in_events.left(asked, at // hop * hop), now)


def _by_tiles(
    plan: ViewPlan, windows: list[Windowed], hop: int, events: Events, asked: Ints, at: Ints, whole: Ints, now: Ints
) -> Iterator[tuple[str, Floats]]:
    """Windows as the tiles from their tail to the last whole hop, and the events since."""
    tiles = tiles_of(plan, events, hop)
    in_tiles = _Search(tiles, int(asked.max(initial=0)) + 1)
    stops = in_tiles.left(asked, at // hop * hop)
    starts = {window: in_tiles.left(asked, (at - window) // hop * hop) for window in {one.window for one in windows}}
    for index in {one.track for one in windows}:
        track = plan.tracks[index]
        head = track.kind.reduce(events.states[:, track.slice], whole, now)
        for one in windows:
            if one.track == index:
                body = track.kind.reduce(tiles.states[:, track.slice], starts[one.window], stops)
                yield one.name, track.kind.finalise(track.kind.merge(body, head))


class _Search:
    """Binary search for (key, time) in rows sorted by both: the pair becomes one number."""

    def __init__(self, rows: Events, keys: int):
        self._low = int(rows.times.min()) if len(rows.times) else 0
        high = int(rows.times.max()) if len(rows.times) else 0
        self._span = high - self._low + 2
        self._ranks: Ints | None = None
        if (keys + 1) * self._span >= 2**62:
            # Too long a time for too many keys: the times' ranks stand for them.
            self._ranks = np.unique(rows.times)
            self._span = len(self._ranks) + 1
        self._rows = rows.codes * self._span + self._offset(rows.times)

    def _offset(self, times: Ints) -> Ints:
        if self._ranks is not None:
            return np.searchsorted(self._ranks, times)
        return np.clip(times - self._low, 0, self._span - 1)

    def left(self, codes: Ints, times: Ints) -> Ints:
        """Where the first row lies that is not before (code, time)."""
        return np.searchsorted(self._rows, codes * self._span + self._offset(times))


def as_feature(expression: Expression, schema: Mapping[str, Kind], kind: str) -> pl.Expr:
    """An expression in the form of a feature: text, or float32 in which NaN is null."""
    value = to_polars(expression, schema)
    return value.cast(pl.String) if kind == "category" else value.cast(pl.Float32).fill_nan(None)


def _looked_up(plan: ViewPlan, spine: pl.DataFrame, rows: pl.DataFrame) -> dict[str, pl.Series]:
    values = (
        as_feature(one.expression, plan.schema, model_kind(one.kind)).alias(f"v{index}")
        for index, one in enumerate(plan.lookups)
    )
    table = rows.select(key_text(rows, plan.view.keys), *values).unique("key", keep="first", maintain_order=True)
    joined = key_text(spine, plan.view.keys).to_frame().join(table, on="key", how="left", maintain_order="left")
    return {one.name: joined[f"v{index}"].alias(one.name) for index, one in enumerate(plan.lookups)}


def training_set(
    spine: pl.DataFrame, time: pl.Series, tables: Mapping[str, pl.DataFrame], plans: tuple[ViewPlan, ...]
) -> dict[str, pl.Series]:
    """The features of all views for each row of the spine.

    Parameters
    ----------
    spine : DataFrame
        Its rows, with the keys of all views.
    time : Series
        When each question is asked (timestamp); a null sees nothing.
    tables : mapping of str to DataFrame
        Source to its rows.
    plans : tuple of ViewPlan
        The views.
    """
    times = time.dt.epoch("us").fill_null(-(2**61)).to_numpy()
    found: dict[str, pl.Series] = {}
    for plan in plans:
        found |= view_features(plan, spine, times, tables[plan.view.source.name])
    return found
