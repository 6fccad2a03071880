"""Finding and loading a project: its file is imported, which runs nothing and opens nothing."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tomllib
from pathlib import Path

from noria.core import DeclarationError, NoriaError
from noria.declarations.project import Project


def find_project(place: str | Path | None = None) -> Path:
    """The project file that a path means: a file, a folder with ``project.py``, or what ``noria.toml`` names.

    Without a path the working folder and its parents are searched for ``noria.toml`` or ``project.py``.
    """
    if place is not None:
        path = Path(place)
        if path.is_file():
            return path.resolve()
        found = _in_folder(path)
        if found is None:
            raise DeclarationError(
                "no project there",
                place=str(path),
                mend="give a folder with a project.py, or make one: noria init NAME",
            )
        return found
    here = Path.cwd()
    for folder in (here, *here.parents):
        if found := _in_folder(folder):
            return found
    raise DeclarationError("no project found", place=str(here), mend="give its path, or make one: noria init NAME")


def _in_folder(folder: Path) -> Path | None:
    settings = folder / "noria.toml"
    if settings.is_file():
        named = read_settings(folder).get("project", "project.py")
        path = folder / str(named)
        if not path.is_file():
            raise DeclarationError(
                "noria.toml names no file", place=str(settings), value=named, mend="project = 'project.py'"
            )
        return path.resolve()
    path = folder / "project.py"
    return path.resolve() if path.is_file() else None


def read_settings(folder: Path) -> dict[str, object]:
    """What ``noria.toml`` beside the project says; empty without one."""
    path = folder / "noria.toml"
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeclarationError("noria.toml cannot be read", place=str(path), value=str(error)) from None


def load_project(place: str | Path | None = None) -> Project:
    """Import a project file and return its one `Project`.

    Raises
    ------
    DeclarationError
        The file cannot be found or imported, or holds none or several projects.
    """
    path = find_project(place)
    name = f"_noria_project_{hashlib.blake2b(str(path).encode(), digest_size=6).hexdigest()}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except NoriaError:
        raise
    except Exception as error:
        raise DeclarationError(
            f"the project cannot be imported: {type(error).__name__}: {error}", place=_line_of(error, path)
        ) from error
    finally:
        sys.path.remove(str(path.parent))
    projects = [value for value in vars(module).values() if isinstance(value, Project)]
    if len(projects) != 1:
        raise DeclarationError(
            f"the file holds {len(projects)} projects", place=str(path), mend="assign exactly one nr.Project(…)"
        )
    return projects[0]


def _line_of(error: Exception, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{error.filename}:{error.lineno}"
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{path}:{line}" if line else str(path)
