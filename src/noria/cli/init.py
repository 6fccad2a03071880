"""``noria init``: a small project that runs, with data of its own, or proposed from a table of the user's."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import string
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noria.cli.reading import Separator

if TYPE_CHECKING:
    from noria.contracts import Profiler, Proposal
    from noria.declarations import Source

_TEMPLATES = {
    "project.py.txt": "project.py",
    "noria.toml.txt": "noria.toml",
    "gitignore.txt": ".gitignore",
    "tests/test_project.py.txt": "tests/test_project.py",
}
_FROM_DATA = {
    "noria.toml.txt": "noria.toml",
    "gitignore.txt": ".gitignore",
    "test_from_data.py.txt": "tests/test_project.py",
}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(_init)


def _init(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE", help="The folder to make; or a file, a glob or a URL of the table to answer from."
        ),
    ],
    target: Annotated[str | None, typer.Option(help="The column that is the answer.")] = None,
    positive: Annotated[str | None, typer.Option(help="The value of it that means yes.")] = None,
    time: Annotated[
        str | None, typer.Option(help="The column that says when the question is asked; none: there is no such.")
    ] = None,
    into: Annotated[Path | None, typer.Option(help="The folder to make, where a table is given.")] = None,
    separator: Separator = None,
) -> None:
    """Write a small project that runs: with data of its own, or proposed from a table of yours."""
    from noria.core import DeclarationError

    if not _is_table(name) and target is None:
        given = {"--positive": positive, "--time": time, "--into": into, "--separator": separator}
        if extra := [option for option, value in given.items() if value is not None]:
            mend = "name the table too: noria init data.csv --target answer"
            raise DeclarationError(f"{extra[0]} says nothing without a table", value=name, mend=mend)
        folder = make_project(Path(name))
        typer.echo(f"made {folder}\nnext: noria run {folder}")
        return
    for line in _from_table(name, target, positive, time, into, separator):
        typer.echo(line)


def _is_table(name: str) -> bool:
    return "://" in name or "*" in name or Path(name).is_file() or re.search(r"\.\w+$", name) is not None


def _from_table(
    place: str, target: str | None, positive: str | None, time: str | None, into: Path | None, separator: str | None
) -> Iterator[str]:
    from noria.cli.reading import name_of, source_of, words_for_nothing
    from noria.contracts import propose
    from noria.core import DeclarationError, redacted

    folder = into or Path(name_of(place))
    _refuse_folder(folder)
    source = source_of(place, separator=separator)
    profiler = _profiled(source)
    words = words_for_nothing(source, Path.cwd(), profiler.sample) if profiler.sample is not None else {}
    if words:
        source = source.replace(null_values=sorted({word for each in words.values() for word in each}))
        profiler = _profiled(source)
    if target is None:
        raise DeclarationError(
            "which column is the answer?",
            place=redacted(place),
            value=", ".join(profiler.columns)[:200],
            mend=f"noria init {redacted(place)} --target COLUMN",
        )
    found = propose(profiler, target, positive=positive, time=time)
    write_proposed(folder, found, place, separator, source.null_values)
    yield f"{profiler.rows:,} rows, {len(profiler.columns)} columns"
    yield f"the question: is {target} {found.answer.yes}? ({found.answer.share:.1%} of the rows; {found.answer.why})"
    yield (f"asked at {found.time}, parted by time" if found.time else "no time to go by: parted at random") + (
        f", rows of one {found.by} together" if found.by else ""
    )
    for column, each in words.items():
        yield f"look: '{column}' is a number but for {', '.join(map(repr, each))}: taken for no value, in all columns"
    for warning in found.warnings:
        yield f"look: {warning}"
    for column, why in found.left_out:
        yield f"left out: {column}: {why}"
    yield f"made {folder}"
    yield f"next: read {folder}/project.py, then noria run {folder} && noria serve {folder}"


def _profiled(source: Source) -> Profiler:
    from noria.cli.reading import typed_batches
    from noria.contracts import MOST_COLUMNS, Profiler

    profiler = Profiler()
    for batch in typed_batches(source, Path.cwd(), MOST_COLUMNS):
        profiler.update(batch)
    return profiler


def write_proposed(
    folder: Path, found: Proposal, place: str, separator: str | None = None, null_values: Sequence[str] = ()
) -> None:
    """Write the project that was proposed for a table."""
    from noria.cli.draft import project_text
    from noria.contracts import text

    origin = place if "://" in place else os.path.relpath(Path(place).resolve(), folder.resolve())
    with _made(folder) as made:
        for template, file in _FROM_DATA.items():
            _write(made / file, _template(template).substitute(name=folder.name, target=text(found.answer.column)))
        _write(made / "project.py", project_text(found, folder.resolve().name, origin, separator, null_values))


def make_project(folder: Path) -> Path:
    """Write the project; its data are made here, the same every time.

    Raises
    ------
    DeclarationError
        The name cannot be a project's, or something is there already.
    """
    from noria.cli.parcels import couriers, parcels

    _refuse_folder(folder)
    with _made(folder) as made:
        for template, file in _TEMPLATES.items():
            _write(made / file, _template(template).substitute(name=folder.resolve().name))
        _write(made / "data" / "couriers.csv", "\n".join(couriers()) + "\n")
        _write(made / "data" / "parcels.csv", "\n".join(parcels()) + "\n")
    return folder


def _refuse_folder(folder: Path) -> None:
    from noria.core import DeclarationError

    name = folder.resolve().name
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        mend = "letters, digits, _ and -, a letter first"
        raise DeclarationError("not a name for a project", value=name, mend=mend)
    if folder.exists():
        raise DeclarationError("something is there already", place=str(folder), mend="choose another name")


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[Path]:
    """A folder that is made beside and renamed at the end: whoever interrupts it finds no half of a project."""
    made = folder.with_name(f".{folder.resolve().name}.{os.getpid()}")
    try:
        yield made
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _template(name: str) -> string.Template:
    return string.Template(files("noria.cli").joinpath("template", name).read_text(encoding="utf-8"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
