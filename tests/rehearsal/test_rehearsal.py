"""The whole rehearsal of a small project, against the real server."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from noria.cli.init import make_project
from noria.core import DeclarationError
from noria.declarations import Endpoint, load_project
from noria.ledger import open_ledger
from noria.rehearsal import step
from noria.serving import read_routes
from noria.workspace import workspace_of

RUN = [sys.executable, "-c", "from noria.cli import main; main()", "run"]


def events(folder: Path, kind: str) -> list:
    with contextlib.closing(open_ledger(workspace_of(folder).ledger)) as ledger:
        return list(ledger.events(kind=kind))


def rehearsed(folder: Path) -> dict:
    return [e for e in events(folder, "step.finished") if e.subject == "rehearse"][-1].body["outcome"]["facts"]


def timeless(facts: dict) -> dict:
    """What a rehearsal found, without what the wall clock and this machine's speed decide."""
    found = {name: facts[name] for name in ("alarms", "days", "overall", "parity", "questions", "requests", "events")}
    versions = [(one["at"], one["version"], one["passed"], one["canary"]) for one in facts["retrainings"]]
    return json.loads(json.dumps({**found, "retrainings": versions, "final": facts["final"]}))


@pytest.fixture(scope="module")
def lived(tmp_path_factory) -> Path:
    folder = make_project(tmp_path_factory.mktemp("rehearsal") / "parcels")
    subprocess.run([*RUN, folder], check=True, capture_output=True, timeout=300)
    return folder


def test_every_question_of_the_period_is_asked_and_answered(lived):
    facts = rehearsed(lived)
    assert facts["questions"] == facts["overall"]["rows"] == sum(day["rows"] for day in facts["days"]) > 600
    assert facts["single"] <= facts["requests"] <= facts["questions"]
    assert 0 < facts["p50_ms"] <= facts["p99_ms"]
    assert facts["events"] > 600
    assert facts["cost"]["serving"] > 0


def test_what_is_served_is_what_is_trained_on(lived):
    parity = rehearsed(lived)["parity"]
    assert parity["rows"] == rehearsed(lived)["questions"]
    assert parity["features"] == 11
    assert (parity["mismatches"], parity["largest"]) == (0, 0.0)


def test_a_retraining_passes_the_same_gates_and_a_canary(lived):
    [made] = rehearsed(lived)["retrainings"]
    assert [finding["gate"] for finding in made["findings"]] == ["ContractKept", "BeatsBaseline", "Latency", "Parity"]
    assert {one["step"] for one in made["steps"]} == {"train", "evaluate", "package", "gates"}
    assert made["cost"] == pytest.approx(sum(one["cost"] for one in made["steps"]))
    assert made["canary"]["ended"] > made["at"]


def test_nothing_of_it_is_seen_outside(lived):
    workspace, facts = workspace_of(lived), rehearsed(lived)
    assert dict(read_routes(workspace.serving / "late").weights) == {facts["frozen"]: 1.0}
    assert not (workspace.serving / "late" / "log").exists()
    assert len(list(workspace.packages.iterdir())) == 1
    assert {event.subject for event in events(lived, "alarm.raised")} <= {"rehearsal:late@2025-04-15"}
    assert [event.subject for event in events(lived, "version.promoted")] == [f"model:late@{facts['frozen']}"]


def later(lived: Path, folder: Path) -> Path:
    """A copy of a project that has been run, whose rehearsal begins a day later and is due."""
    shutil.copytree(lived, folder)
    text = (folder / "project.py").read_text()
    (folder / "project.py").write_text(text.replace('nr.Rehearsal("2025-04-15"', 'nr.Rehearsal("2025-04-16"'))
    return folder


def test_a_killed_rehearsal_leaves_no_server_and_begins_anew(lived, tmp_path):
    undisturbed = later(lived, tmp_path / "undisturbed" / "parcels")
    subprocess.run([*RUN, undisturbed], check=True, capture_output=True, timeout=300)
    folder = later(lived, tmp_path / "killed" / "parcels")
    process = subprocess.Popen([*RUN, folder], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "Apr:" in line:  # the period is being played
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 20
    while servers_of(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert servers_of(folder) == []
    subprocess.run([*RUN, folder, "--wait", "20"], check=True, capture_output=True, timeout=300)
    assert timeless(rehearsed(folder)) == timeless(rehearsed(undisturbed))


def servers_of(folder: Path) -> list[int]:
    """Processes that serve, and have a file of the folder open."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"noria.serving" in (place / "cmdline").read_bytes() and any(
                os.readlink(handle).startswith(str(folder)) for handle in (place / "fd").iterdir()
            ):
                found.append(int(place.name))
    return found


def test_a_project_without_one_has_no_such_step(made_project):
    project = load_project(made_project)
    assert step(project.replace(rehearsal=None, monitors=())) == ()


def test_what_only_a_rehearsal_performs_is_not_declared_in_vain(made_project):
    project = load_project(made_project).replace(rehearsal=None)
    with pytest.raises(DeclarationError, match="monitors are asked in a rehearsal"):
        step(project)
    canary = project.replace(monitors=(), endpoint=Endpoint("late", canary=0.2))
    with pytest.raises(DeclarationError, match="a canary is ended by a rehearsal") as caught:
        step(canary)
    assert "test_rehearsal.py" in str(caught.value)


def test_it_is_refused_when_it_ends_before_it_starts(made_project):
    project = load_project(made_project)
    rehearsal = project.rehearsal
    assert rehearsal is not None
    wrong = rehearsal.replace(start=rehearsal.end, end=rehearsal.start)
    with pytest.raises(DeclarationError, match="ends before it starts"):
        step(project.replace(rehearsal=wrong))
