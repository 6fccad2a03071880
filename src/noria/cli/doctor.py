"""``noria doctor``: what is installed, what is reachable, what is missing."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from noria.workspace import Workspace

_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+).*?(?:;\s*extra == ['\"](\w+)['\"])?$")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(_doctor)


def _doctor(
    project: Annotated[str | None, typer.Argument(help="Its file or folder; by default the one around here.")] = None,
) -> None:
    """Say what is installed, what is reachable and what is missing; exit 1 if something that is needed is not there."""
    faults = 0
    for good, line in (*_machine(), *_libraries(), *_project(project)):
        typer.echo(f"{'ok     ' if good else 'MISSING'}  {line}")
        faults += not good
    if faults:
        raise typer.Exit(1)


def _machine() -> Iterator[tuple[bool, str]]:
    yield True, f"python {platform.python_version()} on {platform.platform(terse=True)}, {os.cpu_count()} cores"
    yield True, f"noria {version('noria')}"


def _libraries() -> Iterator[tuple[bool, str]]:
    """What the installed package says that it needs; a missing extra is told, not counted as a fault."""
    absent: dict[str, list[str]] = {}
    for requirement in requires("noria") or ():
        match = _REQUIREMENT.match(requirement.strip())
        if match is None or match.group(1) == "noria":
            continue
        name, extra = match.groups()
        try:
            found = version(name)
        except PackageNotFoundError:
            if extra is None:
                yield False, f"{name}: pip install {name}"
            else:
                absent.setdefault(extra, []).append(name)
        else:
            if extra is None:
                yield True, f"{name} {found}"
    for extra, names in sorted(absent.items()):
        yield True, f"without extra '{extra}' ({', '.join(names)}): pip install 'noria[{extra}]'"


def _project(place: str | None) -> Iterator[tuple[bool, str]]:
    from noria.core import DeclarationError, NoriaError
    from noria.declarations import load_project
    from noria.sources import fingerprint
    from noria.workspace import workspace_of

    try:
        workspace = workspace_of(place)
    except DeclarationError as error:
        if place is not None:
            raise
        yield True, f"no project here ({error.mend})"
        return
    project = load_project(workspace.project_file)
    yield True, f"project '{project.name}' in {workspace.project_file}"
    for source in project.sources:
        try:
            yield True, f"source '{source.name}': {fingerprint(source, workspace.project_file.parent).reads}"
        except NoriaError as error:
            yield False, f"source '{source.name}': {error}"
    yield from _state(workspace)


def _state(workspace: Workspace) -> Iterator[tuple[bool, str]]:
    from noria.core import NoriaError, redacted
    from noria.ledger import open_ledger

    if not workspace.root.is_dir():
        yield True, f"workspace {workspace.root}: not made yet"
        return
    free = shutil.disk_usage(workspace.root).free
    yield True, f"workspace {workspace.root}, {free / 2**30:.1f} GB free"
    try:
        with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
            newest = next(iter(ledger.events(newest_first=True)), None)
    except NoriaError as error:
        yield False, f"ledger {redacted(workspace.ledger)}: {error}"
        return
    said = f"{newest.seq} events, the last at {newest.at:%Y-%m-%d %H:%M:%S} UTC" if newest else "empty"
    yield True, f"ledger {redacted(workspace.ledger)}: {said}"
