"""Anomalies: a step that took far longer, or read far more or less, than it did before.

Median and median absolute deviation of its history, so that one odd run neither hides the next nor becomes the norm.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from noria.ledger import Event, Ledger

_REMEMBERED = 30
_LOOKED_AT = 300
"""So far back it is looked for that many."""
_ENOUGH = 7
"""With less history nothing is odd."""
_DEVIATIONS = 5.0
_NORMAL = 1.4826
"""Times the median absolute deviation is the standard deviation, where values are normal."""
_REHEARSED = "rehearsal:"


def anomalies(
    ledger: Ledger, step: str, seconds: float, facts: Mapping[str, Any], *, looks: bool = False
) -> list[dict[str, Any]]:
    """What is odd about a step that has just finished, as ``alarm.raised`` events; at most one of them.

    Rows are odd where they are far from the median either way, time where it is far above and rows do not explain it.
    Of a step that looks for what is new only the times count when it found something.
    """
    if looks and not _count(facts):
        return []
    events = islice(ledger.events(kind="step.finished", subject=step, newest_first=True), _LOOKED_AT)
    bodies = (event.body for event in events)
    earlier = ((then, then["outcome"]["facts"]) for then in bodies)
    alike = (then for then, said in earlier if (not looks or _count(said)) and _whole(said) == _whole(facts))
    past = list(islice(alike, _REMEMBERED))
    if len(past) < _ENOUGH:
        return []
    rows = _count(facts)
    if rows is not None:
        known = [_count(then["outcome"]["facts"]) for then in past]
        counts = [float(count) for count in known if count is not None]
        low, middle, high = _band(counts, relative=0.3, absolute=10.0)
        if len(counts) >= _ENOUGH and not low <= rows <= high:
            text = f"{step} read {rows:,} rows, where {middle:,.0f} are usual"
            return [_alarm(step, "volume", text, rows, middle, low, high, len(counts))]
    took = [float(then["meters"]["wall_seconds"]) for then in past]
    low, middle, high = _band(took, relative=0.5, absolute=2.0)
    if seconds > high:
        text = f"{step} took {seconds:.1f} s, where {middle:.1f} s are usual"
        return [_alarm(step, "duration", text, round(seconds, 3), middle, low, high, len(took))]
    return []


def alarms_of(ledger: Ledger, runs: Iterable[str]) -> Iterator[Event]:
    """The alarms that these runs raised about the world as it is, not about a past that was lived again."""
    for run in runs:
        if run:
            for event in ledger.events(kind="alarm.*", run=run):
                if not event.subject.startswith(_REHEARSED):
                    yield event


def _band(values: Sequence[float], *, relative: float, absolute: float) -> tuple[float, float, float]:
    """From where to where a value is usual, and the median between.

    Never closer to the median than a share of it and an absolute distance: what hardly ever changes has no spread.
    """
    if not values:
        return float("-inf"), 0.0, float("inf")
    middle = statistics.median(values)
    spread = _NORMAL * statistics.median(abs(value - middle) for value in values)
    reach = max(_DEVIATIONS * spread, relative * middle, absolute)
    return middle - reach, middle, middle + reach


def _count(facts: Mapping[str, Any]) -> int | None:
    """The rows that a step read this time, where it says so: of a source that is read on, not the earlier ones."""
    load = facts.get("load")
    value = (load if isinstance(load, Mapping) else facts).get("read")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _whole(facts: Mapping[str, Any]) -> bool:
    """Whether all rows were read or checked again, which says nothing of how many are new as a rule."""
    load = facts.get("load")
    return bool(load.get("whole", True)) if isinstance(load, Mapping) else True


def _alarm(
    step: str, what: str, text: str, value: float, middle: float, low: float, high: float, past: int
) -> dict[str, Any]:
    body = {
        "what": what,
        "text": text,
        "value": value,
        "usual": round(middle, 3),
        "from": round(max(low, 0.0), 3),
        "to": round(high, 3),
        "history": past,
    }
    return {"kind": "alarm.raised", "subject": step, "body": body}
