"""``noria serve``: answer requests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(_serve)


def _serve(
    project: Annotated[str | None, typer.Argument(help="Its file or folder; by default the one around here.")] = None,
    host: Annotated[str, typer.Option(help="Where to listen. Off this machine it takes API keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes a free one.")] = 8080,
    name: Annotated[list[str] | None, typer.Option(help="A host name to answer to, beside the endpoint's.")] = None,
    told_clock: Annotated[Path | None, typer.Option(help="A file that tells the time, as rehearsals have.")] = None,
) -> None:
    """Serve the promoted versions of a project's endpoint until Ctrl-C or SIGTERM."""
    from noria.core import DeclarationError, ToldClock, clock_from_environment
    from noria.declarations import load_project
    from noria.serving import serve
    from noria.workspace import workspace_of

    workspace = workspace_of(project)
    declared = load_project(workspace.project_file)
    if told_clock is not None and not told_clock.is_file():
        raise DeclarationError("no clock there", place="--told-clock", value=str(told_clock))
    clock = ToldClock(told_clock) if told_clock else clock_from_environment()

    def ready(port: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        endpoint = declared.endpoint.name
        typer.echo(f"serving {endpoint} on http://{shown}:{port}/v1/{endpoint}  (Ctrl-C ends it)")

    serve(
        declared,
        workspace,
        host=host,
        port=port,
        hosts=name or (),
        clock=clock,
        api_keys=workspace.keys / "api-keys.json",
        ready=ready,
    )
