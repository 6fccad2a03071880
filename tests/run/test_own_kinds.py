"""A project with kinds of its own, in its file and beside it, is no second-class project."""

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from noria import child, ingest
from noria.cli.graph import whole_plan
from noria.cli.init import make_project
from noria.core import type_name
from noria.declarations import dump, load_project, restore
from noria.ledger import open_ledger
from noria.plan import plan_steps
from noria.run import execute
from noria.workspace import workspace_of

OWN = """
import noria as nr
from limits import heaviest
from noria.contracts.condition import RowRule
from noria.gates.check import Check, Finding
from noria.monitoring.watch import Watch


class Light(RowRule):
    @property
    def text(self):
        return "weighs little"

    @property
    def columns(self):
        return ("weight_kg",)

    def broken(self, subject):
        import polars as pl

        return (pl.col("weight_kg") > heaviest()).fill_null(False)


class Always(Check):
    def check(self, evidence):
        from words import well

        return Finding(True, well)


class Quiet(Watch):
    def check(self, window):
        return None
"""
CHANGES = [
    ("import noria as nr\n", OWN),
    ("nr.between(", 'Light(on_fail="quarantine"), nr.between('),
    ("gates=[nr.ContractKept()", "gates=[Always()"),
    ("monitors=[nr.Drift()", 'monitors=[Quiet(every="1d", window="1d")'),
]
RUN = [sys.executable, "-c", "from noria.cli import main; main()", "run"]


def change(file: Path, *changes: tuple[str, str]) -> None:
    text = file.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file.write_text(text)


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """Its folder, after a run: steps are forked, and the rehearsal, which has threads by then, spawns."""
    folder = make_project(tmp_path_factory.mktemp("own") / "parcels")
    change(folder / "project.py", *CHANGES)
    (folder / "limits.py").write_text("def heaviest():\n    return 30\n")
    (folder / "words.py").write_text('well = "all is well"\n')
    subprocess.run([*RUN, folder], check=True, capture_output=True, timeout=300)
    return folder


def planned(folder):
    """Steps that would run, with the reason."""
    workspace = workspace_of(folder)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        return {one.step.name: one.reason for one in whole_plan(load_project(folder), workspace, ledger).due}


def last(folder, step):
    with contextlib.closing(open_ledger(workspace_of(folder).ledger)) as ledger:
        return next(ledger.events(kind="step.finished", subject=step, newest_first=True)).body["outcome"]["facts"]


def test_its_kinds_do_what_they_say(lived):
    assert last(lived, "ingest:parcels")["reasons"]["weighs little"] > 0
    assert last(lived, "gates")["findings"][0]["text"] == "all is well"
    assert last(lived, "rehearse")["questions"] > 600
    assert planned(lived) == {}


def test_a_folder_that_moved_with_its_workspace_runs_nothing(lived, tmp_path):
    assert planned(shutil.copytree(lived, tmp_path / "renamed")) == {}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("project.py", 'weight_kg") > heaviest()', 'weight_kg") >= heaviest()'), ("limits.py", "30", "31")],
)
def test_a_changed_rule_runs_its_ingest_again(lived, tmp_path, file, old, new):
    folder = shutil.copytree(lived, tmp_path / "parcels")
    change(folder / file, (old, new))
    due = planned(folder)
    assert due["ingest:parcels"] == "code changed"
    assert "ingest:couriers" not in due
    assert "training-set" in due


def test_what_is_no_rule_in_the_file_may_change_without_it(lived, tmp_path):
    folder = shutil.copytree(lived, tmp_path / "parcels")
    change(folder / "project.py", ("trials=3", "trials=4"), ("return None", "return  None"))
    due = planned(folder)
    assert not {"ingest:parcels", "training-set"} & due.keys()
    assert due["train"] == "declaration changed: search.trials 3 → 4"
    assert "code changed" in due["rehearse"]


def test_a_child_that_is_a_new_interpreter_knows_them(lived, tmp_path, monkeypatch):
    """What is forked off ``noria run`` knows them too: `lived` is made by it."""
    monkeypatch.setattr(child, "_threads", lambda: 2)
    folder = shutil.copytree(lived, tmp_path / "parcels", ignore=shutil.ignore_patterns(".noria"))
    project, workspace = load_project(folder), workspace_of(folder)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        plan = plan_steps(project, ingest.steps(project, folder), workspace, ledger)
        assert execute(plan, workspace, ledger).outcomes["ingest:parcels"].facts["reasons"]["weighs little"] > 0
    asked = project.gates[0].check  # what it is told counts for nothing: the child's voice is as good as evidence
    places = {"log": tmp_path / "log", "crash": tmp_path / "crash"}
    assert child.call("asking", asked, **places).text == "all is well"


def test_two_projects_in_one_process_keep_their_own(lived, tmp_path):
    other = shutil.copytree(lived, tmp_path / "other", ignore=shutil.ignore_patterns(".noria"))
    change(other / "limits.py", ("30", "5"))
    limits = []
    for folder in (lived, other):
        rule = load_project(folder).spine.source.contract.rules[0]
        limits.append(sys.modules[type(rule).__module__].heaviest())
        assert type_name(type(rule)) == "project:Light"
        assert restore(dump(rule)) == rule
    assert limits == [30, 5]
