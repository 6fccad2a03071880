"""Content keys: one hash for a declaration, a value, a file, a room's code.

A key hashes the qualified name of a type together with its fields, so that two kinds with the same fields differ.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20
_PROJECT = re.compile(r"^_noria_[0-9a-f]{12}_")


def content_key(*values: object) -> str:
    """A hash of plain values and declarations: 32 hexadecimal digits (BLAKE2b, 128 bits).

    Examples
    --------
    >>> content_key("a", 1) == content_key("a", 1), content_key("a", 1) == content_key("a", "1")
    (True, False)
    """
    return hashlib.blake2b(canonical([plain(value) for value in values]), digest_size=16).hexdigest()


def canonical(value: object) -> bytes:
    """Plain JSON values as bytes that depend on content alone: sorted keys, no spaces, UTF-8."""
    # The name of a file may hold bytes that are no UTF-8: Python shows them as lone surrogates, JSON escapes those.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        errors="backslashreplace"
    )


def type_name(kind: type) -> str:
    """The name under which a type is stored and hashed: ``module:QualifiedName``.

    Of a project's own type the module is the name of the project's file, wherever that lies.
    """
    return f"{_PROJECT.sub('', kind.__module__)}:{kind.__qualname__}"


def project_module(path: Path) -> str:
    """The name under which a project's file is imported: two projects in one process have two."""
    return (
        f"_noria_{hashlib.blake2b(str(path).encode(errors='surrogateescape'), digest_size=6).hexdigest()}_{path.stem}"
    )


def plain(value: Any) -> Any:
    """A value as plain JSON, declarations as their fields under ``@type``: the form that is hashed and stored."""
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, Enum)):
        return value if value == value and value not in (float("inf"), float("-inf")) else {"float": str(value)}
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return {"microseconds": value // timedelta(microseconds=1)}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=canonical)
    fields = getattr(type(value), "model_fields", None)
    if fields is not None:
        return {"@type": type_name(type(value)), **{name: plain(getattr(value, name)) for name in fields}}
    raise TypeError(f"cannot hash a {type(value).__name__}: {value!r}")


def file_digest(path: Path) -> str:
    """The BLAKE2b digest (128 bits) of a file's bytes, read in chunks of 1 MiB."""
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def code_key(function: Callable[..., object], *declared: object) -> str:
    """A hash of the source text that a step's result depends on.

    Parameters
    ----------
    function : callable
        What the step runs. Of this package: its room and every room that it reaches by imports.
    declared : objects
        What the step is declared with. Kinds in it that are somebody's own count with their source: see `_source_of`.
    """
    while isinstance(function, functools.partial):
        function = function.func
    own: set[Any] = {kind for value in declared for kind in _kinds_in(value) if not _is_ours(kind)}
    rooms: tuple[str, ...] = ()
    if _is_ours(function):
        rooms = _reached(function.__module__.split(".")[1])
    else:
        own.add(function)
    digest = hashlib.blake2b(digest_size=16)
    for room in rooms:
        digest.update(room.encode() + b"\0" + _room(room)[0])
    for text in sorted({text for thing in own for text in _source_of(thing)}):
        digest.update(text.encode(errors="backslashreplace") + b"\0")
    return digest.hexdigest()


def _is_ours(thing: Any) -> bool:
    return str(thing.__module__).partition(".")[0] == __name__.partition(".")[0]


def _kinds_in(value: object) -> Iterator[type]:
    """The types of all declarations in a value, and the declarations that those are derived from."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list | set | frozenset):
        for item in value:
            yield from _kinds_in(item)
    elif fields := getattr(type(value), "model_fields", None):
        yield from (kind for kind in type(value).__mro__ if getattr(kind, "model_fields", None))
        for name in fields:
            yield from _kinds_in(getattr(value, name))


_PACKAGE = Path(__file__).parent.parent
_IMPORTS = re.compile(
    r"^[ \t]*(?:from noria\.(\w+)[.\w]* import|import noria\.(\w+)|from noria import (\([^)]*\)|[^\n]*))", re.MULTILINE
)


@functools.cache
def _room(room: str) -> tuple[bytes, frozenset[str]]:
    """The digest of a room's source text, and the rooms that it imports anywhere in it."""
    place = _PACKAGE / room
    digest, imported = hashlib.blake2b(digest_size=16), set[str]()
    for file in sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]:
        text = file.read_bytes()
        digest.update(str(file.relative_to(_PACKAGE)).encode() + b"\0" + text + b"\0")
        for one, other, several in _IMPORTS.findall(text.decode()):
            imported |= {one, other, *re.findall(r"\w+", several)}
    there = {name for name in imported if (_PACKAGE / name).is_dir() or (_PACKAGE / f"{name}.py").is_file()}
    return digest.digest(), frozenset(there - {""})


