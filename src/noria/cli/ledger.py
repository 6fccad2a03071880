"""``noria log``, ``verify``, ``why``, ``approve``: what happened, is it still so, what made this, who agrees."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from noria.ledger import Event, Ledger
    from noria.workspace import Workspace

_FAULTS = 20
_ProjectPlace = Annotated[str | None, typer.Argument(help="Its file or folder; by default the one around here.")]
_ProjectOption = Annotated[
    str | None, typer.Option("--project", help="Its file or folder; by default the one around here.")
]
_AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("log")(_log)
    app.command("verify")(_verify)
    app.command("why")(_why)
    app.command("approve")(_approve)


def _log(
    project: _ProjectPlace = None,
    kind: Annotated[str | None, typer.Option(help="Only these kinds of events: 'gate.*'.")] = None,
    run: Annotated[str | None, typer.Option(help="Only this run's.")] = None,
    last: Annotated[int | None, typer.Option(min=1, help="Only the last so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, one event a line.")] = False,
    openlineage: Annotated[bool, typer.Option(help="As OpenLineage events, one a line of JSON.")] = False,
) -> None:
    """Say what happened: every event of the ledger, in order."""
    from noria.cli.events import as_body, line_of
    from noria.core import DeclarationError
    from noria.ledger import export

    if openlineage and (kind or last or as_json):
        mend = "--run is the one that goes with it"
        raise DeclarationError(
            "--openlineage has all steps in a form of its own", value="--kind, --last, --json", mend=mend
        )
    with _opened(project) as (_, ledger):
        if openlineage:
            for told in export(ledger, run=_known_run(ledger, run)):
                typer.echo(json.dumps(told, ensure_ascii=False))
            return
        for event in _chosen(ledger, _known_kind(kind), _known_run(ledger, run), last):
            typer.echo(json.dumps(as_body(event), ensure_ascii=False) if as_json else line_of(event))


def _chosen(ledger: Ledger, kind: str | None, run: str | None, last: int | None) -> Iterator[Event]:
    from itertools import islice

    if last is None:
        yield from ledger.events(kind=kind, run=run)
    else:
        yield from reversed(list(islice(ledger.events(kind=kind, run=run, newest_first=True), last)))


def _known_kind(wanted: str | None) -> str | None:
    """A kind, or a pattern that some kind has."""
    import difflib
    from fnmatch import fnmatchcase

    from noria.core import DeclarationError
    from noria.ledger import KINDS

    if wanted is not None and not any(fnmatchcase(kind, wanted) for kind in KINDS):
        near = difflib.get_close_matches(wanted, KINDS, n=1)
        mend = f"did you mean '{near[0]}'?" if near else "one of " + ", ".join(KINDS)
        raise DeclarationError("no such kind of event", value=wanted, mend=mend)
    return wanted


def _known_run(ledger: Ledger, wanted: str | None) -> str | None:
    from itertools import islice

    from noria.core import DeclarationError

    if wanted is not None and next(ledger.events(run=wanted), None) is None:
        known = [event.run for event in islice(ledger.events(kind="run.started", newest_first=True), 5)]
        raise DeclarationError("no such run", value=wanted, mend=f"the last were {', '.join(known) or 'none'}")
    return wanted


def _verify(project: _ProjectPlace = None) -> None:
    """Check that nothing in the ledger was changed, removed or put in; exit 5 if so, naming the event."""
    from noria.core import IntegrityError, redacted

    with _opened(project) as (workspace, ledger):
        faults = ledger.verify()
        if faults:
            for fault in faults[:_FAULTS]:
                typer.echo(fault)
            if len(faults) > _FAULTS:
                typer.echo(f"and {len(faults) - _FAULTS} more")
            raise IntegrityError(
                "the ledger is not what was written",
                place=redacted(workspace.ledger),
                value=faults[0],
                mend="restore it from a copy; what changed it should be found out",
            )
        newest = next(ledger.events(newest_first=True), None)
    if newest is None:
        typer.echo("the ledger is whole: no events yet")
    else:
        typer.echo(f"the ledger is whole: {newest.seq:,} events, the last at {newest.at:%Y-%m-%d %H:%M:%S} UTC")
        typer.echo(f"its digest, to keep elsewhere: {newest.digest}")


def _why(
    name: Annotated[str, typer.Argument(help="An endpoint, a version or its beginning, or a prediction's id.")],
    project: _ProjectOption = None,
    as_json: _AsJson = False,
) -> None:
    """Say what made this: data, code, declarations, steps, evidence, people, cost."""
    from noria.cli.events import as_body, lines_of
    from noria.cost import per_prediction
    from noria.ledger import why
    from noria.serving import find_prediction

    with _opened(project) as (workspace, ledger):
        found = why(ledger, name, prediction=functools.partial(find_prediction, workspace.serving))
        if not as_json:
            for line in lines_of(found, per_prediction(ledger) if found.prediction else None):
                typer.echo(line)
            return
    told: dict[str, Any] = {part: getattr(found, part) for part in ("about", "endpoint", "version", "facts", "tables")}
    told |= {"steps": [as_body(event) for event in found.steps]}
    told |= {"decisions": [as_body(event) for event in found.decisions], "prediction": found.prediction or None}
    told["repairs"] = [as_body(event) for event in found.repairs]
    typer.echo(json.dumps(told, ensure_ascii=False, indent=1))


def _approve(
    version: Annotated[str, typer.Argument(help="A version, or its beginning.")],
    role: Annotated[str, typer.Option(help="In which role of the project's team.")],
    because: Annotated[str, typer.Option(help="Why, for those who ask later.")],
    refuse: Annotated[bool, typer.Option("--refuse", help="Say no instead.")] = False,
    project: _ProjectOption = None,
) -> None:
    """Give what a gate waits for, or refuse it, in the name of NORIA_ACTOR or the system's user."""
    from noria.declarations import load_project
    from noria.team import approve

    with _opened(project) as (workspace, ledger):
        team = load_project(workspace.project_file).team
        event = approve(ledger, team, role, version, because, refuse=refuse)
    verb = "refused" if refuse else "approved"
    typer.echo(f"{event.actor} ({role}) {verb} version {event.body['version']}: {because}")
    typer.echo("next: noria run looks at its gates again")


@contextlib.contextmanager
def _opened(place: str | None) -> Iterator[tuple[Workspace, Ledger]]:
    """The workspace and its ledger, with the clock that the environment says; nothing is made where nothing was run."""
    from noria.core import DeclarationError, clock_from_environment
    from noria.ledger import open_ledger
    from noria.workspace import workspace_of

    workspace = workspace_of(place)
    if not workspace.root.is_dir():
        mend = f"noria run {workspace.project_file.parent}"
        raise DeclarationError("nothing was run here yet", place=str(workspace.root), mend=mend)
    with contextlib.closing(open_ledger(workspace.ledger, clock_from_environment())) as ledger:
        yield workspace, ledger
