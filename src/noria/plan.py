"""Plan: the steps of a project in order, which of them would run, why, and what that would take.

Planning is cheap, because a run with nothing to do is nothing but a plan: it hashes declarations, code and fingerprints
and asks the ledger; no data library is imported. What needs one (checking names and time of knowledge against the
sources' columns) happens in a child process, once for each content.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from noria import child
from noria.core import (
    DeclarationError,
    canonical,
    clock_from_environment,
    code_key,
    content_key,
    plain,
    redacted,
    without_secrets,
)
from noria.cost import expected
from noria.declarations import Project
from noria.lake import open_lake
from noria.ledger import Event, Ledger, table_and_version
from noria.steps import Outcome, Step
from noria.workspace import Workspace, write_atomically

_FINISHED = "step.finished"


@dataclass(frozen=True, slots=True)
class Planned:
    """One step of a plan.

    Attributes
    ----------
    step : Step
        The step.
    key : str
        Its content key.
    parts : mapping of str to str
        What the key is made of, see `Step.parts`.
    reason : str
        Why it would run; empty where it would not.
    outcome : Outcome, optional
        What it left, where it would not run.
    expected : (float, float), optional
        Seconds and money that it will take, by its history.
    """

    step: Step
    key: str
    parts: Mapping[str, str]
    reason: str
    outcome: Outcome | None
    expected: tuple[float, float] | None

    @property
    def due(self) -> bool:
        """Whether it would run."""
        return bool(self.reason)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a project, inputs before the steps that read them.

    Attributes
    ----------
    project : Project
        What it is a plan of.
    steps : tuple of Planned
        All steps, due or not.
    done : mapping of str to Outcome
        What was there before: inputs of these steps that no step of this plan makes.
    """

    project: Project
    steps: tuple[Planned, ...]
    done: Mapping[str, Outcome] = field(default_factory=dict)

    @property
    def due(self) -> tuple[Planned, ...]:
        """The steps that would run."""
        return tuple(planned for planned in self.steps if planned.due)

    @property
    def looks(self) -> Plan | None:
        """The due steps whose result only running them tells, with what they wait for; None where there are none."""
        wanted = {planned.step.name for planned in self.due if planned.step.looks is not None}
        if not wanted:
            return None
        for planned in reversed(self.steps):
            if planned.step.name in wanted:
                wanted |= set(planned.step.inputs)
        return replace(self, steps=tuple(planned for planned in self.steps if planned.step.name in wanted))

    @property
    def expected(self) -> tuple[float, float, int]:
        """Seconds and money of the due steps whose history is known, and how many of them have none."""
        known = [planned.expected for planned in self.due if planned.expected is not None]
        return sum(pair[0] for pair in known), sum(pair[1] for pair in known), len(self.due) - len(known)


def compile_plan(
    project: Project,
    workspace: Workspace,
    ledger: Ledger,
    extra_steps: Sequence[Step] = (),
    *,
    evidence: Sequence[str] = (),
    looked: Mapping[str, Outcome] | None = None,
) -> Plan:
    """Join the rooms' steps into a plan.

    What a step that looks will find is not known before it ran; until then the plan takes it that nothing is new. So a
    run goes in two parts: `Plan.looks` first, then the plan that is compiled again with what they found.

    Parameters
    ----------
    project : Project
        The declarations.
    workspace : Workspace
        Its state.
    ledger : Ledger
        What happened so far.
    extra_steps : sequence of Step
        Steps of rooms above this one: the rehearsal, the report.
    evidence : sequence of str
        Which of these must have ended before the gates are asked.
    looked : mapping of str to Outcome, optional
        What the steps that look found just now; without it, they are due.

    Raises
    ------
    DeclarationError
        A declaration asks for what cannot be, such as a feature that reads what is not known yet.
    DataError
        A source cannot be read.
    """
    refuse_another(project, workspace, ledger)
    open_lake(workspace.lake)  # refuses what no lake can be
    steps = [*_declared(project, workspace, ledger, evidence), *extra_steps]
    plan = plan_steps(project, steps, workspace, ledger, looked=looked)
    _check_once(plan, workspace)
    return plan


def refuse_another(project: Project, workspace: Workspace, ledger: Ledger) -> None:
    """Two projects in one workspace would write over each other's routes, online store and report."""
    for event in ledger.events(kind="run.started", newest_first=True):
        if event.subject != f"project:{project.name}":
            raise DeclarationError(
                "this workspace is another project's",
                place=str(workspace.root),
                value=f"{event.subject.removeprefix('project:')}, not {project.name}",
                mend="give each project its own: NORIA_WORKSPACE, or [workspace] root of noria.toml",
            )
        return


def plan_steps(
    project: Project,
    steps: Iterable[Step],
    workspace: Workspace,
    ledger: Ledger,
    done: Mapping[str, Outcome] | None = None,
    *,
    looked: Mapping[str, Outcome] | None = None,
) -> Plan:
    """The plan of these steps alone, see `compile_plan`; `done` is what other steps, by name, left for them to read."""
    done = done or {}
    return Plan(project, tuple(_planned(in_order(steps, done), workspace, ledger, done, looked or {})), done)


