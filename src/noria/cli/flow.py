"""``noria flow``: what went through each step of a run, what took long, and what was odd."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from noria.console import RunFlow

_BAR = 20
_HEADS = {
    "step": "step", "rows_in": "rows in", "rows_out": "rows out", "read": "read", "written": "written",
    "seconds": "time", "queued": "queued",
}  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("flow")(_flow)


def _flow(
    project: Annotated[str | None, typer.Argument(help="Its file or folder; by default the one around here.")] = None,
    run: Annotated[str | None, typer.Option(help="Of this run, by its name in the log; by default the last.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show what went through each step of a run: rows, bytes, time, and which step holds the others up."""
    import json
    from dataclasses import asdict

    from noria.console import flow_of
    from noria.core import NoriaError
    from noria.ledger import open_ledger
    from noria.workspace import workspace_of

    workspace = workspace_of(project)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        found = flow_of(ledger, run)
    if found is None:
        mend = "noria log --kind 'run.*' names them" if run else "noria run makes one"
        raise NoriaError("there is no such run" if run else "nothing was run yet", value=run, mend=mend)
    for line in [json.dumps(asdict(found))] if as_json else _lines(found):
        typer.echo(line)


def _lines(flow: RunFlow) -> Iterator[str]:
    from noria.console import cells

    yield f"run {flow.run}: {flow.state}"
    rows = [_HEADS, *(cells(stage) for stage in flow.stages)]
    width = {name: max(len(row[name]) for row in rows) for name in _HEADS}
    most = max((stage.seconds for stage in flow.stages), default=0.0) or 1.0
    for row, stage in zip(rows, (None, *flow.stages), strict=True):
        text = "  ".join(row[name].rjust(width[name]) for name in _HEADS if name != "step")
        mark = " " if stage is None else "✗" if stage.error else "●" if stage.longest else "·"
        bar = "" if stage is None else "█" * max(1, round(_BAR * stage.seconds / most))
        yield f"  {mark} {row['step']:<{width['step']}}  {text}  {bar}".rstrip()
    if flow.bottleneck:
        yield f"bottleneck: {flow.bottleneck}"
    for stage in flow.stages:
        for text in stage.alarms:
            yield f"alarm: {text}"
    for stage in flow.stages:
        if stage.error:
            yield f"failed: {stage.name}: {stage.error}"
    if flow.error and not any(stage.error for stage in flow.stages):
        yield f"failed: {flow.error}"