@functools.cache
def _reached(room: str) -> tuple[str, ...]:
    """A room and all that it reaches by imports, in the order of their names."""
    found, waiting = set[str](), [room]
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting += _room(name)[1]
    return tuple(sorted(found))


def _source_of(thing: Any) -> list[str]:
    """The source text of a class or function that is not this package's; nothing where there is no file.

    In a package that is all of the package. In a single file, such as a project's, it is the statements that the thing
    needs, found by name, and the whole of files beside it that those import: what else stands in a project's file may
    change without any effect on the thing.
    """
    module = sys.modules.get(thing.__module__)
    file = getattr(module, "__file__", None)
    if file is None or not file.endswith(".py"):
        return []
    path = Path(file)
    levels = thing.__module__.count(".") + (path.name == "__init__.py")
    if levels:
        return [text.read_text(encoding="utf-8") for text in path.parents[levels - 1].rglob("*.py")]
    found, imported = _needed(path, thing.__qualname__.partition(".")[0])
    files = dict.fromkeys(_beside(path.parent, imported))
    return found + [text.read_text(encoding="utf-8") for text in files]


def _beside(folder: Path, imported: set[str], seen: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """The files of modules and packages of these names in a folder, and those that they import from it in turn."""
    for name in sorted(imported):
        single = folder / f"{name}.py"
        for file in [single] if single.is_file() else sorted((folder / name).rglob("*.py")):
            if file not in seen:
                yield file
                further = {top for node in ast.walk(_parsed(file)) for top in _imported_by(node)}
                yield from _beside(folder, further, seen | {file})


def _needed(path: Path, name: str) -> tuple[list[str], set[str]]:
    """The statements of a file, at its top level, that a name there needs to mean what it does; what they import."""
    tree, lines = _parsed(path), path.read_text(encoding="utf-8").splitlines()
    wanted, chosen = {name, "*"}, set[int]()
    grown = True
    while grown:
        grown = False
        for number, statement in enumerate(tree.body):
            if number not in chosen and _bound_by(statement) & wanted:
                chosen.add(number)
                wanted |= {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
                grown = True
    texts, imported = [], set[str]()
    for number in sorted(chosen):
        statement = tree.body[number]
        first = min([statement.lineno, *(mark.lineno for mark in getattr(statement, "decorator_list", ()))])
        texts.append("\n".join(lines[first - 1 : statement.end_lineno]))
        imported |= {top for node in ast.walk(statement) for top in _imported_by(node)}
    return texts, imported


def _bound_by(statement: ast.stmt) -> set[str]:
    """The names that a statement gives a meaning, or whose attributes it sets; ``*`` for all of another module."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    found = set[str]()
    for node in ast.walk(statement):
        if isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            found |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return found


def _imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    return [node.module.partition(".")[0]] if isinstance(node, ast.ImportFrom) and node.module else []


def _parsed(path: Path) -> ast.Module:
    status = path.stat()
    return _parse(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=64)
def _parse(path: Path, changed: int, size: int) -> ast.Module:
    return ast.parse(path.read_bytes())
