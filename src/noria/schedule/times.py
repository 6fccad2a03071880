"""Times: when a schedule is due, exactly, also where clocks are put forward and back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from noria.core import UTC, require
from noria.declarations import Schedule


def times_after(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Every time at which it is due after a moment, in UTC and in order, without end.

    As Debian's cron has it: a fixed time that does not exist, because clocks were put forward, comes at the first
    minute after the gap; one that comes twice, because they were put back, counts once. Where minute or hour begins
    with ``*`` it goes by the clock on the wall, minute by minute.

    Examples
    --------
    >>> from itertools import islice
    >>> daily = Schedule("30 2 * * *", zone="Europe/Berlin")
    >>> for time in islice(times_after(daily, datetime(2025, 3, 28, 12, tzinfo=UTC)), 3):
    ...     print(time.isoformat())
    2025-03-29T01:30:00+00:00
    2025-03-30T01:00:00+00:00
    2025-03-31T00:30:00+00:00
    """
    last = after.astimezone(UTC)
    for time in require("cronsim", extra="schedule").CronSim(schedule.cron, after.astimezone(ZoneInfo(schedule.zone))):
        due = time.astimezone(UTC)
        # Begun in the second of two equal hours, a fixed time of the first would come once more.
        if due > last:
            last = due
            yield due


def start_of(schedule: Schedule, name: str, due: datetime) -> datetime:
    """When the run of a due time begins: up to `jitter` later, for one project and time always the same."""
    if not schedule.jitter:
        return due
    digest = hashlib.blake2b(f"{name} {due.isoformat()}".encode(), digest_size=8).digest()
    share = int.from_bytes(digest, "big") / 2**64
    return due + timedelta(microseconds=int(schedule.jitter * share))
