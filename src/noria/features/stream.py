"""StreamWorker: the stream path: events in, states in the online store up to date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from noria.core import to_micros
from noria.declarations import Project
from noria.expressions import Kind, to_python
from noria.features.aggregates.algebra import NAN
from noria.features.catalogue import plans_of
from noria.features.keys import key_bytes
from noria.features.online import decode, encode, fold, nothing
from noria.features.stores import OnlineStore
from noria.features.views import Track, ViewPlan

if TYPE_CHECKING:
    from noria.features.aggregates.algebra import Floats, Ints

Row = Mapping[str, Any]


class StreamWorker:
    """Applies events to the online store. One worker writes a store at a time; one `apply` is one atomic write.

    Parameters
    ----------
    project : Project
        Its views.
    schemas : mapping of str to mapping of str to Kind
        Source to its columns' kinds.
    store : OnlineStore
        Where the states are; closed by its owner.
    """

    def __init__(self, project: Project, schemas: Mapping[str, Mapping[str, Kind]], store: OnlineStore):
        self._store = store
        self._views = [_StreamView(plan) for plan in plans_of(project.features, schemas) if plan.windowed]

    def apply(self, events: Iterable[tuple[str, Row]], now: int) -> int:
        """Take in events in order of arrival.

        Parameters
        ----------
        events : iterable of (str, mapping)
            Source name and row, with its derived columns. A row without event time is no event.
        now : int
            The clock, in microseconds: nothing will be asked before it.

        Returns
        -------
        int
            How many were events.
        """
        by_source: defaultdict[str, list[Row]] = defaultdict(list)
        for name, row in events:
            by_source[name].append(row)
        counted: dict[str, int] = {}
        news: dict[tuple[str, bytes], tuple[_StreamView, list[Row]]] = {}
        for view in self._views:
            rows = [row for row in by_source.get(view.plan.view.source.name, ()) if row.get(view.time) is not None]
            counted[view.plan.view.source.name] = len(rows)
            for row in rows:
                if (key := key_bytes(row, view.plan.view.keys)) is not None:
                    news.setdefault((view.plan.address, key), (view, []))[1].append(row)
        if news:
            stored = self._store.read(list(news))
            self._store.write({
                address: view.folded(value, rows, now)
                for (address, (view, rows)), value in zip(news.items(), stored, strict=True)
            })  # fmt: skip
        return sum(counted.values())


class _StreamView:
    """One view's functions of a row, built once."""

    def __init__(self, plan: ViewPlan):
        assert plan.view.source.event_time is not None
        self.plan = plan
        self.time = plan.view.source.event_time
        self._values = [_value(track, plan.schema) for track in plan.tracks]

    def folded(self, value: bytes | None, rows: list[Row], now: int) -> bytes:
        entity = nothing(self.plan) if value is None else decode(self.plan, value)
        return encode(fold(self.plan, entity, now, *self._states(rows)))

    def _states(self, rows: list[Row]) -> tuple[Ints, Floats]:
        times = np.array([_micros(row[self.time]) for row in rows], np.int64)
        states = np.tile(np.array(self.plan.identity), (len(rows), 1))
        for track, value in zip(self.plan.tracks, self._values, strict=True):
            given = np.array([value(row) for row in rows])
            kept = ~np.isnan(given)
            states[kept, track.slice] = track.kind.init(given[kept], times[kept].astype(np.float64))
        return times, states


def _value(track: Track, schema: Mapping[str, Kind]) -> Callable[[Row], float]:
    """What a row gives to a track; NaN where it gives nothing: null, not a number, or filtered out."""
    where = None if track.where is None else to_python(track.where, schema)
    column = None if track.column is None else to_python(track.column, schema)
    takes = track.kind.takes

    def value(row: Row) -> float:
        if where is not None and where(row) is not True:
            return NAN
        if column is None:
            return 0.0
        given = column(row)
        if given is None or given != given:
            return NAN
        return float(given) if takes else 0.0

    return value


def _micros(moment: datetime | int) -> int:
    return moment if isinstance(moment, int) else to_micros(moment)
