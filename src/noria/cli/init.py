"""``noria init``: a small project that runs, with data, a test and a comment for each choice."""

from __future__ import annotations

import os
import re
import string
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

_TEMPLATES = {
    "project.py.txt": "project.py",
    "noria.toml.txt": "noria.toml",
    "gitignore.txt": ".gitignore",
    "tests/test_project.py.txt": "tests/test_project.py",
}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(_init)


def _init(name: Annotated[str, typer.Argument(help="The folder to make; its last part names the project.")]) -> None:
    """Write a small project that runs."""
    folder = make_project(Path(name))
    typer.echo(f"made {folder}\nnext: noria run {folder}")


def make_project(folder: Path) -> Path:
    """Write the project; its data are made here, the same every time.

    Raises
    ------
    DeclarationError
        The name cannot be a project's, or something is there already.
    """
    from noria.cli.parcels import couriers, parcels
    from noria.core import DeclarationError

    name = folder.resolve().name
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        mend = "letters, digits, _ and -, a letter first"
        raise DeclarationError("not a name for a project", value=name, mend=mend)
    if folder.exists():
        raise DeclarationError("something is there already", place=str(folder), mend="choose another name")
    # Made beside and renamed: whoever interrupts it finds no half of a project.
    made = folder.with_name(f".{name}.{os.getpid()}")
    for template, file in _TEMPLATES.items():
        text = files("noria.cli").joinpath("template", template).read_text(encoding="utf-8")
        _write(made / file, string.Template(text).substitute(name=name))
    _write(made / "data" / "couriers.csv", "\n".join(couriers()) + "\n")
    _write(made / "data" / "parcels.csv", "\n".join(parcels()) + "\n")
    made.rename(folder)
    return folder


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
