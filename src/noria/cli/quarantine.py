"""``noria quarantine``: look at rows that were set aside, mend them, and replay them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from noria.cli.opened import opened

if TYPE_CHECKING:
    from noria.declarations import Project
    from noria.ledger import Ledger
    from noria.plan import Plan
    from noria.steps import Outcome
    from noria.workspace import Workspace

_SourceName = Annotated[str, typer.Argument(metavar="SOURCE", help="The name of a source.")]
_ProjectPlace = Annotated[
    str | None, typer.Option("--project", help="Its file or folder; by default the one around here.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Look at rows that were set aside, mend them, and replay them.")
    group.command("list")(_list)
    group.command("show")(_show)
    group.command("fix")(_fix)
    group.command("replay")(_replay)
    app.add_typer(group, name="quarantine")


def _list(
    source: Annotated[str | None, typer.Argument(metavar="[SOURCE]", help="One source alone.")] = None,
    project: _ProjectPlace = None,
) -> None:
    """Say how many rows each source set aside, and why."""
    with opened(project) as (declared, _, ledger):
        names = [source] if source is not None else [one.name for one in declared.sources]
        for name in names:
            for line in _counts(name, _last(declared, ledger, name)):
                typer.echo(line)


def _counts(name: str, last: Outcome | None) -> Iterator[str]:
    if last is None:
        yield f"{name}: not ingested yet"
        return
    facts = last.facts
    yield f"{name}: {facts['quarantined']:,} of {facts['read']:,} rows set aside"
    for reason, count in facts["reasons"].items():
        yield f"  {count:>9,}  {reason}"


def _show(
    source: _SourceName,
    project: _ProjectPlace = None,
    most: Annotated[int, typer.Option("--most", min=1, help="How many rows.")] = 20,
) -> None:
    """Show the rows that a source set aside, with their reasons."""
    from noria.ingest import set_aside

    with opened(project) as (declared, workspace, ledger):
        last = _last(declared, ledger, source)
        rows = set_aside(workspace, last, most) if last is not None else []
    for row in rows:
        typer.echo(f"row {row.pop('_row')}: {'; '.join(row.pop('_reasons'))}")
        typer.echo("  " + "  ".join(f"{name}={_text(value)}" for name, value in row.items()))
    count = last.facts["quarantined"] if last is not None else 0
    typer.echo(f"{len(rows):,} of {count:,} rows that {source} set aside" if count else f"{source} set no row aside")


def _text(value: Any) -> str:
    return "null" if value is None else str(value)


def _fix(
    source: _SourceName,
    where: Annotated[str, typer.Option("--where", help='Which rows, as SQL: "distance = 17", "_row = 5".')],
    to: Annotated[list[str], typer.Option("--set", metavar="COLUMN=VALUE", help="The right value, as SQL.")],
    because: Annotated[str, typer.Option("--because", help="Why, for whoever reads the ledger.")] = "",
    project: _ProjectPlace = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a run on the same workspace.")] = 2.0,
) -> None:
    """Mend rows that were set aside, now and whenever the source is read again, and replay them."""
    from noria.core import DeclarationError
    from noria.ingest import Correction, keep_correction, mends
    from noria.security import current_actor

    values = dict(text.partition("=")[::2] for text in to)
    if bad := [name for name, value in values.items() if not name or not value.strip()]:
        raise DeclarationError("a value is set as COLUMN=VALUE", value=bad[0], mend='--set "distance=170"')
    correction = Correction(where, {name.strip(): value for name, value in values.items()}, because, current_actor())
    with opened(project, lock=f"noria quarantine fix {source}", wait=wait) as (declared, workspace, ledger):
        last = _last(declared, ledger, source)
        declaration = next(one for one in declared.sources if one.name == source)
        correction, found = mends(workspace, declaration, last, correction)
        keep_correction(workspace, source, correction)
        subject = last.outputs["quarantine"] if last is not None else source
        body = {"where": correction.where, "set": dict(correction.set), "because": because, "rows": found}
        ledger.append("quarantine.corrected", subject, body=body)
    typer.echo(f"{found:,} rows that were set aside are mended")
    _replay(source, project, wait)


def _replay(
    source: _SourceName,
    project: _ProjectPlace = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a run on the same workspace.")] = 2.0,
) -> None:
    """Check rows again under today's rules without reading the source; those that now hold join the table."""
    from noria.cli.progress import progress_of
    from noria.core import clock_from_environment
    from noria.run import execute, recover

    command = f"noria quarantine replay {source}"
    with opened(project, lock=command, wait=wait) as (declared, workspace, ledger):
        for fault in recover(workspace, ledger):
            typer.echo(str(fault), err=True)
        last = _last(declared, ledger, source)
        plan = replay_plan(declared, workspace, ledger, source, last)
        if not any(planned.step.name == f"ingest:{source}" for planned in plan.due):
            typer.echo(f"nothing to replay: the rules and references of {source} are those that set its rows aside")
            return
        with progress_of(plan) as progress:
            result = execute(
                plan, workspace, ledger, clock=clock_from_environment(), progress=progress, command=command
            )
    facts, before = result.outcomes[f"ingest:{source}"].facts, last.facts["quarantined"] if last else 0
    typer.echo(f"{source}: {before:,} rows were set aside, {facts['quarantined']:,} are; {facts['kept']:,} are kept")
    typer.echo("noria run does what hangs on them")


def replay_plan(declared: Project, workspace: Workspace, ledger: Ledger, name: str, last: Outcome | None) -> Plan:
    """The ingest of a source and of those that it refers to, where it meets the rows of its last outcome again."""
    import dataclasses

    from noria.core import DeclarationError
    from noria.ingest import replaying, steps
    from noria.plan import plan_steps

    if last is None:
        raise DeclarationError("nothing of this source was ingested", value=name, mend="noria run")
    source = next(one for one in declared.sources if one.name == name)
    all_steps = {step.name: step for step in steps(declared, workspace.project_file.parent, workspace)}
    wanted = all_steps[f"ingest:{name}"]
    needed = [wanted]
    for step in needed:
        needed += [all_steps[other] for other in step.inputs if all_steps[other] not in needed]
    plan = plan_steps(declared, needed, workspace, ledger)
    return dataclasses.replace(
        plan,
        steps=tuple(
            dataclasses.replace(planned, step=replaying(planned.step, source, last))
            if planned.step is wanted and planned.due
            else planned
            for planned in plan.steps
        ),
    )


def _last(declared: Project, ledger: Ledger, name: str) -> Outcome | None:
    """What the source's ingest left last."""
    import difflib

    from noria.core import DeclarationError
    from noria.plan import outcome_of

    known = [source.name for source in declared.sources]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        mend = f"did you mean '{near[0]}'?" if near else "one of " + ", ".join(known)
        raise DeclarationError("the project has no such source", value=name, mend=mend)
    for event in ledger.events(kind="step.finished", subject=f"ingest:{name}", newest_first=True):
        return outcome_of(event)
    return None
