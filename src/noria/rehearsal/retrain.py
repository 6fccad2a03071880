"""Retrain: the real steps, run for real, as of a moment of the rehearsal."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from noria import gates, models, run, training
from noria.core import Clock
from noria.declarations import Project
from noria.features import temporary_url
from noria.ledger import open_ledger
from noria.plan import plan_steps
from noria.security import copy_signing_key
from noria.steps import Outcome, Step
from noria.workspace import Workspace

_LEFT_OUT = ("register",)
"""Steps of a real retraining that have no place in a rehearsal: the registry shows what was promoted in earnest."""


@dataclass(frozen=True, slots=True)
class Retraining:
    """What a retraining left.

    Attributes
    ----------
    outcomes : mapping of str to Outcome
        Of its steps, and of those that it built on.
    seconds, cost : float
        Wall time, and the price of its steps.
    steps : list of dict
        ``{"step", "seconds", "cost"}`` each.
    """

    outcomes: Mapping[str, Outcome]
    seconds: float
    cost: float
    steps: list[dict[str, Any]]

    @property
    def version(self) -> str:
        """The version that it made."""
        return str(self.outcomes["package"].facts["version"])

    @property
    def promoted(self) -> bool:
        """Whether all gates let it pass."""
        return bool(self.outcomes["gates"].facts["promoted"])


def retrain(
    project: Project, workspace: Workspace, done: Mapping[str, Outcome], params: Mapping[str, Any], clock: Clock
) -> Retraining:
    """Train, evaluate and package as of the clock's now, ask the gates, and promote by canary if they let it pass.

    Parameters
    ----------
    project : Project
        What was declared.
    workspace : Workspace
        The rehearsal's own, with its own ledger: see `own_workspace`.
    done : mapping of str to Outcome
        What the steps left that are not done again: ``ingest:…``, ``training-set``.
    params : mapping
        Of the version that has the requests: where the search starts.
    clock : Clock
        The told clock.
    """
    steps = _steps(project, clock.now(), params)
    names = {step.name for step in steps}
    inputs = {name: outcome for name, outcome in done.items() if name not in names}
    with contextlib.closing(open_ledger(workspace.ledger, clock)) as ledger:
        plan = plan_steps(project, steps, workspace, ledger, done=inputs)
        result = run.execute(plan, workspace, ledger, clock=clock, command="rehearsal")
        told = list(ledger.events(kind="step.finished", run=result.run))
    taken = [
        {"step": event.subject, "seconds": event.body["meters"]["wall_seconds"], "cost": event.body["cost"]}
        for event in told
    ]
    return Retraining(result.outcomes, result.seconds, result.money, taken)


def _steps(project: Project, now: datetime, params: Mapping[str, Any]) -> list[Step]:
    steps = [
        *training.steps(project, as_of=now, start_from=params),
        *models.steps(project),
        *gates.steps(project, promote="canary"),
    ]
    return [step for step in steps if step.name not in _LEFT_OUT]


def own_workspace(workspace: Workspace, folder: Path, done: Mapping[str, Outcome]) -> Workspace:
    """A workspace for the rehearsal alone: nothing that it does can be seen outside.

    It reads the same lake and the same finished files, signs with a copy of the signing key, and has its own
    ledger, routes, packages and online store.

    Parameters
    ----------
    workspace : Workspace
        The real one.
    folder : Path
        Where the own one shall be; what an earlier try left there is removed.
    done : mapping of str to Outcome
        What the steps before left: their files are found in the own workspace under the same references.
    """
    shutil.rmtree(folder, ignore_errors=True)
    own = replace(
        workspace, root=folder, ledger=f"sqlite:///{folder}/ledger.db", online=temporary_url(folder),
        registry=f"sqlite:///{folder}/mlflow.db",
    )  # fmt: skip
    copy_signing_key(workspace.keys, own.keys)
    for reference in (reference for outcome in done.values() for reference in outcome.outputs.values()):
        kind, _, path = reference.partition(":")
        if kind != "file" or (own.root / path).exists():
            continue
        (own.root / path).parent.mkdir(parents=True, exist_ok=True)
        if path.startswith("packages/"):  # a package that is a link is refused
            shutil.copytree(workspace.root / path, own.root / path)
        elif not path.startswith("serving/"):
            (own.root / path).symlink_to(workspace.root / path)
    return own
