"""What was spent on what, and what a step will take: queries over the ledger."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice

from noria.ledger import Event, Ledger

_REMEMBERED = 5


def totals(events: Iterable[Event], *, by: str = "step") -> dict[str, float]:
    """Money by step, or by the values of a tag; events other than ``step.finished`` count for nothing.

    Parameters
    ----------
    events : iterable of Event
        From the ledger.
    by : str
        ``"step"`` or the name of a tag; what lacks the tag is under ``""``.
    """
    spent: defaultdict[str, float] = defaultdict(float)
    for event in events:
        if event.kind == "step.finished":
            spent[event.subject if by == "step" else str(event.body.get("tags", {}).get(by, ""))] += float(
                event.body["cost"]
            )
    return dict(spent)


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
