"""``kill -9`` at 50 random moments of a small project's life: the same result, nothing lost, nothing doubled."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from noria.cli.init import make_project
from noria.ledger import open_ledger
from noria.workspace import workspace_of

KILLS = int(os.environ.get("NORIA_KILLS", "50"))
A_LIFE = 10
"""Kills in one life: a workspace is killed this often on its way from nothing to the end."""


def project_in(folder: Path) -> Path:
    """The project of ``noria init`` without its rehearsal, whose kills have a test of their own."""
    made = make_project(folder)
    text = (made / "project.py").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if "rehearsal=" not in line and "monitors=" not in line]
    (made / "project.py").write_text("\n".join(kept), encoding="utf-8")
    return made


def start(folder: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", "from noria.cli import main; main()", "run", str(folder), "--wait", "20"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def finish(folder: Path) -> str:
    process = start(folder)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out


def events(folder: Path) -> list:
    workspace = workspace_of(folder)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        assert ledger.verify() == []
        return list(ledger.events())


def result(folder: Path) -> dict:
    """What a life comes to, without what depends on when and where it was lived."""
    from noria.lake import open_lake

    workspace = workspace_of(folder)
    lake = open_lake(workspace.lake)
    tables = {
        name: [lake.read(name, version.version).collect().sort("_row").to_dicts() for version in lake.versions(name)]
        for name in lake.tables()
    }
    last = {event.subject: event.body["outcome"] for event in events(folder) if event.kind == "step.finished"}
    evaluated = {name: last["evaluate"]["facts"][name] for name in ("score", "baseline", "difference", "slices")}
    model = workspace.root / last["train"]["outputs"]["model"].removeprefix("file:")
    return {
        "tables": tables,
        "steps": sorted(last),
        "chosen": last["train"]["facts"]["chosen"],
        "model": model.read_bytes(),
        "evaluated": json.loads(json.dumps(evaluated)),
    }


def check_told_once(folder: Path) -> None:
    told = Counter(
        (event.kind, event.subject, event.body.get("key"), event.body.get("n"))
        for event in events(folder)
        if not event.kind.startswith("run.")
    )
    assert {what: times for what, times in told.items() if times > 1} == {}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A life that nobody disturbed: what it came to and how long it took."""
    folder = project_in(tmp_path_factory.mktemp("reference") / "parcels")
    began = time.monotonic()
    finish(folder)
    seconds = time.monotonic() - began
    check_told_once(folder)
    assert "no step was run" in finish(folder)
    return result(folder), seconds


@pytest.mark.parametrize("life", range(-(-KILLS // A_LIFE)))
def test_a_life_with_kills_comes_to_the_same(tmp_path, reference, life):
    expected, seconds = reference
    chance = random.Random(life)
    folder = project_in(tmp_path / "parcels")
    kills = 0
    while kills < A_LIFE:
        process = start(folder)
        # Long enough that steps end now and then, so that later ones are killed too.
        try:
            process.wait(chance.uniform(0.1, 2.5 * seconds / A_LIFE))
        except subprocess.TimeoutExpired:
            # Only the parent, or all of them at once.
            (os.killpg if chance.random() < 0.5 else os.kill)(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
            continue
        # It came to its end before its time: new data gives the next kills something to hit.
        assert process.returncode == 0, process.communicate()[1]
        assert result(folder) == expected
        folder = project_in(tmp_path / f"parcels{kills}" / "parcels")
    finish(folder)
    assert "no step was run" in finish(folder)
    check_told_once(folder)
    assert result(folder) == expected
