"""Every step of a project: the rooms' own, the rehearsal and the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from noria.declarations import Project
    from noria.ledger import Ledger
    from noria.plan import Plan
    from noria.steps import Outcome
    from noria.workspace import Workspace


def whole_plan(
    project: Project, workspace: Workspace, ledger: Ledger, looked: Mapping[str, Outcome] | None = None
) -> Plan:
    """The plan of all that ``noria run`` does; `looked` is what the steps that look have just found."""
    from noria import console, rehearsal
    from noria.plan import compile_plan

    lived = rehearsal.step(project)
    extra = (*lived, *console.step(project))
    evidence = [step.name for step in lived]
    return compile_plan(project, workspace, ledger, extra, evidence=evidence, looked=looked)
