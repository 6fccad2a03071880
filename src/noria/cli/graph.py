"""Every step of a project: the rooms' own, the rehearsal and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from noria.declarations import Project
    from noria.ledger import Ledger
    from noria.plan import Plan
    from noria.workspace import Workspace


def whole_plan(project: Project, workspace: Workspace, ledger: Ledger) -> Plan:
    """The plan of all that ``noria run`` does."""
    from noria import console, rehearsal
    from noria.plan import compile_plan

    lived = rehearsal.step(project)
    extra = (*lived, *console.step(project))
    return compile_plan(project, workspace, ledger, extra, evidence=[step.name for step in lived])
