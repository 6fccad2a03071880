"""Logged: the form of the prediction log, and reading it, also while it is written.

A segment begins with a line that says the form, ``{"format":1}``; each line after it is one prediction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import msgspec

from noria.core import IntegrityError

FORMAT = 1
HEAD = b'{"format":%d}\n' % FORMAT
_SEGMENT = re.compile(r"\d{8}\.jsonl")


class Logged(msgspec.Struct, gc=False):
    """One prediction, as the log keeps it.

    Attributes
    ----------
    id : str
        The prediction's.
    at : int
        When it was answered: microseconds since 1970-01-01 UTC.
    version : str
        Of the model that answered.
    probability : float, optional
        What it answered; None where that was no number.
    request : mapping
        The columns of the request; empty where features came with it.
    features : mapping of str to float, str or None
        What the model was given, by name.
    """

    id: str
    at: int
    version: str
    probability: float | None
    request: Mapping[str, Any]
    features: Any


class _Head(msgspec.Struct):
    format: int


def segments(folder: Path) -> list[Path]:
    """The segments of a log, in order; none where there is no such folder."""
    return sorted(path for path in folder.glob("*.jsonl") if _SEGMENT.fullmatch(path.name))


def read_log(folder: Path, read: MutableMapping[str, int] | None = None) -> Iterator[Logged]:
    """The predictions of an endpoint's log, segment by segment, one in memory at a time.

    A last line that is still being written, or whose writer was killed, is left alone.

    Parameters
    ----------
    folder : Path
        ``serving/<endpoint>/log``.
    read : mutable mapping of str to int, optional
        How far each segment has been read, in bytes: kept up to date, so that the same mapping reads on from there.

    Raises
    ------
    IntegrityError
        A segment is of another format, or a line is no prediction.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> line = b'{"id":"p1","at":0,"version":"0a1b","probability":0.25,"request":{},"features":{"delay":3.0}}'
    >>> _ = (folder / "00000001.jsonl").write_bytes(HEAD + line + b"\\n" + line[:9])
    >>> [(one.id, one.probability) for one in read_log(folder)]
    [('p1', 0.25)]
    """
    read = {} if read is None else read
    for path in segments(folder):
        for line, end in _lines(path, read.get(path.name, 0)):
            yield _prediction(line, path)
            read[path.name] = end


def find_prediction(serving: Path, wanted: str) -> dict[str, Any]:
    """The logged prediction of an id, with its ``endpoint``; empty where there is none. The newest logs come first.

    Parameters
    ----------
    serving : Path
        The workspace's folder of endpoints.
    wanted : str
        The id.
    """
    needle = msgspec.json.encode(wanted.encode(errors="replace").decode())
    for folder in sorted(serving.glob("*/log")):
        for path in reversed(segments(folder)):
            for line, _ in _lines(path):
                if needle in line and (found := _prediction(line, path)).id == wanted:
                    return {"endpoint": folder.parent.name, **msgspec.structs.asdict(found)}
    return {}


def _lines(path: Path, start: int = 0) -> Iterator[tuple[bytes, int]]:
    """The whole lines of a segment from a byte on, each with the byte that it ends before."""
    with open(path, "rb") as file:
        if start == 0:
            head = file.readline()
            if not head.endswith(b"\n"):
                return  # only just begun
            _refuse_other_format(head, path)
            start = len(head)
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                return
            start += len(line)
            yield line, start


def _refuse_other_format(head: bytes, path: Path) -> None:
    try:
        known = msgspec.json.decode(head, type=_Head).format == FORMAT
    except (msgspec.DecodeError, UnicodeDecodeError):
        known = False
    if not known:
        mend = "read it with the version of Noria that wrote it, or move it away"
        value = head[:60].decode(errors="replace").strip()
        raise IntegrityError("the prediction log has an unknown format", place=str(path), value=value, mend=mend)


_decode = msgspec.json.Decoder(Logged).decode


def _prediction(line: bytes, path: Path) -> Logged:
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        mend = "somebody changed the log; restore it from a copy, or move it away"
        value = f"{error}: {line[:60].decode(errors='replace')}"
        raise IntegrityError("a line of the log is no prediction", place=str(path), value=value, mend=mend) from None
