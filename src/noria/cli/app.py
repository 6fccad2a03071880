"""The ``noria`` command: finds the module of a command, and turns every error into words and an exit code."""

from __future__ import annotations

import importlib
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from noria.core import NoriaError

# command -> its module; only the module of the command that is asked for is imported
_MODULES = {
    "init": "init",
    "plan": "plan",
    "run": "run",
    "schedule": "schedule",
    "flow": "flow",
    "log": "ledger",
    "verify": "ledger",
    "why": "ledger",
    "approve": "ledger",
    "serve": "serve",
    "profile": "profile",
    "contract": "contract",
    "quarantine": "quarantine",
    "lake": "lake",
    "features": "features",
    "key": "key",
    "cost": "cost",
    "doctor": "doctor",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 when all is well, else as the tree in `noria.core.errors` says.

    Raises
    ------
    SystemExit
        Always. 2 for a wrong command line, 130 after Ctrl-C, 1 for an error that Noria does not know.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal that lacks a letter still gets the rest
    try:
        _app(arguments)(args=list(arguments), prog_name="noria")
    except Exception as error:
        from noria.core import NoriaError

        fault = error if isinstance(error, NoriaError) else known(error)
        print(f"noria: {fault}", file=sys.stderr)
        raise SystemExit(fault.exit_code) from None
    raise SystemExit(0)


def _app(arguments: Sequence[str]) -> typer.Typer:
    # Without markup typer needs no rich, which would double the time of --help.
    app = typer.Typer(
        name="noria",
        help="The whole life of a machine-learning model as one program.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        no_args_is_help=True,
    )
    app.callback()(_noria)
    asked = _MODULES.get(arguments[0]) if arguments else None
    for module in [asked] if asked else dict.fromkeys(_MODULES.values()):
        importlib.import_module(f"noria.cli.{module}").add_to(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from noria import __version__

        typer.echo(f"noria {__version__}")
        raise typer.Exit()


def _noria(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
) -> None:
    """The whole life of a machine-learning model as one program.

    A project is declared in project.py: see noria init. Exit codes: 1 Noria refuses, 2 a declaration or command is
    wrong, 3 data is wrong, 4 an outside fault, 5 something stored was changed, 6 a gate says no, 7 the workspace is
    busy, 8 this machine has too little of something, 9 all was done but an alarm was raised, 130 Ctrl-C.
    """


def known(error: Exception) -> NoriaError:
    """Any other error as one that can be shown: what it was, and where its traceback is."""
    from noria.child import worded
    from noria.core import NoriaError as Unknown

    fault = worded(error)
    if fault is not None:
        return fault
    with tempfile.NamedTemporaryFile("w", prefix="noria-crash-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write("".join(traceback.format_exception(error)))
    return Unknown(
        "an error that Noria does not know",
        place=str(Path(file.name)),
        value=f"{type(error).__name__}: {error}",
        mend="the traceback is in that file; if your own code is not in it, please report it",
    )
