"""What was spent on what, and what a step will take: queries over the ledger."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice

from noria.ledger import Event, Ledger

_REMEMBERED = 5


def totals(events: Iterable[Event], *, by: str = "step") -> dict[str, float]:
    """Money by step, by model or by the values of a tag, for steps that finished and for steps that failed.

    Whatever it is grouped by, the sum is the same: what has no group is under ``""``.

    Parameters
    ----------
    events : iterable of Event
        From the ledger, of all kinds.
    by : str
        ``"step"``; ``"model"``: the version that the step's run packaged; or the name of a tag.
    """
    told = list(events)
    made = {event.run: str(event.body["version"]) for event in told if event.kind == "version.packaged" and event.run}
    spent: defaultdict[str, float] = defaultdict(float)
    for event in told:
        if event.kind in ("step.finished", "step.failed"):
            if by == "step":
                group = event.subject
            elif by == "model":
                group = made.get(event.run, "")
            else:
                group = str(event.body.get("tags", {}).get(by, ""))
            spent[group] += float(event.body.get("cost", 0.0))
    return dict(spent)


def per_prediction(ledger: Ledger) -> tuple[float, str] | None:
    """What one prediction costs, and in which currency: what serving cost in the last rehearsal, by its questions.

    None where nothing was rehearsed.
    """
    for event in ledger.events(kind="rehearsal.finished", newest_first=True):
        cost = event.body["cost"]
        return float(cost["per_thousand"]) / 1000, str(cost["currency"])
    return None


def expected(ledger: Ledger, step: str) -> tuple[float, float] | None:
    """Seconds and money that a step will take: the medians of its last five times; None where it never ran."""
    past = [
        event.body
        for event in islice(ledger.events(kind="step.finished", subject=step, newest_first=True), _REMEMBERED)
    ]
    if not past:
        return None
    return statistics.median(body["meters"]["wall_seconds"] for body in past), statistics.median(
        body["cost"] for body in past
    )
