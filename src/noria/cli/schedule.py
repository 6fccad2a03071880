"""``noria schedule``: run a project when it is due, say when that is, tell other schedulers."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from noria.declarations import Project, Schedule
    from noria.workspace import Workspace

_ProjectPlace = Annotated[
    str | None, typer.Argument(metavar="[PROJECT]", help="Its file or folder; by default the one around here.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Run a project when it is due.", no_args_is_help=True)
    group.command("run")(_run)
    group.command("next")(_next)
    group.command("export")(_export)
    app.add_typer(group, name="schedule")


def _run(
    project: _ProjectPlace = None,
    once: Annotated[
        bool, typer.Option("--once", help="See to what is due by now, and end: for other schedulers.")
    ] = False,
) -> None:
    """Follow the schedule until Ctrl-C: run what is due, and make up for what passed meanwhile as it declares."""
    from noria.cli.run import end_when_asked_to
    from noria.core import BusyError, clock_from_environment
    from noria.ledger import open_ledger
    from noria.schedule import Followed, follow

    workspace, declared = _opened(project)
    clock, codes = clock_from_environment(), [0]
    end_when_asked_to()
    with contextlib.closing(open_ledger(workspace.ledger, clock)) as ledger:
        while True:
            schedule, before = _schedule(declared), _state_of(workspace)
            keep = _keeper(workspace, schedule, codes)
            followed = Followed(schedule, declared.name, ledger, clock, keep, _say)
            if once:
                with contextlib.suppress(BusyError):
                    follow(followed, workspace.root)
                break
            _say(f"{declared.name} is due next {_moment(schedule, declared.name, clock.now())}; Ctrl-C ends it")
            follow(followed, workspace.root, until=lambda before=before: _state_of(workspace) != before)  # type: ignore[misc]
            declared = _loaded_again(workspace, declared)
    if once and len(codes) == 1:
        _say("nothing is due, or another process sees to it")
    if codes[-1]:
        raise typer.Exit(codes[-1])


def _keeper(workspace: Workspace, schedule: Schedule, codes: list[int]) -> Callable[[datetime], str]:
    """What brings the project up to date for a due time; exit codes are added to the list."""
    from noria.cli.app import known
    from noria.cli.run import Asked, once
    from noria.declarations import load_project

    wait = math.inf if schedule.overlap == "wait" else 2.0

    def keep(due: datetime) -> str:
        _say(f"due at {_local(schedule, due)}")
        try:
            asked = Asked(f"noria schedule run, due {due:%Y-%m-%d %H:%M} UTC", wait)
            came = once(load_project(workspace.project_file), workspace, asked)
        except Exception as error:
            fault = known(error)
            codes.append(fault.exit_code)
            raise fault from error
        codes.append(came.code)
        sys.stdout.flush()
        return "run" if came.executed else "nothing new"

    return keep


def _loaded_again(workspace: Workspace, declared: Project) -> Project:
    """The project as it is declared now; where that cannot be read, as it was, and it is said."""
    from noria.core import NoriaError
    from noria.declarations import load_project

    try:
        return load_project(workspace.project_file)
    except NoriaError as error:
        _say(f"the schedule goes on as it was: {error}")
        return declared


def _state_of(workspace: Workspace) -> tuple[tuple[str, int, int], ...]:
    """The project's own files, as they are told apart: a change is a reason to read the schedule again."""
    found = []
    folder = workspace.project_file.parent
    for file in sorted({workspace.project_file, *folder.glob("*.py"), *folder.glob("noria.toml")}):
        with contextlib.suppress(OSError):
            told = file.stat()
            found.append((file.name, told.st_mtime_ns, told.st_size))
    return tuple(found)


def _next(
    project: _ProjectPlace = None,
    number: Annotated[int, typer.Option("-n", "--number", min=1, max=1000, help="How many times.")] = 5,
) -> None:
    """Say when the project is due next."""
    from noria.core import clock_from_environment
    from noria.schedule import times_after

    _, declared = _opened(project)
    schedule = _schedule(declared)
    for due in islice(times_after(schedule, clock_from_environment().now()), number):
        typer.echo(_local(schedule, due) + _later(schedule, declared.name, due))


def _export(
    project: _ProjectPlace = None,
    to: Annotated[str, typer.Option("--to", help="cron, systemd, airflow, kubernetes or github.")] = "",
    into: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write files; without it they are printed.")
    ] = None,
    place: Annotated[str | None, typer.Option(metavar="PATH", help="The project's path over there.")] = None,
    image: Annotated[str, typer.Option(help="For kubernetes: the image with Noria and the project in it.")] = "",
) -> None:
    """Write the schedule for another scheduler, which then calls noria schedule run --once."""
    from noria.core import DeclarationError
    from noria.schedule import export
    from noria.workspace import write_atomically

    workspace, declared = _opened(project)
    away = to in ("kubernetes", "github")
    if image and to != "kubernetes":
        raise DeclarationError("only kubernetes runs images", value=image, mend="leave --image out")
    named = os.environ.get("NORIA_WORKSPACE")
    files = export(
        _schedule(declared), declared.name, to,
        program=["noria"] if away else _program(),
        place=f"./{place}" if place and place.startswith("-") else place or _place(workspace, to),
        environment={"NORIA_WORKSPACE": str(workspace.root.absolute())} if named and not away else {},
        image=image,
    )  # fmt: skip
    for file in files:
        if into is not None:
            write_atomically(into / file.name, file.text.encode())
            typer.echo(str(into / file.name))
        else:
            typer.echo(f"# {file.name}\n{file.text}" if len(files) > 1 else file.text, nl=len(files) > 1)
        if file.note:
            typer.echo(file.note, err=True)


def _program() -> list[str]:
    """What starts this very Noria, by its full path: other schedulers have no PATH worth the name."""
    beside = Path(sys.executable).with_name("noria")
    return [str(beside)] if beside.is_file() else [sys.executable, "-c", "from noria.cli import main; main()"]


def _place(workspace: Workspace, to: str) -> str:
    """The project's path there, where nobody says it: here, in its repository, or where images usually have it."""
    if to == "kubernetes":
        return "/project"
    if to != "github":
        return str(workspace.project_file)
    folder = workspace.project_file.parent
    root = next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)
    return f"./{workspace.project_file.relative_to(root)}"


def _opened(project: str | None) -> tuple[Workspace, Project]:
    from noria.declarations import load_project
    from noria.workspace import workspace_of

    workspace = workspace_of(project)
    return workspace, load_project(workspace.project_file)


def _schedule(declared: Project) -> Schedule:
    if declared.schedule is None:
        mend = 'schedule=nr.Schedule("0 6 * * *", zone="Europe/Berlin") is daily at six'
        raise declared.refuse("the project declares no schedule", field="schedule", mend=mend)
    return declared.schedule


def _moment(schedule: Schedule, name: str, now: datetime) -> str:
    from noria.schedule import times_after

    due = next(times_after(schedule, now))
    return _local(schedule, due) + _later(schedule, name, due)


def _local(schedule: Schedule, due: datetime) -> str:
    from zoneinfo import ZoneInfo

    there = due.astimezone(ZoneInfo(schedule.zone))
    return f"{there:%a %Y-%m-%d %H:%M %Z}" + ("" if schedule.zone == "UTC" else f" ({due:%H:%M} UTC)")


def _later(schedule: Schedule, name: str, due: datetime) -> str:
    from noria.schedule import start_of

    seconds = (start_of(schedule, name, due) - due).total_seconds()
    return f", {seconds:.0f} s later by its jitter" if schedule.jitter else ""


def _say(text: str) -> None:
    typer.echo(text, err=True)
