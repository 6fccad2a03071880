"""The oracle: what a windowed feature is, in the plainest way to say it. Every fast path is tested against it.

One row after the other, nothing is shared, nothing is merged. Slow, and meant to be read.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from noria.declarations import FeatureView
from noria.expressions import Kind, parse, to_python
from noria.features import WindowAggregate, plans_of

_HOUR = 3600 * 10**6

VALUES: dict[str, Callable[[Sequence[float]], float | None]] = {
    "count": len,
    "sum": lambda values: math.fsum(values) if values else None,
    "mean": lambda values: math.fsum(values) / len(values) if values else None,
    "min": lambda values: min(values) if values else None,
    "max": lambda values: max(values) if values else None,
    "std": lambda values: statistics.stdev(values) if len(values) > 1 else None,
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
}
"""An aggregate's value of the values in a window, in order of time, then arrival."""


def window_value(
    kind: str, events: Iterable[tuple[int, float | None]], at: int, window: int, hop: int | None = None, lag: int = 0
) -> float | None:
    """One aggregate over one window at one moment.

    Parameters
    ----------
    kind : str
        Of the aggregate, such as ``"mean"``.
    events : iterable of (int, float or None)
        Time and value of one entity's events, in order of arrival. A null, or NaN, is no value.
    at : int
        When the question is asked. All times are microseconds.
    window, hop, lag : int
        Of the aggregate, and of its source.

    Examples
    --------
    >>> minute = 60 * 10**6
    >>> events = [(2 * minute, 1.0), (6 * minute, 2.0), (11 * minute, 4.0)]
    >>> window_value("sum", events, at=11 * minute, window=5 * minute)  # not itself; the tail goes back to 5 minutes
    2.0
    """
    t = at - lag
    if hop is None:
        hop = 24 * _HOUR if window >= 12 * 24 * _HOUR else _HOUR if window >= 12 * _HOUR else _HOUR // 12
    tail = (t - window) // hop * hop
    seen = [(time, value) for time, value in events if tail <= time < t and value is not None and value == value]
    return VALUES[kind]([value for _, value in sorted(seen, key=lambda event: event[0])])


def view_values(
    view: FeatureView, schema: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]], key: Mapping[str, Any], at: int
) -> dict[str, float | None]:
    """All windowed features of one entity at one moment.

    Parameters
    ----------
    view : FeatureView
        With aggregates.
    schema : mapping of str to Kind
        The source's columns.
    rows : iterable of mappings
        The source's rows, in order of arrival; event times in microseconds.
    key : mapping
        The entity: its key columns. Of a null key nothing is known.
    at : int
        When the question is asked, in microseconds.
    """
    time = view.source.event_time
    assert time is not None
    mine = [row for row in rows if row[time] is not None and all(row[k] == key[k] is not None for k in view.keys)]
    values = []
    for declared in view.aggregates:
        assert isinstance(declared, WindowAggregate)
        keeps = to_python(parse(declared.where), schema) if declared.where else lambda row: True
        value = to_python(parse(declared.column), schema) if declared.column else lambda row: 1.0
        given = [(row[time], value(row)) for row in mine if keeps(row) is True]
        if not declared.takes:  # it counts values of any kind
            given = [(when, 1.0 if what == what else what) for when, what in given if what is not None]
        for window in declared.windows:
            values.append(window_value(declared.kind, given, at, window, declared.hop, view.source.lag))
    names = [one.name for plan in plans_of([view], {view.source.name: schema}) for one in plan.windowed]
    return dict(zip(names, values, strict=True))
