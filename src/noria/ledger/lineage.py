"""Why: what made a thing, as a walk back through the ledger from what it is to the data that it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from noria.core import DeclarationError
from noria.ledger.event import Event, Ledger
from noria.ledger.references import endpoint_and_version, is_data

_DECISIONS = ("sealed.*", "gate.*", "approval.*", "version.*")


@dataclass(frozen=True, slots=True)
class Why:
    """What made a version.

    Attributes
    ----------
    about : str
        What was asked for.
    endpoint, version : str
        What it leads to.
    facts : mapping
        ``made``, ``actor``, ``run``, ``commit``, ``dirty``, ``declarations``, ``cost``, ``currency``, ``share`` (of the
        endpoint's requests by the last promotion); what is not known is not there.
    tables : tuple of str
        The data versions that it was made from.
    steps : tuple of Event
        The steps that made it, first to last.
    decisions : tuple of Event
        The sealed test, gates, people's decisions, and what became of the version, in order.
    prediction : mapping
        The logged prediction, where one was asked for.
    repairs : tuple of Event
        By how much the data that it was made from would differ now: late rows came, or rows were corrected.
    """

    about: str
    endpoint: str
    version: str
    facts: Mapping[str, Any]
    tables: tuple[str, ...]
    steps: tuple[Event, ...]
    decisions: tuple[Event, ...]
    prediction: Mapping[str, Any] = field(default_factory=dict)
    repairs: tuple[Event, ...] = ()


def why(ledger: Ledger, what: str, *, prediction: Callable[[str], Mapping[str, Any]] = lambda wanted: {}) -> Why:
    """What made the version that an endpoint serves, a version, or a prediction.

    Parameters
    ----------
    ledger : Ledger
        Where it is written.
    what : str
        An endpoint's name, a version or at least four of its first digits, ``model:<endpoint>@<version>``, or a
        prediction's id.
    prediction : callable, optional
        From an id to the logged prediction, with its ``version``; empty where there is none. Asked last.

    Raises
    ------
    DeclarationError
        Nothing of that name is known, or more than one version begins so.
    """
    packaged = list(ledger.events(kind="version.packaged"))
    version = _version(ledger, what, packaged)
    logged = {} if version is not None else prediction(what)
    version = logged.get("version", version)
    if version is None:
        known = ", ".join(dict.fromkeys(event.body["version"] for event in packaged)) or "none yet: noria run makes one"
        raise DeclarationError(
            "nothing of that name is known", value=what, mend=f"an endpoint, a prediction's id, or a version: {known}"
        )
    made = next((event for event in packaged if event.body["version"] == version), None)
    steps = tuple(_walk_back(ledger, made)) if made else ()
    tested = {step.body["outcome"]["facts"].get("model") for step in steps if step.subject == "train"}
    events = (event for kind in _DECISIONS for event in ledger.events(kind=kind))
    about = [event for event in events if _is_about(event, version) or event.body.get("model", "") in tested - {None}]
    decisions = tuple(sorted(about, key=lambda event: event.seq))
    endpoint = next((pair[0] for event in decisions if (pair := endpoint_and_version(event.subject))), "")
    tables = {name for step in steps for name in (*step.inputs, *step.outputs) if is_data(name)}
    facts = {**_facts(ledger, made, steps), **_share(ledger, endpoint, version)}
    used = {reference for step in steps for reference in (*step.inputs, *step.outputs)}
    repairs = tuple(event for event in ledger.events(kind="data.repaired") if event.subject in used)
    return Why(what, endpoint, version, facts, tuple(sorted(tables)), steps, decisions, logged, repairs)


def _version(ledger: Ledger, what: str, packaged: list[Event]) -> str | None:
    """The version that is meant: of an endpoint's name the one that was promoted last, else the one made last."""
    pair = endpoint_and_version(what)
    name = pair[1] if pair else what
    promoted = ledger.events(kind="version.promoted", newest_first=True)
    for event in (*promoted, *reversed(packaged)):
        found = endpoint_and_version(event.subject)
        if found is not None and name in found:
            return found[1]
    if len(name) < 4:
        return None
    begin = sorted({event.body["version"] for event in packaged if event.body["version"].startswith(name)})
    if len(begin) > 1:
        raise DeclarationError("more than one version begins so", value=name, mend="one of " + ", ".join(begin))
    return str(begin[0]) if begin else None


def _is_about(event: Event, version: str) -> bool:
    named = (endpoint_and_version(reference) for reference in (event.subject, *event.inputs))
    return event.body.get("version") == version or any(pair is not None and pair[1] == version for pair in named)


def _walk_back(ledger: Ledger, made: Event) -> Iterator[Event]:
    """The steps that lead to a version, in order: whoever made an input, and so on.

    Of the times that a step made the same thing it is the last one before the version was made.
    """
    finished = list(ledger.events(kind="step.finished"))
    makers: dict[str, Event] = {}
    package: Event | None = None
    for event in finished:
        if event.seq > made.seq and package is None and set(event.outputs) & set(made.outputs):
            package = event
        if event.seq < made.seq:
            makers.update(dict.fromkeys(event.outputs, event))
    found = {package.seq: package} if package else {}
    wanted = [*made.inputs, *(package.inputs if package else ())]
    while wanted:
        maker = makers.get(wanted.pop())
        if maker is not None and maker.seq not in found:
            found[maker.seq] = maker
            wanted += maker.inputs
    yield from (found[seq] for seq in sorted(found))


def _facts(ledger: Ledger, made: Event | None, steps: tuple[Event, ...]) -> dict[str, Any]:
    if made is None:
        return {}
    started = next(ledger.events(kind="run.started", run=made.run), None) if made.run else None
    body = started.body if started else {}
    known = {
        "made": made.at.isoformat(timespec="seconds"),
        "actor": made.actor,
        "run": made.run,
        "commit": body.get("commit") or made.body.get("commit"),
        "dirty": body.get("dirty"),
        "declarations": body.get("declarations"),
        "cost": sum(float(step.body.get("cost", 0)) for step in steps) if steps else None,
        "currency": next((step.body.get("currency") for step in steps), None),
    }
    return {name: value for name, value in known.items() if value is not None and value != ""}


def _share(ledger: Ledger, endpoint: str, version: str) -> dict[str, float]:
    """What share of the endpoint's requests the version got when a version was promoted last."""
    for event in ledger.events(kind="version.promoted", newest_first=True):
        pair = endpoint_and_version(event.subject)
        if pair is not None and pair[0] == endpoint:
            return {"share": float(event.body.get("weights", {}).get(version, 0.0))}
    return {}
