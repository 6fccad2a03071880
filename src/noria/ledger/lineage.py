"""Why: what made a thing, as a walk back through the ledger from what it is to the data that it came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from noria.core import DeclarationError
from noria.ledger.event import Event, Ledger


@dataclass(frozen=True, slots=True)
class Why:
    """What made a version.

    Attributes
    ----------
    about : str
        What was asked for.
    version : str
        The version that it leads to.
    facts : mapping
        Who, when, from which commit, at what cost.
    tables : tuple of str
        The data versions that it was made from.
    steps : tuple of Event
        The steps that made it, first to last.
    decisions : tuple of Event
        Gates, approvals and promotions of the version.
    prediction : mapping
        The logged prediction, where one was asked for.
    """

    about: str
    version: str
    facts: Mapping[str, str]
    tables: tuple[str, ...]
    steps: tuple[Event, ...]
    decisions: tuple[Event, ...]
    prediction: Mapping[str, Any] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The answer as lines of text."""
        out = [f"{self.about}: version {self.version}"]
        if self.prediction:
            out.append(
                f"  prediction  {self.prediction['probability']:.4f} from {json.dumps(self.prediction.get('request', {}))}"
            )
        out += [f"  {name:<11} {value}" for name, value in self.facts.items()]
        out += [f"  data        {table}" for table in self.tables]
        out += [
            f"  made by     {event.subject}  key {event.body['key'][:12]}  {event.at:%Y-%m-%d %H:%M:%S}"
            for event in self.steps
        ]
        out += [
            f"  {event.kind:<17} {event.subject}  {event.body.get('text', '')}  by {event.actor}"
            for event in self.decisions
        ]
        return out


def why(ledger: Ledger, what: str, *, predictions: Path | None = None) -> Why:
    """What made an endpoint's live version, a version, or a prediction.

    Parameters
    ----------
    ledger : Ledger
        Where it is written.
    what : str
        An endpoint's name, a version (or its beginning), or a prediction's id.
    predictions : Path, optional
        The folder that holds the endpoints' prediction logs.

    Raises
    ------
    DeclarationError
        Nothing of that name is known.
    """
    packaged = list(ledger.events(kind="version.packaged"))
    logged = _prediction(predictions, what) if predictions is not None else None
    version = str(logged["version"]) if logged else _version(ledger, what, packaged)
    if version is None:
        known = ", ".join(dict.fromkeys(event.body["version"] for event in packaged)) or "none yet: noria run makes one"
        raise DeclarationError(
            "nothing of that name is known", value=what, mend=f"an endpoint, a prediction's id, or a version: {known}"
        )
    made = next((event for event in reversed(packaged) if event.body["version"] == version), None)
    steps = tuple(_walk_back(ledger, made)) if made else ()
    tables = {
        ref
        for step in steps
        for ref in (*step.inputs, *step.outputs)
        if ref.startswith("table:") and "__quarantine" not in ref
    }
    decisions = tuple(
        event
        for kind in ("sealed.*", "gate.*", "approval.*", "version.*")
        for event in ledger.events(kind=kind)
        if event.body.get("version") == version
    )
    return Why(what, version, _facts(ledger, made, steps), tuple(sorted(tables)), steps, decisions, logged or {})


def _version(ledger: Ledger, what: str, packaged: list[Event]) -> str | None:
    for event in ledger.events(kind="version.promoted", newest_first=True):
        if event.body.get("endpoint") == what:
            return str(event.body["version"])
    if len(what) >= 4:
        found = {event.body["version"] for event in packaged if event.body["version"].startswith(what)}
        if len(found) == 1:
            return str(found.pop())
    name = what.removeprefix("model:").partition("@")[0]
    return next((str(e.body["version"]) for e in reversed(packaged) if e.body.get("name") == name), None)


def _prediction(folder: Path, wanted: str) -> dict[str, Any] | None:
    for file in sorted(folder.glob("*/log/*.jsonl"), reverse=True):
        with open(file, "rb") as lines:
            for line in lines:
                if wanted.encode() in line:
                    found = json.loads(line)
                    if found.get("id") == wanted:
                        return dict(found)
    return None


def _walk_back(ledger: Ledger, made: Event) -> Iterator[Event]:
    """The steps that lead to a version, in order: whoever made an input, and so on."""
    makers: dict[str, Event] = {}
    for event in ledger.events(kind="step.finished"):
        makers.update(dict.fromkeys(event.outputs, event))
    wanted, found = [*made.inputs, *made.outputs], dict[int, Event]()
    while wanted:
        maker = makers.get(wanted.pop())
        if maker is not None and maker.seq not in found:
            found[maker.seq] = maker
            wanted += maker.inputs
    yield from (found[seq] for seq in sorted(found))


def _facts(ledger: Ledger, made: Event | None, steps: tuple[Event, ...]) -> dict[str, str]:
    if made is None:
        return {}
    started = next(ledger.events(kind="run.started", run=made.run), None) if made.run else None
    body = started.body if started else {}
    cost = sum(float(step.body.get("cost", 0)) for step in steps)
    facts = {"made": f"{made.at:%Y-%m-%d %H:%M:%S} UTC by {made.actor}", "run": made.run or "none"}
    if body.get("commit"):
        facts["commit"] = f"{body['commit']}{' with uncommitted changes' if body.get('dirty') else ''}"
    if body.get("declarations"):
        facts["declared"] = ", ".join(f"{name} {key[:8]}" for name, key in body["declarations"].items())
    facts["cost"] = f"{cost:.6f} {steps[-1].body.get('currency', '')}".strip() if steps else "unknown"
    return facts
