"""A graph of small steps that stands for a project: run as a script, it does what ``noria run`` does with it.

``python fake_life.py FOLDER [SECONDS A STEP]`` brings the workspace in FOLDER up to date. Step ``a`` reads the file
``number`` there.
"""

import contextlib
import os
import resource
import signal
import sys
import time
from functools import partial
from pathlib import Path

from noria.core import DataError, TransientError
from noria.declarations import Endpoint, Limits, Project, Search, Source, Spine, TimeSplit
from noria.ledger import open_ledger
from noria.plan import plan_steps
from noria.run import RunResult, execute, recover
from noria.steps import Outcome, Step, StepContext
from noria.workspace import Workspace

SPLIT = TimeSplit(train_until="2013-01-01", validate_until="2013-02-01", test_until="2013-03-01")
PROJECT = Project(
    "fake",
    spine=Spine(Source("a", "number"), time="t", label="l"),
    endpoint=Endpoint("fake"),
    tags={"team": "tests"},
    search=Search("binary", split=SPLIT),
    limits=Limits(pause="10ms"),
)


def workspace_in(folder: Path) -> Workspace:
    root = folder / ".noria"
    root.mkdir(parents=True, exist_ok=True)
    return Workspace(
        root,
        folder / "project.py",
        f"sqlite:///{root}/ledger.db",
        f"file://{root}/lake",
        f"lmdb:///{root}/online",
        f"sqlite:///{root}/mlflow.db",
    )


def add(context: StepContext, *, number: int, seconds: float = 0.0) -> Outcome:
    """Adds a number to the sum of its inputs, slowly, leaves it in a file and tells two events."""
    count(context, "began")
    made = context.scratch / "made"
    made.mkdir(exist_ok=True)
    total = number + sum(outcome.facts["total"] for outcome in context.inputs.values())
    (made / "total").write_text(str(total))
    context.say("adding")
    time.sleep(seconds)
    file = context.publish(made) / "total"
    count(context, "ended")
    events = [
        {"kind": "table.written", "subject": f"table:{context.key}@{n}", "body": {"rows": total}, "outputs": [f"x:{n}"]}
        for n in range(2)
    ]
    return Outcome({"total": context.reference(file)}, {"total": total}, events)


def nothing(context: StepContext) -> Outcome:
    return Outcome(facts={"done": True})


def count(context: StepContext, what: str) -> None:
    with open(context.workspace.root / f"{what}.txt", "a") as file:
        file.write(context.key + "\n")


def counted(workspace: Workspace, what: str) -> int:
    path = workspace.root / f"{what}.txt"
    return len(path.read_text().split()) if path.exists() else 0


def refuse(context: StepContext) -> Outcome:
    raise DataError("the number is wrong", place="number:1", value="x", mend="a whole number")


def stumble(context: StepContext, *, times: int) -> Outcome:
    """Fails in a way that passes, this many times."""
    count(context, "stumbled")
    if counted(context.workspace, "stumbled") <= times:
        raise TransientError("the network is away")
    return Outcome(facts={"tries": counted(context.workspace, "stumbled")})


def crash(context: StepContext) -> Outcome:
    os.write(1, b"said before the crash\n")
    raise ZeroDivisionError("boom")


def die(context: StepContext, *, number: int = signal.SIGKILL) -> Outcome:
    os.kill(os.getpid(), number)
    time.sleep(10)
    return Outcome()


def in_place(context: StepContext, *, text: str) -> Outcome:
    """Writes a place that is not its own key's."""
    (context.workspace.root / "route").write_text(text)
    return Outcome({"route": "file:route"})


def work(context: StepContext) -> Outcome:
    """Takes 0.3 seconds of processor and 200 MB of memory, and writes them."""
    data = bytearray(200 << 20)
    for at in range(0, len(data), 4096):
        data[at] = 1
    deadline = time.process_time() + 0.3
    while time.process_time() < deadline:
        pass
    (context.scratch / "x").write_bytes(data)
    return Outcome()


def fault(context: StepContext, *, which: str) -> Outcome:
    faults = {
        "disk": OSError(28, "No space left on device", "/d/x"),
        "memory": MemoryError(),
        "permission": PermissionError(13, "no", "/d/x"),
        "wrapped": RuntimeError("Generic error: No space left on device (os error 28)"),
    }
    raise faults[which]


def fill(context: StepContext) -> Outcome:
    """Writes more than the disk has room for."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    made = context.scratch / "made"
    made.mkdir()
    (made / "x").write_bytes(bytes(2 << 20))
    return Outcome({"x": context.reference(context.publish(made) / "x")})


def second_time(context: StepContext) -> Outcome:
    """Is killed, and goes on from its scratch when it is run again."""
    mark = context.scratch / "mark"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(facts={"went_on": True})


def tell(context: StepContext, *, event: dict) -> Outcome:
    count(context, "began")
    return Outcome(events=({"kind": "table.written", "subject": "table:a@1"}, event))


def three(context: StepContext) -> Outcome:
    return 3  # type: ignore[return-value]


def nan(context: StepContext) -> Outcome:
    return Outcome(facts={"x": float("nan")})


def step(name: str, function, *inputs: str, **parameters) -> Step:
    return Step(name, partial(function, **parameters), {"name": name, **parameters}, tuple(inputs))


def graph(number: int, seconds: float = 0.0) -> list[Step]:
    """a and b side by side, c of both, d and e of c, f of all."""
    shape = {"a": (), "b": (), "c": ("a", "b"), "d": ("c",), "e": ("c",), "f": ("d", "e")}
    adds = dict.fromkeys(shape, 1) | {"a": number}
    return [
        Step(name, partial(add, number=adds[name], seconds=seconds), adds[name], inputs, tags={"part": name})
        for name, inputs in shape.items()
    ]


def live(folder: Path, steps: list[Step], done=None, project=PROJECT, **given) -> RunResult:
    workspace = workspace_in(folder)
    with workspace.lock("fake", wait=2.0), contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        for fault in recover(workspace, ledger):
            print(fault)
        return execute(plan_steps(project, steps, workspace, ledger, done), workspace, ledger, **given)


if __name__ == "__main__":
    here = Path(sys.argv[1])
    live(here, graph(int((here / "number").read_text()), float(sys.argv[2])))


def swallow(context, *, megabytes):
    held = bytearray(megabytes << 20)
    for at in range(0, len(held), 4096):
        held[at] = 1
    time.sleep(30)
    return Outcome()


def deaf(context):
    """Does not hear that it shall end."""
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(60)
