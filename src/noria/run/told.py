"""Told: what a step left goes from one small file into the ledger, each event once, also after a kill."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from noria.core import IntegrityError, NoriaError
from noria.ledger import KINDS, Ledger
from noria.workspace import Workspace

_KEY = re.compile(r"[0-9a-f]{32}")


def recover(workspace: Workspace, ledger: Ledger) -> tuple[NoriaError, ...]:
    """Tell the ledger what a killed run left untold. Call it with the workspace locked, before the plan is made.

    A step whose outcome was written down is finished: its events are told to the end, each once. A run that never
    ended is told to have failed.

    Returns
    -------
    tuple of NoriaError
        What could not be used, each said once: the file is put aside, nothing of it is told, and its step runs again.
    """
    unusable = []
    for path in sorted((workspace.root / "pending").glob("*.json")):
        try:
            pending = json.loads(path.read_text(encoding="utf-8"))
            if fault := _fault(pending):
                raise ValueError(fault)
        except (OSError, ValueError, RecursionError) as error:
            unusable.append(_put_aside(path, workspace, error))
            continue
        tell(ledger, pending)
        shutil.rmtree(workspace.scratch / pending["body"]["key"], ignore_errors=True)
        path.unlink()
    for torn in (workspace.root / "pending").glob(".*"):  # killed before it was whole: its step runs again
        torn.unlink()
    for event in ledger.events(kind="run.*", newest_first=True):
        if event.kind == "run.started":
            ledger.append("run.failed", event.subject, run=event.run, body={"error": "it was killed", "step": ""})
        break
    return tuple(unusable)


def _put_aside(path: Path, workspace: Workspace, error: Exception) -> NoriaError:
    aside = workspace.root / "crashes" / path.name
    aside.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, aside)
    return IntegrityError(
        "what a step left for the ledger cannot be used, so it does not count as finished",
        place=str(aside),
        value=str(error),
        mend="nothing: the step runs again; the file can be removed",
    )


def _fault(pending: Any) -> str:
    """What is wrong with all that the ledger would be told of a step; empty where it can be told."""
    if not isinstance(pending, dict):
        return "not an object"
    body, wanted = pending.get("body"), {"after": int, "run": str, "step": str, "inputs": list, "events": list}
    if bad := [name for name, kind in wanted.items() if not isinstance(pending.get(name), kind)]:
        return f"'{bad[0]}' is missing or wrong"
    outcome = body.get("outcome") if isinstance(body, dict) else None
    if not isinstance(outcome, dict) or not isinstance(outcome.get("facts"), dict):
        return "it holds no outcome"
    if not isinstance(body, dict) or not isinstance(body.get("key"), str) or not isinstance(body.get("parts"), dict):
        return "it holds no key"
    if not _KEY.fullmatch(body["key"]) or not 0 <= pending["after"] < 2**63:
        return "its key or place in the ledger cannot be"
    if not _are_texts(pending["inputs"]) or not are_named_texts(outcome.get("outputs")):
        return "a reference is no text"
    return fault_of_events(pending["events"])


def fault_of_events(events: Sequence[Any]) -> str:
    """Why the ledger would not take a step's events, so that nothing is committed that cannot be told."""
    for event in events:
        if not isinstance(event, Mapping) or not isinstance(event.get("subject"), str) or not event["subject"]:
            return f"an event is about nothing: {event!r:.200}"
        kind = event.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            return f"no such kind of event: {kind!r}; one of {', '.join(KINDS)}"
        if kind.startswith(("run.", "step.")):
            return f"only a run tells {kind}"
        if unknown := sorted(map(str, event.keys() - {"kind", "subject", "inputs", "outputs", "body"})):
            return f"{kind} has an unknown part: {unknown[0]}"
        if not all(_are_texts(event.get(name, ())) for name in ("inputs", "outputs")):
            return f"a reference of {kind} is no text"
        body = event.get("body", {})
        if not isinstance(body, Mapping) or not all(isinstance(name, str) for name in body):
            return f"the body of {kind} is no JSON object"
    return ""


def _are_texts(values: Any) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(value, str) for value in values)


def are_named_texts(values: Any) -> bool:
    """Whether these are names and references."""
    return isinstance(values, Mapping) and _are_texts([*values, *values.values()])


def tell(ledger: Ledger, pending: Mapping[str, Any]) -> None:
    """Append what a step's outcome says, each event once, and last that it finished."""
    key, step, run = pending["body"]["key"], pending["step"], pending["run"]
    told = {
        (event.kind, event.body.get("key"), event.body.get("n"))
        for event in ledger.events(run=run, after=pending["after"])
    }
    for n, event in enumerate(pending["events"]):
        if (event["kind"], key, n) not in told:
            ledger.append(
                event["kind"],
                event["subject"],
                run=run,
                inputs=tuple(event.get("inputs", ())),
                outputs=tuple(event.get("outputs", ())),
                body={**event.get("body", {}), "step": step, "key": key, "n": n},
            )
    if ("step.finished", key, None) not in told:
        body = pending["body"]
        outputs = tuple(body["outcome"]["outputs"].values())
        ledger.append("step.finished", step, run=run, inputs=tuple(pending["inputs"]), outputs=outputs, body=body)


def newest(ledger: Ledger) -> int:
    """The position of the newest event; 0 where there is none."""
    for event in ledger.events(newest_first=True):
        return event.seq
    return 0
