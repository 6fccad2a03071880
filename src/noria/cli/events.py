"""Events and lineage in words: what ``noria log`` and ``noria why`` print."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noria.ledger import Event, Why

_DIGITS = 12
_WIDTH = 100


def as_body(event: Event) -> dict[str, Any]:
    """An event as plain JSON."""
    form = {name: getattr(event, name) for name in event.__slots__}
    return {**form, "at": event.at.isoformat(), "body": dict(event.body)}


def line_of(event: Event) -> str:
    """An event in a line: place, time, kind, subject, what it says, who."""
    said = said_of(event)
    return (
        f"{event.seq:>5}  {event.at:%Y-%m-%d %H:%M:%S}  {event.kind:<18}  {event.subject}"
        f"{': ' if said else ''}{said}  ({event.actor})"
    )


def lines_of(why: Why, answer: tuple[float, str] | None = None) -> Iterator[str]:
    """What made a version, in sections; a section without anything in it says so.

    Parameters
    ----------
    why : Why
        From the ledger.
    answer : (float, str), optional
        What one prediction costs, and in which currency.
    """
    yield _head(why)
    if why.prediction:
        yield from _prediction(why.prediction)
    if answer is not None:
        yield f"  an answer costs {answer[0]:.3g} {answer[1]}, by the last rehearsal"
    for name, text in _facts(why.facts):
        for number, part in enumerate(textwrap.wrap(text, _WIDTH)):
            yield f"  {'' if number else name:<9} {part}"
    steps = {name: event for event in why.steps for name in event.outputs}
    yield "data"
    for table in why.tables or ("none that the ledger knows",):
        yield f"  {table}" + (f"  {_rows(steps[table])}" if table in steps else "")
    yield "steps"
    width = max((len(step.subject) for step in why.steps), default=0)
    for step in why.steps:
        key = step.body["key"][:_DIGITS]
        yield f"  {step.at:%Y-%m-%d %H:%M:%S}  {step.subject:<{width}}  key {key}  {said_of(step)}"
    yield "evidence"
    evidence = [event for event in why.decisions if event.kind.startswith(("gate.", "sealed."))]
    width = max((len(_short(event)) for event in evidence), default=0)
    for event in evidence:
        yield f"  {_short(event):<{width}}  {_verdict(event):<6}  {said_of(event)}"
    if not evidence:
        yield "  no gate was asked about it"
    for event in why.repairs:
        yield f"repaired since {event.at:%Y-%m-%d %H:%M:%S}"
        yield f"  {said_of(event)}"
    yield "people"
    people = [event for event in why.decisions if event.kind.startswith("approval.")]
    for event in people:
        yield f"  {event.at:%Y-%m-%d %H:%M:%S}  {event.actor} {_verdict(event)}, {said_of(event)}"
    if not people:
        yield "  nobody has approved or refused it"
    yield "what became of it"
    for event in why.decisions:
        if event.kind.startswith("version."):
            said = said_of(event)
            yield f"  {event.at:%Y-%m-%d %H:%M:%S}  {_verdict(event)}{': ' if said else ''}{said}  ({event.actor})"


def _head(why: Why) -> str:
    share = why.facts.get("share", 0.0)
    gets = f"it gets {share:.0%} of the requests" if share else "it gets no requests"
    named = "" if why.about == why.version else f"{why.about}: "
    return f"{named}version {why.version} of {why.endpoint or 'no endpoint that the ledger knows'}, {gets}"


def _prediction(logged: Mapping[str, Any]) -> Iterator[str]:
    from noria.core import from_micros

    yield f"  answered  {logged['probability']:.4f} at {from_micros(logged['at']):%Y-%m-%d %H:%M:%S} UTC"
    for name in ("request", "features"):
        if logged.get(name):
            said = ", ".join(f"{key} {_value(value)}" for key, value in logged[name].items())
            for number, part in enumerate(textwrap.wrap(said, _WIDTH)):
                yield f"  {'' if number else name:<9} {part}"


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "null" if value is None else str(value)


def _facts(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "made" in facts:
        yield "made", f"{facts['made'].replace('T', ' ').replace('+00:00', '')} UTC by {facts['actor']}"
    if "run" in facts:
        yield "run", facts["run"]
    changed = " with changes that are not committed" if facts.get("dirty") else ""
    yield "code", f"commit {facts['commit']}{changed}" if "commit" in facts else "not under version control"
    if "declarations" in facts:
        yield "declared", ", ".join(f"{noun} {key[:8]}" for noun, key in facts["declarations"].items())
    if "cost" in facts:
        yield "cost", f"{facts['cost']:.6f} {facts.get('currency', '')} for its steps"


def _short(event: Event) -> str:
    return "sealed test" if event.kind == "sealed.opened" else event.subject.removeprefix("gate:")


def _verdict(event: Event) -> str:
    word = event.kind.partition(".")[2]
    return {"given": "approved"}.get(word, word)


def said_of(event: Event) -> str:
    """What an event says beyond its kind and subject, in a few words."""
    body = event.body
    say: Mapping[str, Callable[[], Any]] = {
        "run.started": lambda: body["command"],
        "run.finished": lambda: f"{len(body['steps'])} steps in {body['seconds']:.1f} s",
        "run.failed": lambda: body["error"].splitlines()[0],
        "step.finished": lambda: f"{body['meters']['wall_seconds']:.1f} s, {body['cost']:.6f} {body['currency']}",
        "step.failed": lambda: body["error"].splitlines()[0],
        "table.written": lambda: f"{body['kept']:,} rows kept, {body['quarantined']:,} quarantined",
        "contract.checked": lambda: _contract(body["verdicts"]),
        "source.changed": lambda: f"{body['text']} ({body['action']}); mend: {body['mend']}",
        "data.late": lambda: f"{body['rows']:,} rows of before {body['to'][:19]}, {body['too_late']:,} too late",
        "data.repaired": lambda: _repaired(body),
        "quarantine.corrected": lambda: f"{body['rows']:,} rows where {body['where']}: {body['because']}",
        "quarantine.replayed": lambda: f"{body['released']:,} rows released, {body['set_aside']:,} set aside",
        "sealed.opened": lambda: f"{body['rows']:,} rows, {body['part']['start'][:10]} to {body['part']['end'][:10]}",
        "version.packaged": lambda: f"{body['bytes'] / 1e6:.2f} MB, signed",
        "version.registered": lambda: f"version {body['model_version']} of the registry",
        "approval.given": lambda: f"as {body['role']}: {body['text']}",
        "approval.refused": lambda: f"as {body['role']}: {body['text']}",
    }
    chosen = say.get(event.kind)
    try:
        return str(chosen() if chosen else body.get("text") or body.get("because") or "")
    except (KeyError, TypeError, IndexError):  # an event of an older form, or of somebody's own step
        return json.dumps(dict(body), ensure_ascii=False)[:120]


def _contract(verdicts: list[Mapping[str, Any]]) -> str:
    failed = [verdict for verdict in verdicts if verdict["failed"]]
    said = "; ".join(f"{verdict['failed']:,} rows not {verdict['rule']} ({verdict['on_fail']})" for verdict in failed)
    return f"{len(verdicts)} rules, {len(failed)} broken" + (f": {said}" if said else "")


def _repaired(body: Mapping[str, Any]) -> str:
    """By how much a training set differs now."""
    most = "; ".join(
        f"{name} in {one['rows']:,}" + (f", by up to {one['most']:.4g}" if one["most"] is not None else "")
        for name, one in list(body["features"].items())[:3]
    )
    said = (
        f"the training set would differ now: {body['differ']:,} of {body['before']:,} rows, {body['labels']:,} answers"
    )
    return f"{said}, {body['added']:,} rows more, {body['gone']:,} fewer" + (f"; {most}" if most else "")


def _rows(step: Event) -> str:
    facts = step.body["outcome"]["facts"]
    if "kept" not in facts:
        return ""
    return f"{facts['kept']:,} of {facts['read']:,} rows, {facts['quarantined']:,} quarantined"
