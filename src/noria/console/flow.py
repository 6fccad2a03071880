"""Flow: what went through each step of a run, how long it took and waited, and which step holds the others up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from noria.console import charts
from noria.console.figures import count, many, seconds, share, size
from noria.ledger import Event, Ledger

_NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Stage:
    """A step as a run went through it.

    Attributes
    ----------
    name : str
        Of the step.
    after : tuple of str
        The steps that it waited for.
    rows_in, rows_out : int, optional
        Rows that it read and left, of steps that say so.
    read, written : int
        Bytes that it moved from and to files and sockets.
    seconds : float
        What it took, tries that failed included.
    queued : float
        How long its inputs were there and no core was free.
    longest : bool
        Whether it is in the longest chain of steps that wait for each other.
    error : str
        Why it failed; empty where it did not.
    alarms : tuple of str
        What was odd about it.
    """

    name: str
    after: tuple[str, ...] = ()
    rows_in: int | None = None
    rows_out: int | None = None
    read: int = 0
    written: int = 0
    seconds: float = 0.0
    queued: float = 0.0
    longest: bool = False
    error: str = ""
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunFlow:
    """What the ledger says of one run.

    Attributes
    ----------
    run : str
        Its name.
    state : str
        ``"finished"``, ``"failed"`` or ``"running"``, also of one that was killed and not yet told so.
    stages : tuple of Stage
        Its steps, in the order in which they ended.
    bottleneck : str
        Which step, or which wait, holds the others up; empty where none ran.
    error : str
        Why it failed.
    """

    run: str
    state: str
    stages: tuple[Stage, ...] = field(default=())
    bottleneck: str = ""
    error: str = ""


def flow_of(ledger: Ledger, run: str | None = None) -> RunFlow | None:
    """The flow of a run, by default the last; None where there is none."""
    started = next(ledger.events(kind="run.started", run=run, newest_first=True), None)
    if started is None:
        return None
    told = list(ledger.events(run=started.run))
    stages = longest(stages_of(told))
    ended = next((event for event in told if event.kind in ("run.finished", "run.failed")), None)
    state = ended.kind.removeprefix("run.") if ended is not None else "running"
    error = str(ended.body.get("error", "")) if ended is not None and state == "failed" else ""
    return RunFlow(started.run, state, stages, bottleneck(stages), error)


def stages_of(events: Iterable[Event]) -> tuple[Stage, ...]:
    """The steps that these events tell of, each once, as it ended last."""
    ended: dict[str, Event] = {}
    alarms: dict[str, list[str]] = {}
    for event in events:
        if event.kind in ("step.finished", "step.failed"):
            ended.pop(event.subject, None)
            ended[event.subject] = event
        elif event.kind.startswith("alarm.") and not event.subject.startswith("rehearsal:"):
            step = str(event.body.get("step", event.subject))
            alarms.setdefault(step, []).append(str(event.body.get("text") or event.subject))
    left = {name: _rows_out(_facts(event)) for name, event in ended.items()}
    return tuple(_stage(event, left, tuple(alarms.get(name, ()))) for name, event in ended.items())


def _stage(event: Event, left: Mapping[str, int | None], alarms: tuple[str, ...]) -> Stage:
    body, facts = event.body, _facts(event)
    meters, after = body.get("meters", {}), tuple(body.get("after", ()))
    load = facts.get("load") or facts  # of a source that is read on, what came this time
    rows_in, rows_out = load.get("read"), load.get("kept", left[event.subject])
    if rows_in is None and left[event.subject] is not None:
        given = {name: rows for name in after if (rows := left.get(name)) is not None}
        tables = [rows for name, rows in given.items() if name.startswith("ingest:")]
        rows_in = (
            sum(tables) if tables else max(given.values(), default=None)
        )  # one set and its parts are not many sets
    times = body.get("times")
    return Stage(
        name=event.subject,
        after=after,
        rows_in=rows_in,
        rows_out=rows_out,
        read=int(meters.get("read_bytes", 0)),
        written=int(meters.get("written_bytes", 0)),
        seconds=times["ended"] - times["began"] if times else float(meters.get("wall_seconds", 0.0)),
        queued=float(body.get("queued", 0.0)),
        error=str(body.get("error", "")) if event.kind == "step.failed" else "",
        alarms=alarms,
    )


def _facts(event: Event) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = event.body.get("outcome", {}).get("facts", {})
    return facts


def _rows_out(facts: Mapping[str, Any]) -> int | None:
    """Rows that a step left: ``kept`` of an ingest, ``rows`` of what makes or parts a set."""
    rows = facts.get("kept", facts.get("rows"))
    if isinstance(rows, Mapping):
        return sum(value for value in rows.values() if isinstance(value, int))
    return rows if isinstance(rows, int) else None


def longest(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """The stages, with the longest chain of steps that wait for each other marked: a run cannot be shorter than it."""
    by_name = {stage.name: stage for stage in stages}
    reach: dict[str, float] = {}
    before: dict[str, str] = {}
    for stage in stages:  # inputs end before what waits for them
        given = [name for name in stage.after if name in reach]
        last = max(given, key=lambda name: reach[name], default="")
        before[stage.name] = last
        reach[stage.name] = (reach[last] if last else 0.0) + stage.seconds + stage.queued
    chain: set[str] = set()
    name = max(by_name, key=lambda name: reach[name], default="")
    while name:
        chain.add(name)
        name = before[name]
    return tuple(replace(stage, longest=stage.name in chain) for stage in stages)


def bottleneck(stages: Sequence[Stage]) -> str:
    """Which step or wait of the longest chain takes most of it, in words."""
    chain = [stage for stage in stages if stage.longest]
    whole = sum(stage.seconds + stage.queued for stage in chain)
    if not whole:
        return ""
    slow = max(chain, key=lambda stage: stage.seconds)
    queue = sum(stage.queued for stage in chain)
    names = " → ".join(stage.name for stage in chain)
    if queue > slow.seconds:
        what = f"waiting for a free core, {seconds(queue)} of {seconds(whole)} ({share(queue, whole)})"
    else:
        what = f"{slow.name}, {seconds(slow.seconds)} of {seconds(whole)} ({share(slow.seconds, whole)})"
    return f"{what}, in the longest chain of steps: {names}"


def flow_table(events: Iterable[Event]) -> dict[str, Any]:
    """The flow as the report shows it."""
    stages = longest(stages_of(events))
    most = max((stage.seconds for stage in stages), default=0.0) or 1.0
    held_up = bottleneck(stages)
    return {
        "text": f"{many(len(stages), 'step')}. Bottleneck: {held_up}." if held_up else "No step has run yet.",
        "rows": [
            {**cells(stage), "bar": charts.bar(stage.seconds / most), "longest": stage.longest} for stage in stages
        ],
        "alarms": [text for stage in stages for text in stage.alarms],
    }


def cells(stage: Stage) -> dict[str, str]:
    """A stage in words and figures."""
    return {
        "step": stage.name,
        "rows_in": _NOTHING if stage.rows_in is None else count(stage.rows_in),
        "rows_out": _NOTHING if stage.rows_out is None else count(stage.rows_out),
        "read": size(stage.read),
        "written": size(stage.written),
        "seconds": seconds(stage.seconds),
        "queued": seconds(stage.queued),
    }