def in_order(steps: Iterable[Step], done: Collection[str] = ()) -> list[Step]:
    """Steps with inputs first, otherwise in the order given; the inputs named in `done` are there already.

    Raises
    ------
    DeclarationError
        Two have one name, an input is no step, or steps wait for each other.
    """
    waiting: dict[str, Step] = {}
    for step in steps:
        if waiting.setdefault(step.name, step) is not step:
            raise DeclarationError("two steps have the same name", value=step.name, mend="rename one of them")
    for step in waiting.values():
        if missing := [name for name in step.inputs if name not in waiting and name not in done]:
            raise DeclarationError(f"step '{step.name}' reads a step that is not there", value=missing[0])
    ordered: dict[str, Step] = {}
    while waiting:
        ready = next((step for step in waiting.values() if not waiting.keys() & {*step.inputs}), None)
        if ready is None:
            raise DeclarationError("steps wait for each other", value=", ".join(waiting))
        ordered[ready.name] = waiting.pop(ready.name)
    return list(ordered.values())


def _declared(project: Project, workspace: Workspace, ledger: Ledger, evidence: Sequence[str]) -> tuple[Step, ...]:
    from noria import features, gates, ingest, models, training

    steps = (
        *ingest.steps(project, workspace.project_file.parent, workspace),
        *features.steps(project),
        *training.steps(project),
        *models.steps(project),
        *gates.steps(project, ledger, evidence=evidence),
    )
    # What these fill lies where the workspace says: elsewhere it has to be filled anew.
    filled = {"materialise": workspace.online, "register": workspace.registry}
    return tuple(_in_place(step, filled[step.name], workspace) if step.name in filled else step for step in steps)


def _in_place(step: Step, url: str, workspace: Workspace) -> Step:
    return replace(step, fingerprint=content_key(url.replace(str(workspace.root), "")), reads=redacted(url))


def _planned(
    steps: Sequence[Step], workspace: Workspace, ledger: Ledger, done: Mapping[str, Outcome],
    looked: Mapping[str, Outcome],
) -> Iterator[Planned]:  # fmt: skip
    keys = {name: content_key(outcome.outputs) for name, outcome in done.items()}
    due: set[str] = set()
    for step in steps:
        key = keys[step.name] = step.key(keys)
        parts = step.parts(keys)
        last, same = _history(step, key, ledger) if step.looks is None else (_last(step, ledger), None)
        reason, outcome = "", None
        if step.looks is not None:
            outcome = looked.get(step.name) or _still_new(step, parts, last, workspace)
            reason = "" if outcome is not None else _looks(step, parts, last, due, workspace)
            left = outcome or (outcome_of(last) if last is not None else None)
            keys[step.name] = content_key(left.outputs if left is not None else {})
        elif same is not None:
            outcome = outcome_of(same)
            if gone := _gone(outcome, workspace):
                reason, outcome = f"{gone} is gone", None
            elif last is not same and not _stands_alone(outcome, key):
                reason, outcome = _changed(step, parts, last, due, workspace), None
        else:
            reason = _changed(step, parts, last, due, workspace)
        if reason and step.looks is None:
            due.add(step.name)
        yield Planned(step, key, parts, reason, outcome, expected(ledger, step.name) if reason else None)


def _still_new(step: Step, parts: Mapping[str, str], last: Event | None, workspace: Workspace) -> Outcome | None:
    """What a step that looks left last, where that is young enough and nothing else that it hangs on changed."""
    before = last.body["parts"] if last is not None else {}
    if last is None or any(parts[part] != before[part] for part in ("code", "declaration", "inputs")):
        return None
    if parts["data"] == before["data"]:  # it can tell that nothing is new
        return outcome_of(last) if not _gone(outcome_of(last), workspace) else None
    age = (clock_from_environment().now() - last.at) // timedelta(microseconds=1)
    outcome = outcome_of(last)
    return outcome if age < (step.looks or 0) and not _gone(outcome, workspace) else None


def _looks(step: Step, parts: Mapping[str, str], last: Event | None, due: set[str], workspace: Workspace) -> str:
    """Why a step that looks is due: what changed, or only that it looks."""
    if last is None:
        return "first run"
    changed = _changed(step, {**parts, "data": last.body["parts"]["data"]}, last, due, workspace)
    if changed != "its inputs changed":
        return changed
    return f"new data: {step.reads}" if step.tells else "looks for what is new"


def outcome_of(event: Event) -> Outcome:
    """The outcome that a ``step.finished`` event keeps."""
    return Outcome(**event.body["outcome"])


def _last(step: Step, ledger: Ledger) -> Event | None:
    """The last time that the step finished."""
    return next(iter(ledger.events(kind=_FINISHED, subject=step.name, newest_first=True)), None)


def _history(step: Step, key: str, ledger: Ledger) -> tuple[Event | None, Event | None]:
    """The last time that the step finished, and the last time that it did so with this key."""
    last = None
    for event in ledger.events(kind=_FINISHED, subject=step.name, newest_first=True):
        last = last or event
        if event.body["key"] == key:
            return last, event
    return last, None


