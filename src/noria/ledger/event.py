"""Event: one thing that happened, as the ledger keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

KINDS: Mapping[str, str] = {
    "run.started": "a run began: command, project, code commit, plan",
    "run.finished": "a run ended well",
    "run.failed": "a run ended with an error",
    "step.finished": "a step ended: key, parts, meters, cost, outcome",
    "step.failed": "a step ended with an error",
    "table.written": "a version of a table: rows, quarantined, mode",
    "table.restored": "the newest version of a table became what an old one was",
    "table.vacuumed": "files of old versions were removed: how many, and which versions went with them",
    "contract.checked": "the verdicts of a contract",
    "source.changed": "a source is not as it was at first sight: what, what is done, what may be declared",
    "data.late": "rows came whose events were before what was known",
    "data.repaired": "what was made from a table before late rows or corrections came differs now, and by how much",
    "quarantine.corrected": "a person mended rows that were set aside",
    "quarantine.replayed": "quarantined rows went through the contract again",
    "schedule.followed": "a schedule is followed for the first time",
    "schedule.started": "a run that was due began: due",
    "schedule.ended": "what came of due times: outcome (run, nothing new, failed, skipped, missed)",
    "sealed.opened": "the sealed test set was read for a version; never twice for one",
    "sealed.repeated": "the same rows were read for the same version again, such as for other slices",
    "version.packaged": "a model version was packaged and signed",
    "version.registered": "a model version was registered",
    "gate.passed": "a gate, with its evidence",
    "gate.failed": "a gate, with its evidence",
    "approval.given": "a person approved",
    "approval.refused": "a person refused",
    "version.promoted": "a version takes requests",
    "version.refused": "a version did not pass its gates",
    "version.retired": "a version takes no more requests",
    "alarm.raised": "a monitor saw something",
    "retraining.started": "an alarm, or a person, asked for a new version",
    "rehearsal.finished": "a past period was lived again to its end",
}
"""The kinds of events and what they say. A kind that is not here cannot be appended."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes
    ----------
    seq : int
        Position in the chain, from 1.
    at : datetime
        When, UTC, by the clock that the part was given.
    kind : str
        One of `KINDS`.
    subject : str
        What it is about: a step, ``table:flights@3``, ``model:late@<version>``, ``candidate:<file digest>``, a gate.
    actor : str
        Who: a person, or ``noria`` on whose behalf.
    run : str
        The run that it belongs to; empty outside runs.
    inputs, outputs : tuple of str
        References to what it was made from and what it made.
    body : mapping
        Plain JSON.
    previous, digest : str
        The chain: BLAKE2b of the previous digest and of all fields above.
    """

    seq: int
    at: datetime
    kind: str
    subject: str
    actor: str
    run: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    previous: str = ""
    digest: str = ""


class Ledger(Protocol):
    """An append-only chain of events.

    `append` may be called from any thread and process at once; each call is durable when it returns. Nothing is ever
    changed or removed. Whoever opens it closes it.
    """

    def append(
        self,
        kind: str,
        subject: str,
        *,
        run: str = "",
        actor: str | None = None,
        inputs: tuple[str, ...] = (),
        outputs: tuple[str, ...] = (),
        body: Mapping[str, Any] | None = None,
    ) -> Event:
        """Append one event; the actor is who runs this process unless given."""

    def events(
        self,
        *,
        kind: str | None = None,
        subject: str | None = None,
        run: str | None = None,
        after: int = 0,
        newest_first: bool = False,
    ) -> Iterator[Event]:
        """Events in order of the chain; `kind` may end in ``*``: ``gate.*``."""

    def verify(self) -> list[str]:
        """What is wrong with the chain, in words that name the event; empty when all is well."""

    def close(self) -> None:
        """Let go of the connection."""
