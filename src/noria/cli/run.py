"""``noria run``: do what is new, show it, sum it up; with ``--watch`` again and again."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from noria.declarations import Project
    from noria.ledger import Ledger
    from noria.plan import Plan
    from noria.run import RunResult
    from noria.workspace import Workspace


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(_run)


def _run(
    project: Annotated[str | None, typer.Argument(help="Its file or folder; by default the one around here.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for another run on the same workspace.")] = 2.0,
    only: Annotated[
        list[str] | None, typer.Option(metavar="STEP", help="Run this step alone; can be repeated.")
    ] = None,
    until: Annotated[
        list[str] | None, typer.Option(metavar="STEP", help="Run this step and what it waits for; can be repeated.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Steps at once; by default the cores.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Run again whenever something is new, until Ctrl-C.")] = False,
    every: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How often to look for what no file tells; by default 30s.")
    ] = None,
) -> None:
    """Bring a project up to date: run the steps whose code, declaration or data is new; exit 6 if a gate says no."""
    from noria.core import DeclarationError
    from noria.declarations import load_project
    from noria.workspace import workspace_of

    if every is not None and not watch:
        raise DeclarationError("--every says how often to look", value=every, mend="with --watch")
    workspace = workspace_of(project)
    asked = Asked("noria run", wait, tuple(only or ()), tuple(until or ()), jobs)
    end_when_asked_to()
    if watch:
        from noria.cli.watch import pause_of, watch_project

        watch_project(workspace, replace(asked, command="noria run --watch"), pause_of(every or "30s"))
    code = once(load_project(workspace.project_file), workspace, asked).code
    if code:
        raise typer.Exit(code)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for.

    Attributes
    ----------
    command : str
        The command, for the ledger and for whoever finds the workspace held.
    wait : float
        Seconds to wait for another run.
    only, until : tuple of str
        The steps to run, see `noria.run.select`; without any, all.
    jobs : int, optional
        Steps at once.
    """

    command: str
    wait: float
    only: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    jobs: int | None = None


@dataclass(frozen=True, slots=True)
class Came:
    """What came of it.

    Attributes
    ----------
    executed : tuple of str
        The steps that ran.
    looked : bool
        Whether none of them did more than look for what is new.
    code : int
        The exit code.
    """

    executed: tuple[str, ...] = ()
    looked: bool = False
    code: int = 0


def once(
    declared: Project,
    workspace: Workspace,
    asked: Asked,
    *,
    unless: Callable[[Plan], bool] = lambda plan: False,
    quiet: bool = False,
) -> Came:
    """Bring a project up to date.

    Parameters
    ----------
    declared : Project
        The declarations, just loaded.
    workspace : Workspace
        Its state.
    asked : Asked
        What the user asked for.
    unless : callable
        Is given the plan; where it says true, nothing is run.
    quiet : bool
        Say nothing where there was nothing to do.
    """
    from noria.cli.graph import whole_plan
    from noria.cli.summary import summary
    from noria.core import clock_from_environment
    from noria.ledger import open_ledger
    from noria.run import alarms_of, recover, refuse_unknown_limits, select

    # The wait's default gives a run that was just killed the time to be cleared away.
    with (
        workspace.lock(asked.command, wait=asked.wait),
        contextlib.closing(open_ledger(workspace.ledger, clock_from_environment())) as ledger,
    ):
        for fault in recover(workspace, ledger):
            typer.echo(str(fault), err=True)
        plan = whole_plan(declared, workspace, ledger)
        refuse_unknown_limits(plan)
        looks = select(plan, only=asked.only, until=asked.until).looks
        runs: list[RunResult] = []
        if looks is not None:
            runs.append(_executed(looks, workspace, ledger, asked, whole=False))
            plan = whole_plan(declared, workspace, ledger, runs[0].outcomes)
        plan = select(plan, only=asked.only, until=asked.until)
        if unless(plan):
            return Came()
        whole = not (asked.only or asked.until)
        runs.append(_executed(plan, workspace, ledger, asked, whole=whole))
        names = [run.run for run in runs]
        result = _together(runs)
        if not quiet or runs[-1].executed:
            for line in summary(plan, result, workspace, ledger, names):
                typer.echo(line)
        return Came(result.executed, not runs[-1].executed, _code(result, any(alarms_of(ledger, names))))


def _executed(plan: Plan, workspace: Workspace, ledger: Ledger, asked: Asked, *, whole: bool) -> RunResult:
    from noria.cli.progress import progress_of
    from noria.core import clock_from_environment
    from noria.run import execute

    with progress_of(plan) as progress:
        try:
            return execute(
                plan, workspace, ledger,
                clock=clock_from_environment(), progress=progress, command=asked.command, jobs=asked.jobs, whole=whole,
            )  # fmt: skip
        except KeyboardInterrupt:
            typer.echo("interrupted; what is finished is kept", err=True)
            raise


def _together(runs: list[RunResult]) -> RunResult:
    """Looking and what came of it as one run, named as the last that did something."""
    last = runs[-1]
    return replace(
        last,
        run=next((one.run for one in reversed(runs) if one.run), ""),
        executed=tuple(name for one in runs for name in one.executed),
        seconds=sum(one.seconds for one in runs),
        money=sum(one.money for one in runs),
    )


def _code(result: RunResult, alarmed: bool) -> int:
    from noria.core import AlarmError, GateError

    asked = result.outcomes.get("gates")
    if asked is not None and not (asked.facts["promoted"] or asked.facts["waiting"]):
        return GateError.exit_code
    return AlarmError.exit_code if alarmed else 0


def end_when_asked_to() -> None:
    """Let SIGTERM end this process as Ctrl-C does: steps are stopped, what is finished is kept, the ledger is told."""
    signal.signal(signal.SIGTERM, _ended)


def _ended(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