def _gone(outcome: Outcome, workspace: Workspace) -> str:
    """The first thing that the outcome refers to and that is not there any more."""
    for reference in outcome.outputs.values():
        kind, _, rest = reference.partition(":")
        if kind == "file" and not (workspace.root / rest).exists():
            return rest
        if kind == "table":
            table, version = table_and_version(reference)
            if not open_lake(workspace.lake).has(table, version):
                return f"table {table}"
    return ""


def _stands_alone(outcome: Outcome, key: str) -> bool:
    """Whether what a step left lies under its content alone.

    Otherwise it put something in a place that a later run of the same step wrote over (routes, the online store, the
    report), and going back to old content means doing it again.
    """
    alone = (f"file:artifacts/{key}", "file:packages/", "table:")
    return bool(outcome.outputs) and all(reference.startswith(alone) for reference in outcome.outputs.values())


def _changed(step: Step, parts: Mapping[str, str], last: Event | None, due: set[str], workspace: Workspace) -> str:
    if last is None:
        return "first run"
    before = last.body["parts"]
    reasons = []
    if parts["declaration"] != before["declaration"]:
        reasons.append(_declaration_changed(step, before["declaration"], workspace))
    if parts["data"] != before["data"]:
        reasons.append(f"new data: {step.reads}" if step.reads else "new data")
    if parts["code"] != before["code"]:
        reasons.append("code changed")
    if not reasons and (running := [name for name in step.inputs if name in due]):
        reasons.append("because " + ", ".join(running) + (" runs" if len(running) == 1 else " run"))
    return "; ".join(reasons) or "its inputs changed"


def declaration_file(workspace: Workspace, key: str) -> Path:
    """Where the workspace keeps a declaration that some step ran with, by the hash in `Step.parts`."""
    return workspace.root / "declarations" / f"{key}.json"


def _declaration_changed(step: Step, before: str, workspace: Workspace) -> str:
    """Which fields changed: the old declaration is kept beside the ledger, under its hash."""
    try:
        old = json.loads(declaration_file(workspace, before).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "declaration changed"
    changes = list(_differences(old, json.loads(_shown(step))))
    fields = [path for path, _, _ in changes]
    what = "contract" if fields and all("contract" in path for path in fields) else "declaration"
    if len(changes) > 2 or not changes:
        return f"{what} changed"
    return f"{what} changed: " + ", ".join(
        ".".join(path[-2:]) + (f" {_brief(old)} → {_brief(new)}" if _brief(old) and _brief(new) else "")
        for path, old, new in changes
    )


def _shown(step: Step) -> str:
    """A step's declaration as it may be kept: JSON without the users and passwords of URLs."""
    return without_secrets(canonical(plain(step.declaration)).decode())


def _differences(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for name in old:
            yield from _differences(old[name], new[name], (*path, name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for before, after in zip(old, new, strict=True):
            yield from _differences(before, after, path)
    elif old != new:
        yield path, old, new


def _brief(value: Any) -> str:
    text = "" if isinstance(value, dict | list) else str(value)
    return text if len(text) <= 40 else ""


def _check_once(plan: Plan, workspace: Workspace) -> None:
    """Check the declarations against the sources' columns, unless just these were checked before."""
    ingests = [planned for planned in plan.steps if planned.step.name.startswith("ingest:")]
    if any(planned.step.looks is not None and planned.outcome is None for planned in ingests):
        return  # what a server's columns are, looking will tell
    fingerprints = [
        planned.step.fingerprint if planned.step.looks is None or planned.outcome is None
        else content_key(planned.outcome.outputs)
        for planned in ingests
    ]  # fmt: skip
    key = content_key(plan.project, fingerprints, code_key(_check, plan.project))
    remembered = workspace.root / "checked"
    if remembered.is_file() and remembered.read_text(encoding="ascii") == key:
        return
    known = {
        planned.step.name.removeprefix("ingest:"): planned.outcome.facts["schema"]
        for planned in ingests
        if planned.outcome is not None
    }
    check = functools.partial(_check, plan.project, workspace.project_file.parent, known)
    child.call(
        "checking the declarations",
        check,
        log=workspace.root / "logs" / "check.log",
        crash=workspace.root / "crashes" / "check.txt",
    )
    write_atomically(remembered, key.encode())


def _check(project: Project, base: Path, known: Mapping[str, Mapping[str, Any]], say: Callable[[str], None]) -> None:
    """Refuse contracts that do not fit, and features of what is not known yet."""
    from noria.features import features_of
    from noria.ingest import schemas_of
    from noria.training import check_search

    features = features_of(project, schemas_of(project, base, known))
    check_search(project.search, [feature.to_body() for feature in features])


def keep_declarations(plan: Plan, workspace: Workspace) -> None:
    """Keep the declarations of the due steps in the workspace, so that a later plan can say what changed."""
    for planned in plan.due:
        path = declaration_file(workspace, planned.parts["declaration"])
        if not path.exists():
            write_atomically(path, _shown(planned.step).encode())
