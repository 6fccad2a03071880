"""What a package and a workspace keep of a declaration: no password, and nothing that only the project's code knows."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import Any

import pytest

import noria as nr
from noria.contracts.rules.between import Between
from noria.core import DeclarationError
from noria.features.aggregates.max import Max
from noria.ledger import open_ledger
from noria.models import steps

URL = "sftp://ann:hunter2@files.example/flights.csv"
OWN_KINDS = """
from noria.contracts.rules.between import Between
from noria.sources import CONNECTORS
from noria.sources.files import Files


class Light(Between):
    pass


class Shop(Files):
    def files(self, source, base):
        assert self.url.startswith("shop://ann:hunter2@host/")
        return [base / "data" / self.url.rpartition("/")[2]]


CONNECTORS["shop"] = f"{__name__}:Shop"
"""
RUN = """
import sys
from noria.declarations import load_project
from noria.ledger import open_ledger
from noria.plan import compile_plan
from noria.run import execute
from noria.workspace import workspace_of

workspace = workspace_of(sys.argv[1])
project = load_project(workspace.project_file)
workspace.root.mkdir()
ledger = open_ledger(workspace.ledger)
execute(compile_plan(project, workspace, ledger), workspace, ledger)
assert not compile_plan(project, workspace, ledger).due
"""


class Light(Between):
    """A kind of rule of a project's own."""


class Largest(Max):
    """A kind of aggregate of a project's own."""


def kinds_in(form: Any) -> set[str]:
    inner = form.values() if isinstance(form, dict) else form if isinstance(form, list) else ()
    return {form["@type"] for _ in (1,) if isinstance(form, dict) and "@type" in form}.union(*map(kinds_in, inner))


def with_source(project: nr.Project, **fields: Any) -> nr.Project:
    source = project.spine.source.replace(**fields)
    view = nr.FeatureView("carrier", source, keys="carrier", aggregates=[nr.max("delay", windows=["1h"])])
    return project.replace(spine=project.spine.replace(source=source), features=[view])


def test_where_rows_come_from_and_what_they_must_be_is_no_part_of_a_version(made, do, workspace):
    project, _ = made("baseline")
    manifests = []
    for fields in ({}, {"origin": URL}, {"contract": nr.Contract(rules=[Light("delay", 0, 9)])}):
        facts = do((steps(with_source(project, **fields))[0],))["package"].facts
        folder = workspace.packages / facts["digest"]
        manifests.append(json.loads((folder / "manifest.json").read_bytes()))
        assert not any(b"hunter2" in file.read_bytes() for file in folder.iterdir())
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    for manifest in manifests:
        assert (manifest["digest"], manifest["views"], manifest["spine"]) == tuple(
            manifests[0][name] for name in ("digest", "views", "spine")
        )
        assert {kind.partition(".")[0] for kind in kinds_in([manifest["views"], manifest["spine"]])} == {"noria"}
        assert manifest["views"][0]["source"]["event_time"] == "landed"


def test_a_version_is_its_content_not_the_steps_that_made_it(made, do, workspace):
    project, outcomes = made("baseline")
    trained = outcomes["train"].outputs["model"]
    moved = workspace.root / "artifacts" / "elsewhere.onnx"
    moved.write_bytes((workspace.root / trained.removeprefix("file:")).read_bytes())
    outcomes["train"].outputs["model"] = "file:artifacts/elsewhere.onnx"
    packaged = do((steps(project)[0],))["package"]
    assert packaged.facts["version"] == outcomes["package"].facts["version"]
    assert "file:artifacts/elsewhere.onnx" in packaged.events[0]["inputs"]


def test_an_aggregate_that_a_server_would_not_know_is_refused_before_anything_runs(project):
    view = nr.FeatureView(
        "carrier", project.spine.source, keys="carrier", aggregates=[Largest("delay", windows=["1h"])]
    )
    with pytest.raises(DeclarationError, match="does not know this kind of aggregate") as caught:
        steps(project.replace(features=[view]))
    assert "Largest" in str(caught.value)
    assert "test_kept.py" in str(caught.value)


def test_after_a_run_no_file_holds_the_password_of_a_source(project_file):
    text = project_file.read_text(encoding="utf-8").replace('"data/', '"shop://ann:hunter2@host/')
    text = text.replace("# Where rows", f"{OWN_KINDS}\n\n# Where rows", 1).replace("nr.between(", "Light(")
    project_file.write_text(text, encoding="utf-8")
    folder = project_file.parent
    # In a process of its own, whose children know the project's module: here threads run already.
    subprocess.run([sys.executable, "-c", RUN, folder], check=True, timeout=300)
    root = folder / ".noria"
    with contextlib.closing(open_ledger(f"sqlite:///{root}/ledger.db")) as ledger:
        told = " ".join(map(str, ledger.events()))
        assert [event.body["name"] for event in ledger.events(kind="version.packaged")] == ["late"]
        assert list(ledger.events(kind="version.registered"))
    kept = {path for path in root.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()}
    assert not kept
    assert "hunter2" not in told
    declarations = [path.read_text() for path in (root / "declarations").iterdir()]
    assert any("shop://***@host/parcels.csv" in text for text in declarations)
