"""``noria run --watch``: run whenever something is new. Files tell by themselves; for all else it looks again."""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote

import typer

if TYPE_CHECKING:
    from noria.cli.run import Asked
    from noria.declarations import Project
    from noria.plan import Plan
    from noria.workspace import Workspace

_SHORTEST = 1.0
_QUIET = 0.5
"""Seconds without a change after which a file counts as written."""
_PATIENCE = 30.0
"""Seconds after which it is read though it still changes."""
_MOST_FOLDERS = 1000


def pause_of(text: str) -> float:
    """Seconds of a duration of the command line.

    Examples
    --------
    >>> pause_of("90s"), pause_of("5m")
    (90.0, 300.0)
    """
    from pydantic import TypeAdapter, ValidationError

    from noria.core import DeclarationError
    from noria.declarations import Micros

    try:
        seconds = TypeAdapter(Micros).validate_python(text) / 1e6
    except ValidationError:
        raise DeclarationError("--every is no duration", value=text, mend="--every 30s, --every 5m") from None
    if not _SHORTEST <= seconds <= 86_400:
        raise DeclarationError("so often cannot be looked", value=text, mend="--every 1s to --every 1d")
    return float(seconds)


def watch_project(workspace: Workspace, asked: Asked, every: float) -> NoReturn:
    """Bring a project up to date whenever something is new, until it is ended.

    What fails is said, and run again when something changes; an outside fault is tried again the next time it looks.
    """
    from noria.cli.run import Came, once
    from noria.core import NoriaError, TransientError
    from noria.declarations import load_project

    declared: Project | None = None
    failed: set[str] = set()
    planned: set[str] = set()

    def as_failed(plan: Plan) -> bool:
        nonlocal planned
        planned = {one.key for one in plan.due}
        return bool(planned) and planned == failed

    first, said = True, ""
    while True:
        came, before = Came(), state_of(folders_of(workspace, declared))
        try:
            declared = load_project(workspace.project_file)
            came = once(declared, workspace, asked, unless=as_failed, quiet=not first)
            failed, said = (failed if came == Came() else set()), ""
        except NoriaError as error:
            failed = set() if isinstance(error, TransientError) else planned
            if str(error) != said:
                typer.echo(f"noria: {error}", err=True)
            said = str(error)
        if came.executed and not came.looked:
            _note(workspace, declared, every)
            first = False
            continue  # something may have come meanwhile
        if first:
            _note(workspace, declared, every)
        first = False
        wait_for_news(folders_of(workspace, declared), every, before)


def _note(workspace: Workspace, declared: Project | None, every: float) -> None:
    number = len(folders_of(workspace, declared))
    told = f"{number} folder{'s' * (number > 1)} watched, all else " if _has_watcher() else ""
    hint = "" if told else " (pip install -e '.[watch]': files tell at once)"
    typer.echo(f"{time.strftime('%H:%M:%S')}  {told}looked at every {every:g} s{hint}; Ctrl-C ends it", err=True)
    sys.stdout.flush()


def folders_of(workspace: Workspace, declared: Project | None) -> tuple[Path, ...]:
    """The folders in which something new would stand: the project's, and those of its local files."""
    base = workspace.project_file.parent
    found = {base: None}
    for source in declared.sources if declared is not None else ():
        found |= dict.fromkeys(islice(_folders(source.url, base), _MOST_FOLDERS))
    return tuple(found)[:_MOST_FOLDERS]


def _folders(url: str, base: Path) -> Iterator[Path]:
    """Of a path or glob: the folders that its files lie in, and the one in which its pattern begins."""
    from noria.core import scheme_of

    if scheme_of(url) != "file":
        return
    place = base / (unquote(url.removeprefix("file://")) if url.startswith("file://") else url)
    if not glob.has_magic(str(place)) or place.is_file():
        yield from (place.parent,) if place.parent.is_dir() else ()
        return
    fixed = Path(*place.parts[: next(n for n, part in enumerate(place.parts) if glob.has_magic(part))])
    yield from (fixed,) if fixed.is_dir() else ()
    for name in glob.iglob(f"{place.parent}/", recursive=True):
        yield Path(name)


def state_of(folders: tuple[Path, ...]) -> dict[str, tuple[int, int]]:
    """What lies in these folders, as it is told apart: name to time and size."""
    found = {}
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if _is_news(entry.name):
                    with contextlib.suppress(OSError):
                        told = entry.stat()
                        found[entry.path] = told.st_mtime_ns, told.st_size
    return found


def wait_for_news(folders: tuple[Path, ...], every: float, before: dict[str, tuple[int, int]]) -> None:
    """Return when something in these folders is not as it was before and quiet again, or after so many seconds."""
    deadline = time.monotonic() + every
    if _has_watcher():
        from watchfiles import watch

        told = watch(
            *folders, watch_filter=None, recursive=False, debounce=200, step=50, rust_timeout=int(_QUIET * 1000),
            yield_on_timeout=True, ignore_permission_denied=True,
        )  # fmt: skip
        try:
            return _wait(told, folders, deadline, before)
        except (OSError, RuntimeError):
            pass  # a folder is gone, or the system watches no more: looking is left
        finally:
            told.close()  # it is a generator: its thread has to be gone before steps are forked
    time.sleep(max(0.0, deadline - time.monotonic()))


def _wait(
    told: Iterable[set[tuple[Any, str]]], folders: tuple[Path, ...], deadline: float, before: dict[str, tuple[int, int]]
) -> None:
    changed: bool | None = None
    for changes in told:
        now, news = time.monotonic(), any(_is_news(Path(path).name) for _, path in changes)
        if changed is None:  # what changed before the watch began nobody tells
            changed, news = False, news or state_of(folders) != before
        if news:
            deadline = deadline if changed else now + _PATIENCE
            changed = True
        elif changed:
            return
        if now >= deadline:
            return


def _is_news(name: str) -> bool:
    """Whether a file of this name can be a part of a project: neither hidden nor what Python leaves behind."""
    return not name.startswith(".") and name != "__pycache__"


def _has_watcher() -> bool:
    import importlib.util

    return importlib.util.find_spec("watchfiles") is not None
