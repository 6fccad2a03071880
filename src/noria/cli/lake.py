"""``noria lake``: what tables there are and were, how versions differ, an old one back, and room."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from noria.lake import Lake
    from noria.ledger import Ledger
    from noria.workspace import Workspace

_Table = Annotated[str, typer.Argument(metavar="TABLE", help="The name of a table, mostly that of its source.")]
_ProjectPlace = Annotated[
    str | None, typer.Option("--project", help="Its file or folder; by default the one around here.")
]
_Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait for a run on the same workspace.")]
_UNITS = ("bytes", "KB", "MB", "GB", "TB")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Look at the tables of the lake and their versions, and keep them.")
    for name, command in (
        ("list", _list), ("history", _history), ("diff", _diff), ("size", _size), ("restore", _restore),
        ("compact", _compact), ("vacuum", _vacuum),
    ):  # fmt: skip
        group.command(name)(command)
    app.add_typer(group, name="lake")


def _list(project: _ProjectPlace = None) -> None:
    """Say what tables there are: their newest version, rows, and when they were written last."""
    with _opened(project) as (_, _, lake):
        names = lake.tables()
        for name in names:
            newest = lake.history(name)[0]
            typer.echo(
                f"{name}: version {newest.version}, {_count(newest.rows)} rows, {newest.what} {_moment(newest.at)}"
            )
    if not names:
        typer.echo("the lake is empty: noria run fills it")


def _history(
    table: _Table,
    project: _ProjectPlace = None,
    most: Annotated[int, typer.Option("--most", min=1, help="How many versions, newest first.")] = 20,
) -> None:
    """Say what each version of a table is: who made it, when, by what, and how many rows and bytes that took."""
    with _opened(project) as (_, _, lake):
        commits = _there(lake, table).history(table)
    for one in commits[:most]:
        change = f"+{_count(one.added)} -{_count(one.removed)} rows"
        typer.echo(
            f"{one.version:>6}  {_moment(one.at)}  {one.what}  {change}, {_count(one.rows)} in all, "
            f"{_bytes(one.written)} written  {one.who or '?'}  {one.step[:12]}".rstrip()
        )
    if len(commits) > most:
        typer.echo(f"{len(commits) - most:,} older: --most {len(commits)}")


def _diff(
    table: _Table,
    old: Annotated[int, typer.Argument(metavar="OLD", help="A version.")],
    new: Annotated[int, typer.Argument(metavar="NEW", help="Another one.")],
    project: _ProjectPlace = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="A column that names a row; again for more. By default the contract's key."),
    ] = None,
    most: Annotated[int, typer.Option("--most", min=0, help="How many rows of each to show.")] = 5,
) -> None:
    """Say how two versions of a table differ."""
    from noria.cli.opened import opened
    from noria.lake import open_lake

    with opened(project) as (declared, workspace, _):
        by = key or next((source.contract.key for source in declared.sources if source.name == table), ())
        found = _there(open_lake(workspace.lake), table).diff(table, old, new, key=by, most=most)
    for column in found.columns:
        typer.echo(column)
    by_key = f", {found.changed:,} changed" if by else ""
    typer.echo(f"{table}, {old} to {new}: {found.added:,} rows added, {found.removed:,} removed{by_key}")
    for row in found.examples:
        values = "  ".join(f"{name}={_value(value)}" for name, value in row.items() if name)
        typer.echo(f"{row['']} {values}")


def _size(project: _ProjectPlace = None) -> None:
    """Say what each table takes: its newest version, and all that is kept of older ones."""
    with _opened(project) as (_, _, lake):
        found = [lake.usage(name) for name in lake.tables()]
    for one in sorted(found, key=lambda one: -one.stored):
        typer.echo(
            f"{one.table}: {_bytes(one.bytes)} in {one.files:,} files, "
            f"{_bytes(one.stored)} with all {one.versions:,} versions"
        )
    newest, stored = sum(one.bytes for one in found), sum(one.stored for one in found)
    typer.echo(f"in all: {_bytes(newest)}, {_bytes(stored)} with all versions")


def _restore(
    table: _Table,
    version: Annotated[int, typer.Argument(metavar="VERSION", help="The version to go back to.")],
    project: _ProjectPlace = None,
    wait: _Wait = 2.0,
) -> None:
    """Make the newest version of a table what an old one was, with the state of its source; nothing is lost."""
    from noria.ledger import table_reference

    with _opened(project, lock=f"noria lake restore {table} {version}", wait=wait) as (_, ledger, lake):
        made = _there(lake, table).restore(table, version)
        ledger.append(
            "table.restored", table_reference(table, made), inputs=(table_reference(table, version),),
            outputs=(table_reference(table, made),),
        )  # fmt: skip
    typer.echo(f"{table}: version {made} is what version {version} was")


def _compact(
    table: _Table,
    project: _ProjectPlace = None,
    order: Annotated[
        list[str] | None, typer.Option("--order", help="A column that is often asked for; again for more (Z-order).")
    ] = None,
    wait: _Wait = 2.0,
) -> None:
    """Put the small files of a table together; no row changes."""
    with _opened(project, lock=f"noria lake compact {table}", wait=wait) as (_, _, lake):
        before = _there(lake, table).usage(table)
        lake.compact(table, order=order or ())
        after = lake.usage(table)
    typer.echo(
        f"{table}: {before.files:,} files of {_bytes(before.bytes)} are {after.files:,} of {_bytes(after.bytes)}"
    )


def _vacuum(
    table: _Table,
    project: _ProjectPlace = None,
    days: Annotated[
        float | None,
        typer.Option(
            "--older-than", min=0, metavar="DAYS", help="Versions replaced longer ago go. By default all stay."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    wait: _Wait = 2.0,
) -> None:
    """Remove files that no version needs; with --older-than old versions too, but none that a step gave last."""
    with _opened(project, lock=f"noria lake vacuum {table}", wait=wait) as (_, ledger, lake):
        keep = _asked_for(ledger, table)
        age = None if days is None else timedelta(days=days)
        gone = _there(lake, table).vacuum(table, older_than=age, keep=keep, dry_run=dry_run)
        if not dry_run:
            body = {"files": gone.files, "bytes": gone.bytes, "versions": list(gone.versions), "older_than_days": days}
            ledger.append("table.vacuumed", f"table:{table}", body=body)
    would = "would go" if dry_run else "went"
    typer.echo(f"{table}: {gone.files:,} files, {_bytes(gone.bytes)}, {would}")
    if gone.versions:
        can = "could" if dry_run else "can"
        named = ", ".join(map(str, gone.versions[:20])) + (", …" if len(gone.versions) > 20 else "")
        typer.echo(f"no longer {can} be read: {len(gone.versions):,} versions ({named})")


def _asked_for(ledger: Ledger, table: str) -> set[int]:
    """The versions that the last result of some step is."""
    from noria.ledger import table_and_version
    from noria.plan import outcome_of

    seen: set[str] = set()
    found: set[int] = set()
    for event in ledger.events(kind="step.finished", newest_first=True):
        if event.subject not in seen:
            seen.add(event.subject)
            outputs = (name for name in outcome_of(event).outputs.values() if name.startswith("table:"))
            found |= {version for name, version in map(table_and_version, outputs) if name == table}
    return found


@contextlib.contextmanager
def _opened(place: str | None, *, lock: str = "", wait: float = 0.0) -> Iterator[tuple[Workspace, Ledger, Lake]]:
    from noria.cli.opened import opened
    from noria.lake import open_lake

    with opened(place, lock=lock, wait=wait) as (_, workspace, ledger):
        yield workspace, ledger, open_lake(workspace.lake)


def _there(lake: Lake, table: str) -> Lake:
    """The lake, if it has the table."""
    import difflib

    from noria.core import DataError

    known = lake.tables()
    if table not in known:
        near = difflib.get_close_matches(table, known, n=1)
        mend = f"did you mean '{near[0]}'?" if near else "one of " + ", ".join(known) if known else "noria run makes it"
        raise DataError("there is no such table", value=table, mend=mend)
    return lake


def _count(rows: int | None) -> str:
    return "?" if rows is None else f"{rows:,}"


def _bytes(size: float) -> str:
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} {_UNITS[-1]}"


def _moment(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{_value(value[0])} to {_value(value[1])}"
    return "null" if value is None else str(value)
