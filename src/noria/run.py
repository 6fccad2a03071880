"""Run: a plan is executed, step by step, each in a process of its own.

The parent stays light: it starts children, listens, and alone writes to the ledger. What a step leaves is first written
to one small file in the workspace (the commit point), then to the ledger, so that a kill at any moment repeats at most
the steps that were running, and nothing is told twice.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Literal, Protocol

from noria.child import Child, Ended, Say, start, worded
from noria.core import Clock, IntegrityError, NoriaError, TransientError, WallClock, canonical, content_key
from noria.cost import Meters, PriceBook
from noria.declarations import Project
from noria.lake import open_lake
from noria.ledger import KINDS, Ledger
from noria.plan import Plan, Planned, keep_declarations
from noria.steps import Outcome, StepContext
from noria.workspace import Workspace, write_atomically

TRIES = 3
FIRST_PAUSE = 1.0
"""Seconds before the second try, on average; each further pause is twice as long."""

_KEY = re.compile(r"[0-9a-f]{32}")
_TICK = 0.2
_VERSIONS = (
    "noria", "polars", "deltalake", "numpy", "scikit-learn", "lightgbm", "optuna", "onnx", "onnxruntime", "mlflow",
)  # fmt: skip

State = Literal["started", "working", "retrying", "finished", "failed"]


class Progress(Protocol):
    """Shows how a run goes. Both methods are called from the thread that runs, and return at once."""

    def step(self, name: str, state: State, text: str) -> None:
        """Something happened to a step."""

    def tick(self) -> None:
        """Nothing happened for a moment: clocks on the screen may move."""


class Silent:
    """Progress that shows nothing."""

    def step(self, name: str, state: State, text: str) -> None:
        pass

    def tick(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did.

    Attributes
    ----------
    run : str
        Its name in the ledger; empty where there was nothing to do.
    executed : tuple of str
        The steps that ran, in the order in which they ended.
    outcomes : mapping of str to Outcome
        What every step of the plan left, now or earlier, and what was done before it.
    seconds, money : float
        What it took: wall time, and the steps' prices.
    """

    run: str
    executed: tuple[str, ...]
    outcomes: Mapping[str, Outcome]
    seconds: float = 0.0
    money: float = 0.0


def execute(
    plan: Plan,
    workspace: Workspace,
    ledger: Ledger,
    *,
    clock: Clock | None = None,
    progress: Progress | None = None,
    command: str = "noria run",
) -> RunResult:
    """Run the due steps of a plan. The caller holds the workspace's lock and has called `recover`.

    Parameters
    ----------
    plan : Plan
        From `compile_plan`, with this workspace and ledger.
    workspace : Workspace
        Where state lives.
    ledger : Ledger
        Where it is told.
    clock : Clock, optional
        What the steps take for now; by default the wall.
    progress : Progress, optional
        Shows how it goes.
    command : str
        What the user asked for.

    Raises
    ------
    NoriaError
        The first error of a step. Steps that were running have ended; what they left is kept.
    """
    outcomes = dict(plan.done)
    outcomes |= {planned.step.name: planned.outcome for planned in plan.steps if planned.outcome is not None}
    if not plan.due:
        return RunResult("", (), outcomes)
    clock = clock or WallClock()
    run = f"{clock.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    began = time.perf_counter()
    keep_declarations(plan, workspace)
    ledger.append("run.started", f"project:{plan.project.name}", run=run, body=_started(plan, workspace, command))
    execution = _Execution(plan, workspace, ledger, clock, progress or Silent(), run, outcomes)
    try:
        execution.work()
    except BaseException as error:
        fault = error if isinstance(error, NoriaError) else worded(error, place=str(workspace.root))
        with contextlib.suppress(NoriaError, OSError):  # where the ledger is the trouble, the first error counts
            told = {"error": str(fault or type(error).__name__), "step": execution.broken}
            ledger.append("run.failed", f"project:{plan.project.name}", run=run, body=told)
        if fault is None or fault is error:
            raise
        raise fault from error
    seconds = time.perf_counter() - began
    done = {"steps": execution.executed, "seconds": round(seconds, 3), "cost": execution.money}
    ledger.append("run.finished", f"project:{plan.project.name}", run=run, body=done)
    shutil.rmtree(workspace.scratch, ignore_errors=True)  # of keys that nobody asks for any more
    return RunResult(run, tuple(execution.executed), outcomes, seconds, execution.money)


