"""Prediction log: what was answered, written off the request path.

The request path appends to a bounded queue; a thread encodes and writes whole lines ten times a second. What is
written survives the death of the process; it is forced to the disk once a second, when a segment is full and at the
end. When the disk is slower than the requests, predictions are dropped from the log and counted: an answer never waits
for its log.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from noria.serving.logged import HEAD, Logged, segments

_AT_ONCE = 200
_logger = logging.getLogger("noria.serving")


class Answered(NamedTuple):
    """n predictions of one version for one request, as the request path leaves them: nothing is copied.

    Attributes
    ----------
    ids : sequence of n str
        Of the predictions.
    at : int
        Microseconds since 1970-01-01 UTC.
    version : str
        Of the model that answered.
    probabilities : sequence of n float
        What it answered.
    requests : sequence of n mapping
        The columns of the request; empty where features came with it.
    names : tuple of k + m str
        Of its features: numbers, then categories.
    numbers, categories : arrays [n, k] and [n, m]
        The features.
    """

    ids: Sequence[str]
    at: int
    version: str
    probabilities: Sequence[float]
    requests: Sequence[Mapping[str, Any]]
    names: tuple[str, ...]
    numbers: NDArray[np.float32]
    categories: NDArray[np.object_]


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
    `append` never waits; it belongs to one thread. Call `close` once, at the end.
    """

    def __init__(self, folder: Path, *, limit: int = 16_384, segment_bytes: int = 64 << 20, every: float = 0.1):
        self._folder, self._limit, self._segment_bytes, self._every = folder, limit, segment_bytes, every
        self._waiting: deque[Answered] = deque()
        # The first two are counted where requests are answered, the others where they are written.
        self._taken = self._dropped = 0
        self._given = self._written = self._lost = 0
        self._ended = threading.Event()
        self._synced = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        _mend_torn(folder)
        self._file = _new_segment(folder)
        self._thread = threading.Thread(target=self._run, name="prediction log", daemon=True)
        self._thread.start()

    def append(self, answered: Answered) -> None:
        """Take predictions, or drop them where too many wait."""
        count = len(answered.ids)
        if self._taken - self._given + count > self._limit:
            self._dropped += count
        else:
            self._taken += count
            self._waiting.append(answered)

    @property
    def counts(self) -> dict[str, int]:
        """What became of the predictions: written, dropped, waiting."""
        return {"written": self._written, "dropped": self._dropped + self._lost, "waiting": self._taken - self._given}

    def close(self) -> None:
        """Write what waits, force it to the disk and end."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        encode = msgspec.json.Encoder().encode_lines
        ended = False
        while not ended:
            ended = self._ended.wait(self._every)
            while self._waiting:
                self._flush(encode)
            if ended or time.monotonic() - self._synced > 1:
                self._sync()
        self._file.close()

    def _flush(self, encode: Callable[[Any], bytes]) -> None:
        """Write some hundred waiting predictions in one call."""
        lines: list[Logged] = []
        while self._waiting and len(lines) < _AT_ONCE:
            lines += _lines(self._waiting.popleft())
        count = len(lines)
        try:
            self._write(encode(lines))
            self._written += count
        except Exception as error:  # whatever it is, what comes after is written
            self._lost += count
            _logger.error("the prediction log cannot be written: %s", error)
        self._given += count

    def _write(self, lines: bytes) -> None:
        if self._file.tell() >= self._segment_bytes:
            self._sync()
            fresh = _new_segment(self._folder)
            self._file.close()
            self._file = fresh
        begun = self._file.tell()
        view = memoryview(lines)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError:
            self._file.truncate(begun)  # no half line stays
            self._file.seek(begun)
            raise

    def _sync(self) -> None:
        self._synced = time.monotonic()
        try:
            os.fdatasync(self._file.fileno())
        except OSError as error:
            _logger.error("the prediction log cannot be forced to the disk: %s", error)


@functools.lru_cache(maxsize=64)
def _features_of(names: tuple[str, ...]) -> Any:
    """A structure with these fields, which is made and encoded in half the time of a mapping."""
    fields = {f"_{place}": name for place, name in enumerate(names)}
    return msgspec.defstruct("Features", list(fields), rename=fields, gc=False)


def _lines(answered: Answered) -> Iterator[Logged]:
    features = _features_of(answered.names)
    for row, (numbers, texts) in enumerate(zip(answered.numbers.tolist(), answered.categories.tolist(), strict=True)):
        yield Logged(
            answered.ids[row],
            answered.at,
            answered.version,
            answered.probabilities[row],
            answered.requests[row] if answered.requests else {},
            features(*numbers, *[text or None for text in texts]),
        )


def _new_segment(folder: Path) -> BinaryIO:
    """The next segment, held by a lock for as long as it is written."""
    number = max((int(path.stem) for path in segments(folder)), default=0)
    while True:
        number += 1
        path = folder / f"{number:08}.jsonl"
        try:
            file = open(path, "xb", buffering=0)  # noqa: SIM115 - lives as long as the log
        except FileExistsError:
            continue  # another server of this endpoint was first
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if file.write(HEAD) != len(HEAD):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        except OSError:
            path.unlink()
            file.close()
            raise
        return file


def _mend_torn(folder: Path) -> None:
    """Cut half a line off the end of the last segment, where its writer died in the middle of it."""
    found = segments(folder)
    if not found:
        return
    with open(found[-1], "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # it is still being written
        data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            file.truncate(whole)
