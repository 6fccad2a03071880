"""Finding and loading a project: its file is imported, which runs nothing and opens nothing."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tomllib
from pathlib import Path

from noria.core import DeclarationError, NoriaError, project_module
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
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise DeclarationError(
            "the working folder is gone", mend="go to another one, or give the project's path"
        ) from None
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
    _import(path)
    module = sys.modules[project_module(path)]
    projects = [value for value in vars(module).values() if isinstance(value, Project)]
    if len(projects) != 1:
        raise DeclarationError(
            f"the file holds {len(projects)} projects", place=str(path), mend="assign exactly one nr.Project(…)"
        )
    return projects[0]


def projects_in(pickled: bytes) -> tuple[Path, ...]:
    """The loaded project files whose own modules some pickled bytes name: load them before you unpickle these."""
    return tuple(
        path
        for path, beside in _loaded.items()
        if any(name.encode() in pickled for name in (project_module(path), *beside))
    )


_loaded: dict[Path, frozenset[str]] = {}
"""The project files that this process imported, and the modules beside each that came with it."""


def _import(path: Path) -> None:
    folder, name = str(path.parent), project_module(path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    _forget_modules_beside(path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    before, writes = set(sys.modules), sys.dont_write_bytecode
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True  # compiled files are told apart by seconds: one edited twice in one would be stale
    try:
        spec.loader.exec_module(module)
    except NoriaError:
        raise
    except Exception as error:
        raise DeclarationError(
            f"the project cannot be imported: {type(error).__name__}: {error}", place=_line_of(error, path)
        ) from error
    finally:
        sys.dont_write_bytecode = writes
        sys.path.remove(folder)
        if folder not in sys.path:  # last, for what the project's own kinds import when they are used
            sys.path.append(folder)
        _loaded[path] = frozenset(name for name in set(sys.modules) - before if _lies_in(path.parent, name))


def _forget_modules_beside(path: Path) -> None:
    """Let a project import its own neighbours anew, not those of the same name that lie beside another."""
    importlib.invalidate_caches()
    for other, beside in _loaded.items():
        for name in beside:
            top = path.parent / name.partition(".")[0]
            if other.parent == path.parent or top.is_dir() or top.with_suffix(".py").is_file():
                sys.modules.pop(name, None)


def _lies_in(folder: Path, module: str) -> bool:
    file = getattr(sys.modules[module], "__file__", None)
    top = folder / module.partition(".")[0]
    return file is not None and (Path(file) == top.with_suffix(".py") or top in Path(file).parents)


def _line_of(error: Exception, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{error.filename}:{error.lineno}"
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{path}:{line}" if line else str(path)