@dataclass(slots=True)
class _Execution:
    """The state of a run."""

    plan: Plan
    workspace: Workspace
    ledger: Ledger
    clock: Clock
    progress: Progress
    run: str
    outcomes: dict[str, Outcome]
    prices: PriceBook = field(default_factory=PriceBook.load)
    running: dict[str, Child] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    not_before: dict[str, float] = field(default_factory=dict)
    executed: list[str] = field(default_factory=list)
    money: float = 0.0
    broken: str = ""

    def work(self) -> None:
        """Start what is ready, listen, and so on until nothing is left or something failed and the rest has ended."""
        waiting = {planned.step.name: planned for planned in self.plan.due}
        failure: NoriaError | None = None
        by_name = dict(waiting)
        try:
            while self.running or (waiting and failure is None):
                if failure is None:
                    for name in self._ready(waiting):
                        self._start(waiting.pop(name))
                for name, ended in self._listen():
                    if ended.error is None:
                        self._finish(by_name[name], ended)
                    elif isinstance(ended.error, TransientError) and self.tries[name] < TRIES and failure is None:
                        waiting[name] = by_name[name]
                        self._pause(name, ended.error)
                    else:
                        self._fail(by_name[name], ended)
                        failure = failure or ended.error
        finally:
            for child in self.running.values():
                child.stop()
        if failure is not None:
            raise failure

    def _ready(self, waiting: Mapping[str, Planned]) -> list[str]:
        free = _cores() - len(self.running)
        now = time.monotonic()
        ready = (
            name
            for name, planned in waiting.items()
            if all(other in self.outcomes for other in planned.step.inputs) and self.not_before.get(name, 0.0) <= now
        )
        return [name for name, _ in zip(ready, range(free), strict=False)]

    def _start(self, planned: Planned) -> None:
        step = planned.step
        inputs = {name: self.outcomes[name] for name in step.inputs}
        work = functools.partial(_work, planned, self.workspace, inputs, self.run, self.clock)
        file = step.name.replace(":", "-")
        self.running[step.name] = start(
            f"step {step.name}",
            work,
            log=self.workspace.root / "logs" / f"{file}.log",
            crash=self.workspace.root / "crashes" / f"{self.run}-{file}.txt",
        )
        self.tries[step.name] = self.tries.get(step.name, 0) + 1
        self.progress.step(step.name, "started", planned.reason)

    def _listen(self) -> Iterator[tuple[str, Ended]]:
        names = {child.connection: name for name, child in self.running.items()}
        if not names:
            time.sleep(_TICK)
        for connection in wait(list(names), timeout=_TICK):
            name = names[connection]  # type: ignore[index]
            message = self.running[name].receive()
            if isinstance(message, Ended):
                del self.running[name]
                yield name, message
            else:
                self.progress.step(name, "working", message)
        self.progress.tick()

    def _finish(self, planned: Planned, ended: Ended) -> None:
        name = planned.step.name
        outcome, meters = ended.value, ended.meters
        assert isinstance(outcome, Outcome)
        assert meters is not None
        meters = replace(meters, stored_bytes=_stored(outcome, self.workspace))
        price = self.prices.price(meters)
        self.outcomes[name] = replace(outcome, events=())
        pending = self._pending(planned, outcome, meters, price)
        path = self.workspace.root / "pending" / f"{self.run}-{name.replace(':', '-')}.json"
        write_atomically(path, canonical(pending))
        _tell(self.ledger, pending)
        path.unlink()
        shutil.rmtree(self.workspace.scratch / planned.key, ignore_errors=True)
        self.executed.append(name)
        self.money += price
        self.progress.step(name, "finished", f"{meters.wall_seconds:.1f} s, {meters.peak_bytes / 2**20:,.0f} MB")

    def _pending(self, planned: Planned, outcome: Outcome, meters: Meters, price: float) -> dict[str, Any]:
        """All that the ledger will be told of a finished step."""
        step = planned.step
        inputs = [reference for name in step.inputs for reference in self.outcomes[name].outputs.values()]
        body = {
            "key": planned.key,
            "parts": dict(planned.parts),
            "reason": planned.reason,
            "reads": step.reads,
            "tries": self.tries[step.name],
            "meters": meters.to_body(),
            "cost": price,
            "currency": self.prices.currency,
            "tags": {**self.plan.project.tags, **step.tags},
            "outcome": {"outputs": dict(outcome.outputs), "facts": dict(outcome.facts)},
        }
        return {
            "after": _newest(self.ledger),
            "run": self.run,
            "step": step.name,
            "inputs": inputs,
            "events": list(outcome.events),
            "body": body,
        }

    def _pause(self, name: str, error: TransientError) -> None:
        pause = FIRST_PAUSE * 2 ** (self.tries[name] - 1) * random.uniform(0.5, 1.5)
        self.not_before[name] = time.monotonic() + pause
        self.progress.step(name, "retrying", f"in {pause:.0f} s: {error.message}")

    def _fail(self, planned: Planned, ended: Ended) -> None:
        error = ended.error
        assert error is not None
        self.broken = self.broken or planned.step.name
        body: dict[str, Any] = {
            "key": planned.key,
            "tries": self.tries[planned.step.name],
            "tags": {**self.plan.project.tags, **planned.step.tags},
            "error": str(error),
            "type": type(error).__name__,
            "exit": error.exit_code,
        }
        if ended.meters is not None:
            price = self.prices.price(ended.meters)
            self.money += price
            body |= {"meters": ended.meters.to_body(), "cost": price, "currency": self.prices.currency}
        self.progress.step(planned.step.name, "failed", error.message)
        self.ledger.append("step.failed", planned.step.name, run=self.run, body=body)


