"""Content keys: one hash for a declaration, a value, a file, a room's code.

A key hashes the qualified name of a type together with its fields, so that two kinds with the same fields differ.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20


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
    """The name under which a type is stored and hashed: ``module:QualifiedName``."""
    return f"{kind.__module__}:{kind.__qualname__}"


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


@functools.cache
def code_key(*rooms: str) -> str:
    """A hash of the source text of rooms of this package (``"contracts"``, ``"ingest"``): the code that a step runs."""
    package = Path(__file__).parent.parent
    digest = hashlib.blake2b(digest_size=16)
    for room in sorted(set(rooms)):
        place = package / room
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
        for file in files:
            digest.update(str(file.relative_to(package)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
