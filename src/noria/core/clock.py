"""Where "now" comes from: the wall, or a clock that is told.

Every part of Noria takes its time from a clock that is passed in, so that a rehearsal can play a past month through the
real parts. A told clock lives in an 8-byte file, so that processes (the stream worker, the server) share it.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from datetime import UTC as UTC
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = struct.Struct("<q")


class Clock(Protocol):
    """Tells the time.

    Both methods may be called from any thread at any rate; neither blocks.
    """

    def now(self) -> datetime:
        """The time, in UTC, to the microsecond."""

    def micros(self) -> int:
        """The same time as microseconds since 1970-01-01 UTC: what hot paths use."""


class WallClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def micros(self) -> int:
        return time.time_ns() // 1000


class ToldClock:
    """A clock that stands still until it is told the time.

    Parameters
    ----------
    path : Path
        The file that holds the time; processes that open the same file share the clock. One process tells, any number
        read.
    start : datetime, optional
        Tells the clock this time at once; required where the file does not exist yet.

    Examples
    --------
    >>> import tempfile
    >>> clock = ToldClock(Path(tempfile.mkdtemp()) / "clock", start=datetime(2013, 12, 1, tzinfo=UTC))
    >>> clock.now().isoformat()
    '2013-12-01T00:00:00+00:00'
    """

    def __init__(self, path: Path, start: datetime | None = None):
        path = Path(path)
        if not path.exists():
            path.write_bytes(_INT64.pack(0))
        self.path = path
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), _INT64.size)
        if start is not None:
            self.tell(start)

    def tell(self, moment: datetime | int) -> None:
        """Set the time (a datetime in any zone, or microseconds since the epoch)."""
        self._map[:] = _INT64.pack(moment if isinstance(moment, int) else to_micros(moment))

    def micros(self) -> int:
        return int(_INT64.unpack(self._map[:])[0])

    def now(self) -> datetime:
        return from_micros(self.micros())

    def __reduce__(self) -> tuple[object, ...]:
        return ToldClock, (self.path,)


def clock_from_environment() -> Clock:
    """The told clock that ``NORIA_CLOCK`` names, else the wall."""
    path = os.environ.get("NORIA_CLOCK")
    return ToldClock(Path(path)) if path else WallClock()


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, exactly; a time without a zone is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The UTC time of `micros` microseconds since 1970-01-01."""
    return _EPOCH + timedelta(microseconds=micros)
