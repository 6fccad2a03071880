"""A small project that has really been through all steps before its gates."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from noria import features, ingest, models, training
from noria.declarations import Project, load_project
from noria.gates import Check, Evidence, Finding
from noria.ledger import open_ledger
from noria.steps import Outcome, StepContext
from noria.workspace import Workspace, workspace_of


@dataclass(frozen=True)
class Life:
    """What the steps left."""

    project: Project
    workspace: Workspace
    outcomes: dict[str, Outcome]

    def check(self, gate: Check, **changed: Outcome) -> Finding:
        """Ask one gate; outcomes may be replaced, by name with ``_`` for ``-``."""
        outcomes = {**self.outcomes, **{name.replace("_", "-"): outcome for name, outcome in changed.items()}}
        version = str(self.outcomes["package"].facts["version"])
        with contextlib.closing(open_ledger(self.workspace.ledger)) as ledger:
            return gate.check(Evidence(version, self.project, self.workspace, ledger, outcomes))


@pytest.fixture(scope="session")
def life(made_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Life:
    project = load_project(made_project / "project.py")
    project = project.replace(search=project.search.replace(trials=3))
    root = tmp_path_factory.mktemp("life")
    urls = {"ledger": f"sqlite:///{root}/ledger.db", "lake": f"file://{root}/lake", "online": f"lmdb:///{root}/online"}
    workspace = replace(workspace_of(made_project), root=root, **urls)
    outcomes: dict[str, Outcome] = {}
    left = [*ingest.steps(project, made_project), *features.steps(project)[:1], *training.steps(project),
            *models.steps(project)[:1]]  # fmt: skip
    while left:
        step = next(step for step in left if all(name in outcomes for name in step.inputs))
        inputs = {name: outcomes[name] for name in step.inputs}
        outcomes[step.name] = step.function(StepContext(workspace, step.name.replace(":", "-"), inputs))
        left.remove(step)
    return Life(project, workspace, outcomes)


@pytest.fixture
def changed_set(life: Life, tmp_path: Path) -> Callable[..., Outcome]:
    """The outcome of the training set with another file: ``changed_set(column=expression)``."""
    import polars as pl

    def change(**columns: pl.Expr) -> Outcome:
        outcome = life.outcomes["training-set"]
        path = life.workspace.root / outcome.outputs["set"].removeprefix("file:")
        pl.read_parquet(path).with_columns(**columns).write_parquet(tmp_path / "set.parquet")
        return Outcome({"set": f"file:{tmp_path / 'set.parquet'}"}, outcome.facts)

    return change
