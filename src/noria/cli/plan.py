"""``noria plan``: the graph, what would run and why, and what it would take."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from noria.plan import Plan


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(_plan)


def _plan(
    project: Annotated[str | None, typer.Argument(help="Its file or folder; by default the one around here.")] = None,
) -> None:
    """Show what a run would do, and why; run nothing."""
    from noria.cli.graph import whole_plan
    from noria.declarations import load_project
    from noria.ledger import open_ledger
    from noria.workspace import workspace_of

    workspace = workspace_of(project)
    declared = load_project(workspace.project_file)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        for line in describe(whole_plan(declared, workspace, ledger)):
            typer.echo(line)


def describe(plan: Plan) -> Iterator[str]:
    """A plan in lines: each step with what it reads, whether it would run and why."""
    from noria.cost import PriceBook

    currency = PriceBook.load().currency
    due = len(plan.due)
    yield f"{plan.project.name}: {len(plan.steps)} steps, {due or 'none'} to run"
    width = max(len(planned.step.name) for planned in plan.steps)
    for planned in plan.steps:
        step = planned.step
        reads = ", ".join(step.inputs) or step.reads
        taking = f" ({_span(planned.expected[0])})" if planned.expected else ""
        mark, why = ("▶", planned.reason + taking) if planned.due else ("·", "as before")
        yield f"  {mark} {step.name:<{width}}  {why}" + (f"  ← {reads}" if reads else "")
    if due:
        seconds, money, unknown = plan.expected
        known = f"about {_span(seconds)} of work and {money:.4f} {currency}" if unknown < due else "not known yet"
        yield f"expected: {known}" + (f", {unknown} steps without history" if 0 < unknown < due else "")


def _span(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"
