"""``noria run``: do what is new, show it, sum it up."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(_run)


def _run(
    project: Annotated[str | None, typer.Argument(help="Its file or folder; by default the one around here.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for another run on the same workspace.")] = 2.0,
) -> None:
    """Bring a project up to date: run the steps whose code, declaration or data is new; exit 6 if a gate says no."""
    from noria.cli.graph import whole_plan
    from noria.cli.progress import progress_of
    from noria.cli.summary import summary
    from noria.core import GateError, clock_from_environment
    from noria.declarations import load_project
    from noria.ledger import open_ledger
    from noria.run import execute, recover
    from noria.workspace import workspace_of

    workspace = workspace_of(project)
    declared = load_project(workspace.project_file)
    clock = clock_from_environment()
    # The wait's default gives a run that was just killed the time to be cleared away.
    with workspace.lock("noria run", wait=wait), contextlib.closing(open_ledger(workspace.ledger, clock)) as ledger:
        for fault in recover(workspace, ledger):
            typer.echo(str(fault), err=True)
        plan = whole_plan(declared, workspace, ledger)
        with progress_of(plan) as progress:
            try:
                result = execute(plan, workspace, ledger, clock=clock, progress=progress)
            except KeyboardInterrupt:
                typer.echo("interrupted; what is finished is kept", err=True)
                raise
        for line in summary(plan, result, workspace, ledger):
            typer.echo(line)
    asked = result.outcomes.get("gates")
    if asked is not None and not (asked.facts["promoted"] or asked.facts["waiting"]):
        raise typer.Exit(GateError.exit_code)
