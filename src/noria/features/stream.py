"""StreamWorker: the stream path: events in, tiles in the online store up to date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np

from noria.core import to_micros
from noria.declarations import Project
from noria.expressions import Kind, to_python
from noria.features.catalogue import plans_of
from noria.features.online import decode, encode, fold, key_bytes, nothing
from noria.features.stores import OnlineStore
from noria.features.views import ViewPlan, value_of

Row = Mapping[str, Any]


class StreamWorker:
    """Applies events to the online store. One worker writes a store at a time; `apply` is one atomic write a view.

    Parameters
    ----------
    project : Project
        Its views.
    schemas : mapping of str to mapping of str to Kind
        Source to its columns' kinds.
    store : OnlineStore
        Where the tiles are; closed by its owner.
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
            The clock, in microseconds: when they arrive.

        Returns
        -------
        int
            How many were events.
        """
        by_source: defaultdict[str, list[Row]] = defaultdict(list)
        counted: set[int] = set()
        for name, row in events:
            by_source[name].append(row)
        for view in self._views:
            rows = [row for row in by_source.get(view.plan.view.source.name, ()) if row.get(view.time) is not None]
            counted.update(id(row) for row in rows)
            if rows:
                self._store.write(view.plan.view.name, view.folded(rows, now, self._store))
        return len(counted)


class _StreamView:
    """One view's functions of a row, built once."""

    def __init__(self, plan: ViewPlan):
        assert plan.view.source.event_time is not None
        self.plan = plan
        self.time = plan.view.source.event_time
        always: Callable[[Row], Any] = lambda row: True  # noqa: E731
        zero: Callable[[Row], Any] = lambda row: 0.0  # noqa: E731
        self._columns = [to_python(track.column, plan.schema) if track.column else zero for track in plan.tracks]
        self._where = [to_python(track.where, plan.schema) if track.where else always for track in plan.tracks]

    def folded(self, rows: list[Row], now: int, store: OnlineStore) -> dict[bytes, bytes]:
        by_key: defaultdict[bytes, list[Row]] = defaultdict(list)
        for row in rows:
            key = key_bytes(row, self.plan.view.keys)
            if key is not None:
                by_key[key].append(row)
        stored = store.read(self.plan.view.name, list(by_key))
        found = {}
        for (key, mine), value in zip(by_key.items(), stored, strict=True):
            entity = nothing(self.plan) if value is None else decode(self.plan, value)
            found[key] = encode(fold(self.plan, entity, now, *self._states(mine)))
        return found

    def _states(self, rows: list[Row]) -> tuple[Any, Any]:
        times = np.array([_micros(row[self.time]) for row in rows], np.float64)
        states = np.tile(np.array(self.plan.identity), (len(rows), 1))
        for track, column, where in zip(self.plan.tracks, self._columns, self._where, strict=True):
            for index, row in enumerate(rows):
                if where(row) is not True:
                    continue
                raw = column(row)
                value = (
                    0.0
                    if track.kind.kind == "count" and raw is not None and raw == raw
                    else value_of(raw)
                    if track.kind.kind != "count"
                    else float("nan")
                )
                if value == value:
                    states[index, track.slice] = track.kind.init(np.array([value]), times[index : index + 1])[0]
        return times, states


def _micros(moment: datetime | int) -> int:
    return moment if isinstance(moment, int) else to_micros(moment)