def _stored(outcome: Outcome, workspace: Workspace) -> int:
    """Bytes of the files and table versions that an outcome refers to."""
    total = 0
    for reference in outcome.outputs.values():
        kind, _, rest = reference.partition(":")
        if kind == "table":
            table, _, version = rest.rpartition("@")
            total += open_lake(workspace.lake).size(table, int(version))
        elif kind == "file":
            place = workspace.root / rest
            files = place.rglob("*") if place.is_dir() else (place,)
            total += sum(file.stat().st_size for file in files if file.is_file())
    return total


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
        _tell(ledger, pending)
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
    if not _are_texts(pending["inputs"]) or not _are_named_texts(outcome.get("outputs")):
        return "a reference is no text"
    return _fault_of_events(pending["events"])


def _fault_of_events(events: Sequence[Any]) -> str:
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


def _are_named_texts(values: Any) -> bool:
    return isinstance(values, Mapping) and _are_texts([*values, *values.values()])


def _tell(ledger: Ledger, pending: Mapping[str, Any]) -> None:
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


def _newest(ledger: Ledger) -> int:
    for event in ledger.events(newest_first=True):
        return event.seq
    return 0


def _work(
    planned: Planned, workspace: Workspace, inputs: Mapping[str, Outcome], run: str, clock: Clock, say: Say
) -> Outcome:
    """What a child does: the step, and a check that what it left can be kept."""
    outcome = planned.step.function(StepContext(workspace, planned.key, inputs, run, clock, say))
    if not isinstance(outcome, Outcome):
        raise TypeError(f"step {planned.step.name} returned a {type(outcome).__name__}, not an Outcome")
    if not _are_named_texts(outcome.outputs):
        raise TypeError(f"step {planned.step.name}: outputs are names and references, both texts")
    if not isinstance(outcome.facts, Mapping):
        raise TypeError(f"step {planned.step.name}: facts are a mapping")
    if fault := _fault_of_events(outcome.events):
        raise TypeError(f"step {planned.step.name} tells what the ledger does not take: {fault}")
    json.dumps(asdict(outcome), allow_nan=False, sort_keys=True)  # as it will be written
    return outcome


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _started(plan: Plan, workspace: Workspace, command: str) -> dict[str, Any]:
    folder = workspace.project_file.parent
    return {
        "command": command,
        "project": str(workspace.project_file),
        "declarations": {
            noun: content_key(getattr(plan.project, noun)) for noun in Project.model_fields if noun != "name"
        },
        **_commit(folder),
        "versions": {"python": sys.version.split()[0], **_versions()},
        "plan": [{"step": planned.step.name, "key": planned.key, "reason": planned.reason} for planned in plan.steps],
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _VERSIONS:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _commit(folder: Path) -> dict[str, Any]:
    """The git commit of the project's folder, and whether files there differ from it; empty outside git."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
            stdin=subprocess.DEVNULL,
        )
        return done.stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "--", "."))}
    except (OSError, subprocess.SubprocessError):
        return {}
