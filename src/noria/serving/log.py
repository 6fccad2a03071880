"""Prediction log: what was answered, written off the request path.

The request path appends to a bounded queue; a thread encodes and writes whole lines every few milliseconds. What is
written survives the death of the process; it is forced to the disk once a second, when a segment is full and at the
end. When the disk is slower than the requests, predictions are dropped from the log and counted: an answer never waits
for its log.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

_SEGMENT = re.compile(r"(\d{8})\.jsonl")
_logger = logging.getLogger("noria.serving")


class Prediction(NamedTuple):
    """One prediction, as the request path leaves it.

    Attributes
    ----------
    id : str
        Of the prediction.
    at : int
        Microseconds since 1970-01-01 UTC.
    version : str
        Of the model that answered.
    probability : float
        What it answered.
    request : mapping
        The columns of the request; empty where features came with the request.
    columns : mapping of str to sequence
        Features of the batch that it was in.
    row : int
        Which row of these.
    """

    id: str
    at: int
    version: str
    probability: float
    request: Mapping[str, Any]
    columns: Mapping[str, Sequence[Any]]
    row: int


class PredictionLog:
    """Writes predictions to numbered segments of JSON lines, in the order in which they were answered.

    Parameters
    ----------
    folder : Path
        ``serving/<endpoint>/log``.
    limit : int
        How many predictions may wait.
    segment_bytes : int
        From what size on a new segment is begun.
    every : float
        Seconds between writes.

    Notes
    -----
    `append` may be called from any thread and never waits. Call `close` once, at the end.
    """

    def __init__(self, folder: Path, *, limit: int = 16_384, segment_bytes: int = 64 << 20, every: float = 0.02):
        self._folder, self._limit, self._segment_bytes, self._every = folder, limit, segment_bytes, every
        self._waiting: deque[Prediction] = deque()
        self._dropped = self._written = 0
        self._ended = threading.Event()
        self._synced = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        _mend_torn(folder)
        self._file = _new_segment(folder)
        self._thread = threading.Thread(target=self._run, name="prediction log", daemon=True)
        self._thread.start()

    def append(self, prediction: Prediction) -> None:
        """Take a prediction, or drop it where too many wait."""
        if len(self._waiting) >= self._limit:
            self._dropped += 1
        else:
            self._waiting.append(prediction)

    @property
    def counts(self) -> dict[str, int]:
        """What became of the predictions: written, dropped, waiting."""
        return {"written": self._written, "dropped": self._dropped, "waiting": len(self._waiting)}

    def close(self) -> None:
        """Write what waits, force it to the disk and end."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        encode = msgspec.json.Encoder().encode_into
        buffer = bytearray()
        ended = False
        while not ended:
            ended = self._ended.wait(self._every)
            while self._waiting:
                self._flush(encode, buffer)
            if ended or time.monotonic() - self._synced > 1:
                self._sync()
        self._file.close()

    def _flush(self, encode: Any, buffer: bytearray) -> None:
        """Write up to a thousand waiting predictions in one call."""
        count = min(len(self._waiting), 1000)
        buffer.clear()
        try:
            for _ in range(count):
                encode(_line(self._waiting.popleft()), buffer, len(buffer))
                buffer += b"\n"
            self._write(buffer)
            self._written += count
        except OSError as error:
            self._dropped += count
            _logger.error("the prediction log cannot be written: %s", error)

    def _write(self, lines: bytearray) -> None:
        begun = self._file.tell()
        if begun >= self._segment_bytes:
            self._sync()
            self._file.close()
            self._file = _new_segment(self._folder)
            begun = 0
        view = memoryview(lines)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError:
            self._file.truncate(begun)  # no half line stays
            self._file.seek(begun)
            raise
        finally:
            view.release()

    def _sync(self) -> None:
        self._synced = time.monotonic()
        try:
            os.fdatasync(self._file.fileno())
        except OSError as error:
            _logger.error("the prediction log cannot be forced to the disk: %s", error)


def _line(prediction: Prediction) -> dict[str, Any]:
    row = prediction.row
    return {
        "id": prediction.id,
        "at": prediction.at,
        "version": prediction.version,
        "probability": prediction.probability,
        "request": prediction.request,
        "features": {
            name: values[row] if isinstance(values, list) else values.item(row)  # type: ignore[attr-defined]
            for name, values in prediction.columns.items()
        },
    }


def _new_segment(folder: Path) -> BinaryIO:
    """The next segment, held by a lock for as long as it is written."""
    number = max(_segments(folder), default=0)
    while True:
        number += 1
        try:
            file = open(folder / f"{number:08}.jsonl", "xb", buffering=0)  # noqa: SIM115 - lives as long as the log
        except FileExistsError:
            continue  # another server of this endpoint was first
        fcntl.flock(file, fcntl.LOCK_EX)
        return file


def _segments(folder: Path) -> list[int]:
    return sorted(int(found[1]) for path in folder.iterdir() if (found := _SEGMENT.fullmatch(path.name)))


def _mend_torn(folder: Path) -> None:
    """Cut half a line off the end of the last segment, where its writer died in the middle of it."""
    numbers = _segments(folder)
    if not numbers:
        return
    with open(folder / f"{numbers[-1]:08}.jsonl", "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # it is still being written
        data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            file.truncate(whole)
