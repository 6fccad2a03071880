"""Execution: the due steps of a plan, each in a process of its own, within its limits.

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
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Literal, Protocol

from noria.child import Child, Ended, Say, start, worded
from noria.core import Clock, NoriaError, TransientError, WallClock, canonical, content_key
from noria.cost import Meters, PriceBook
from noria.declarations import Limits, Project
from noria.lake import open_lake
from noria.ledger import Ledger, table_and_version
from noria.plan import Plan, Planned, keep_declarations
from noria.run.anomalies import anomalies
from noria.run.limits import limits_of, over
from noria.run.told import are_named_texts, fault_of_events, newest, tell
from noria.steps import Outcome, Step, StepContext
from noria.workspace import Workspace, write_atomically

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
    jobs: int | None = None,
    whole: bool = True,
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
    jobs : int, optional
        Steps that run at once; by default what the project's limits say.
    whole : bool
        Whether these are all steps of the project. After a part of them what unfinished steps keep is left alone.

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
    limits = limits_of(plan)
    run = f"{clock.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    began = time.perf_counter()
    keep_declarations(plan, workspace)
    ledger.append("run.started", f"project:{plan.project.name}", run=run, body=_started(plan, workspace, command))
    execution = _Execution(
        plan,
        workspace,
        ledger,
        clock,
        progress or Silent(),
        run,
        outcomes,
        limits,
        jobs or plan.project.limits.jobs or _cores(),
    )
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
    if whole:
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
    limits: Mapping[str, Limits]
    jobs: int
    prices: PriceBook = field(default_factory=PriceBook.load)
    running: dict[str, Child] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    not_before: dict[str, float] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)
    ready: dict[str, float] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)
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
                    elif isinstance(ended.error, TransientError) and self._may_try_again(name) and failure is None:
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
        """The steps that can start now: their inputs are there, their pause is over, and there is room."""
        free, now = self.jobs - len(self.running), time.monotonic()
        there = [name for name, each in waiting.items() if all(other in self.outcomes for other in each.step.inputs)]
        for name in there:
            self.ready.setdefault(name, now)
        return [name for name in there if self.not_before.get(name, 0.0) <= now][: max(free, 0)]

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
        self.started[step.name] = time.monotonic()
        self.began.setdefault(step.name, self.started[step.name])
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
        for name in list(self.running):
            if error := over(self.running[name], time.monotonic() - self.started[name], self.limits[name], name):
                child = self.running.pop(name)
                child.stop()
                yield name, Ended(error=error, meters=Meters(wall_seconds=time.monotonic() - self.started[name]))
        self.progress.tick()

    def _finish(self, planned: Planned, ended: Ended) -> None:
        name = planned.step.name
        outcome, meters, now = ended.value, ended.meters, time.monotonic()
        assert isinstance(outcome, Outcome)
        assert meters is not None
        meters = replace(meters, stored_bytes=_stored(outcome, self.workspace))
        price = self.prices.price(meters)
        self.outcomes[name] = replace(outcome, events=())
        pending = self._pending(planned, outcome, meters, price, now)
        path = self.workspace.root / "pending" / f"{self.run}-{name.replace(':', '-')}.json"
        write_atomically(path, canonical(pending))
        tell(self.ledger, pending)
        path.unlink()
        shutil.rmtree(self.workspace.scratch / planned.key, ignore_errors=True)
        self.executed.append(name)
        self.money += price
        self.progress.step(name, "finished", f"{meters.wall_seconds:.1f} s, {meters.peak_bytes / 2**20:,.0f} MB")

    def _pending(self, planned: Planned, outcome: Outcome, meters: Meters, price: float, now: float) -> dict[str, Any]:
        """All that the ledger will be told of a finished step."""
        step = planned.step
        inputs = [reference for name in step.inputs for reference in self.outcomes[name].outputs.values()]
        looks = step.looks is not None
        odd = anomalies(self.ledger, step.name, meters.wall_seconds, outcome.facts, looks=looks)
        body = {
            "key": planned.key,
            "parts": dict(planned.parts),
            "reason": planned.reason,
            "reads": step.reads,
            "tries": self.tries[step.name],
            **self._times(step, now),
            "meters": meters.to_body(),
            "cost": price,
            "currency": self.prices.currency,
            "tags": {**self.plan.project.tags, **step.tags},
            "outcome": {"outputs": dict(outcome.outputs), "facts": dict(outcome.facts)},
        }
        return {
            "after": newest(self.ledger),
            "run": self.run,
            "step": step.name,
            "inputs": inputs,
            "events": [*outcome.events, *odd],
            "body": body,
        }

    def _times(self, step: Step, now: float) -> dict[str, Any]:
        """When a step's inputs were there, when it began and ended, in seconds of the run; and what it waited for."""
        moments = {"ready": self.ready[step.name], "began": self.began[step.name], "ended": now}
        return {
            "after": list(step.inputs),
            "queued": round(self.began[step.name] - self.ready[step.name], 3),
            "times": {name: round(moment - self.since, 3) for name, moment in moments.items()},
        }

    def _may_try_again(self, name: str) -> bool:
        return self.tries[name] < self.limits[name].tries

    def _pause(self, name: str, error: TransientError) -> None:
        pause = self.limits[name].pause / 1e6 * 2 ** (self.tries[name] - 1) * random.uniform(0.5, 1.5)
        self.not_before[name] = time.monotonic() + pause
        self.progress.step(name, "retrying", f"in {pause:.0f} s: {error.message}")

    def _fail(self, planned: Planned, ended: Ended) -> None:
        error = ended.error
        assert error is not None
        self.broken = self.broken or planned.step.name
        body: dict[str, Any] = {
            "key": planned.key,
            "tries": self.tries[planned.step.name],
            **self._times(planned.step, time.monotonic()),
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
            total += open_lake(workspace.lake).size(*table_and_version(reference))
        elif kind == "file":
            place = workspace.root / rest
            files = place.rglob("*") if place.is_dir() else (place,)
            total += sum(file.stat().st_size for file in files if file.is_file())
    return total


def _work(
    planned: Planned, workspace: Workspace, inputs: Mapping[str, Outcome], run: str, clock: Clock, say: Say
) -> Outcome:
    """What a child does: the step, and a check that what it left can be kept."""
    outcome = planned.step.function(StepContext(workspace, planned.key, inputs, run, clock, say))
    if not isinstance(outcome, Outcome):
        raise TypeError(f"step {planned.step.name} returned a {type(outcome).__name__}, not an Outcome")
    if not are_named_texts(outcome.outputs):
        raise TypeError(f"step {planned.step.name}: outputs are names and references, both texts")
    if not isinstance(outcome.facts, Mapping):
        raise TypeError(f"step {planned.step.name}: facts are a mapping")
    if fault := fault_of_events(outcome.events):
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
