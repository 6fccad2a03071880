"""``noria doctor``: what is installed, what is reachable, what is missing."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import textwrap
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Annotated

import typer
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from noria.workspace import Workspace

_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w.-]+)['"]""")
_WIDTH = 100


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(_doctor)


def _doctor(
    project: Annotated[str | None, typer.Argument(help="Its file or folder; by default the one around here.")] = None,
) -> None:
    """Say what is installed, what is reachable and what is missing; exit 1 if something that is needed is not there."""
    faults = 0
    sections = {"machine": _machine(), "libraries": _libraries(), "project": _project(project)}
    for title, lines in sections.items():
        typer.echo(title)
        for state, line in lines:
            wrapped = textwrap.wrap(line, _WIDTH, break_on_hyphens=False) if title == "libraries" else [line]
            for number, part in enumerate(wrapped):
                typer.echo(f"  {state if number == 0 else '':<8} {part}")
            faults += state == "MISSING"
    if faults:
        typer.echo(f"{faults} {'thing is' if faults == 1 else 'things are'} missing")
        raise typer.Exit(1)
    typer.echo("all that is needed is there")


def _machine() -> Iterator[tuple[str, str]]:
    from noria.core import NoriaError
    from noria.cost import PriceBook
    from noria.security import current_actor

    yield "ok", f"python {platform.python_version()} on {platform.platform(terse=True)}, {os.cpu_count()} cores"
    yield "ok", f"noria {version('noria')}"
    yield "ok", f"you act as {current_actor()}" + ("" if os.environ.get("NORIA_ACTOR") else ", the system's user")
    try:
        book = PriceBook.load()
    except NoriaError as error:
        yield "MISSING", _on_one_line(error)
    else:
        yield "ok", f"prices: {book.name}, of {book.dated}, in {book.currency}"


def _libraries() -> Iterator[tuple[str, str]]:
    """What the installed package says that it needs; a missing extra is told, not counted as a fault."""
    there: list[str] = []
    absent: dict[str, list[str]] = {}
    for requirement in map(Requirement, requires("noria") or ()):
        applies, extra = _asked_for(requirement)
        if not applies or requirement.name == "noria":
            continue
        name = requirement.name
        least = next((one.version for one in requirement.specifier if one.operator == ">="), "")
        try:
            found = version(name)
        except PackageNotFoundError:
            found = ""
        if found and requirement.specifier.contains(found, prereleases=True):
            there += [f"{name} {found}"] if extra is None else []
        elif extra is None:
            yield "MISSING", f"{name} {least}{f', {found} is too old' if found else ''}: pip install -U {name}"
        else:
            absent.setdefault(extra, []).append(name)
    yield "ok", ", ".join(there)
    for extra, names in sorted(absent.items()):
        yield "absent", f"extra '{extra}' ({', '.join(names)}): pip install -e '.[{extra}]'"


def _asked_for(requirement: Requirement) -> tuple[bool, str | None]:
    """Whether a requirement is meant for this machine, and the extra that it belongs to."""
    if requirement.marker is None:
        return True, None
    for extra in _EXTRA.findall(str(requirement.marker)):
        if requirement.marker.evaluate({"extra": extra}):
            return True, extra
    return requirement.marker.evaluate({"extra": ""}), None


def _on_one_line(error: Exception) -> str:
    return "; ".join(" ".join(line.split()) for line in str(error).splitlines())


def _project(place: str | None) -> Iterator[tuple[str, str]]:
    from noria.core import DeclarationError, NoriaError
    from noria.declarations import load_project
    from noria.sources import fingerprint
    from noria.workspace import workspace_of

    try:
        workspace = workspace_of(place)
    except DeclarationError as error:
        if place is not None:
            raise
        yield "absent", f"no project here ({error.mend})"
        return
    project = load_project(workspace.project_file)
    yield "ok", f"project '{project.name}' in {workspace.project_file}"
    for source in project.sources:
        try:
            yield "ok", f"source '{source.name}': {fingerprint(source, workspace.project_file.parent).reads}"
        except NoriaError as error:
            yield "MISSING", f"source '{source.name}': {_on_one_line(error)}"
    yield from _state(workspace)


def _state(workspace: Workspace) -> Iterator[tuple[str, str]]:
    from noria.core import NoriaError, redacted
    from noria.ledger import open_ledger

    if not workspace.root.is_dir():
        yield "absent", f"workspace {workspace.root}: noria run makes it"
        return
    free = shutil.disk_usage(workspace.root).free
    yield "ok", f"workspace {workspace.root}, {free / 2**30:.1f} GB free"
    try:
        with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
            newest = next(iter(ledger.events(newest_first=True)), None)
    except NoriaError as error:
        yield "MISSING", f"ledger {redacted(workspace.ledger)}: {_on_one_line(error)}"
        return
    said = f"{newest.seq} events, the last at {newest.at:%Y-%m-%d %H:%M:%S} UTC" if newest else "empty"
    yield "ok", f"ledger {redacted(workspace.ledger)}: {said}"
    yield from _stores(workspace)


def _stores(workspace: Workspace) -> Iterator[tuple[str, str]]:
    from noria.core import NoriaError, redacted
    from noria.features import open_store
    from noria.lake import open_lake

    lake, online = redacted(workspace.lake), redacted(workspace.online)
    try:
        yield "ok", f"lake {lake}: {len(open_lake(workspace.lake).tables())} tables"
    except NoriaError as error:
        yield "MISSING", f"lake {lake}: {_on_one_line(error)}"
    try:
        open_store(workspace.online, readonly=True).close()
        yield "ok", f"online store {online}"
    except NoriaError as error:
        yield "absent", f"online store {online}: {_on_one_line(error)}"
