"""Fields: a schedule in numbers, as every scheduler takes them.

What only some schedulers know (the last day, the first Monday, a star that means "and") becomes the nearest times that
all know and that hold every due time. They call `noria schedule run --once`, and the ledger says which of their calls
is for a due time: the others do nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, pairwise

from noria.core import UTC, require
from noria.declarations import Schedule
from noria.schedule.times import times_after

_WHOLE = {"minutes": range(60), "hours": range(24), "days": range(1, 32), "months": range(1, 13), "weekdays": range(7)}
_NEAR_END = range(28, 32)
_LAST_WEEKDAY = range(26, 32)
_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Fields:
    """Numbers of each field, in order; empty for all of them.

    Attributes
    ----------
    minutes, hours, days, months, weekdays : tuple of int
        Weekdays from 0, Sunday.
    either : bool
        A day of the month or a day of the week is enough: both are restricted, and none begins with a star.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    either: bool

    @property
    def cron(self) -> str:
        """As five fields of plain numbers. Where cron would take "or" for "and", days of the week are left out."""
        days, weekdays = self.days, self.weekdays
        if days and weekdays and not self.either:
            weekdays = ()
        return " ".join(listed(field) for field in (self.minutes, self.hours, days, self.months, weekdays))


def fields_of(schedule: Schedule) -> Fields:
    """The numbers of a schedule, see above."""
    parsed = require("cronsim", extra="schedule").CronSim(schedule.cron, datetime(2024, 1, 1))
    days: set[int] = set()
    for day in parsed.days:
        days |= set(_NEAR_END if day == parsed.LAST else _LAST_WEEKDAY if day == parsed.LAST_WEEKDAY else (day,))
    weekdays = {(day[0] if isinstance(day, tuple) else day) % 7 for day in parsed.weekdays}
    found = {
        "minutes": parsed.minutes, "hours": parsed.hours, "days": days, "months": parsed.months, "weekdays": weekdays
    }  # fmt: skip
    numbers = {name: () if set(field) == set(_WHOLE[name]) else tuple(sorted(field)) for name, field in found.items()}
    if not parsed.day_and and not (numbers["days"] and numbers["weekdays"]):  # every day, or some of them
        numbers["days"] = numbers["weekdays"] = ()
    return Fields(**numbers, either=not parsed.day_and)


def shortest_pause(schedule: Schedule) -> timedelta:
    """The shortest time between two runs, of the first two hundred."""
    times = islice(times_after(schedule, datetime(2024, 1, 1, tzinfo=UTC)), _LOOKED_AT)
    return min((b - a for a, b in pairwise(times)), default=timedelta.max)


def listed(numbers: Sequence[int], to: str = "-") -> str:
    """Numbers as cron lists them, runs of three and more as ranges; all of them as a star.

    Examples
    --------
    >>> listed((1, 2, 3, 5, 6)), listed((0, 1, 2), ".."), listed(())
    ('1-3,5,6', '0..2', '*')
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}{to}{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs) or "*"
