"""volume: a load has about as many rows as loads before."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import Field

from noria.contracts.condition import Subject
from noria.contracts.table import Finding, Measure, Moment, TableRule, Totals
from noria.declarations import OnFail

_REMEMBERED = 400
"""Loads: more than a year of days."""


class Volume(TableRule):
    """A load has about as many rows as the loads before it had; of the same weekday, where there are enough of these.

    About is within `width` robust standard deviations of their median, and never less than `slack` of it. Until there
    are `least` loads the rule holds, and says so.

    Parameters
    ----------
    width : float
        In robust standard deviations (1.4826 median distances).
    slack : float
        Share of the median by which a load may always differ.
    least : int
        How many loads there must be to judge by.
    by_weekday : bool
        Whether loads are compared with those of the same weekday (UTC), once there are `least` of them.

    Examples
    --------
    >>> volume(slack=0.2).text
    'about as many rows as before'
    """

    width: float = Field(default=4.0, gt=0)
    slack: float = Field(default=0.1, ge=0)
    least: int = Field(default=5, ge=2)
    by_weekday: bool = True

    @property
    def text(self) -> str:
        return "about as many rows as before"

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    def bounds(self, day: date, loads: list[tuple[date, int]]) -> tuple[float, float, str] | None:
        """Fewest and most rows, and by which loads; None without enough of them."""
        same = [rows for other, rows in loads if other.weekday() == day.weekday()] if self.by_weekday else []
        seasonal = len(same) >= self.least
        rows = same if seasonal else [rows for _, rows in loads]
        if len(rows) < self.least:
            return None
        middle = statistics.median(rows)
        spread = 1.4826 * statistics.median(abs(each - middle) for each in rows)
        reach = max(self.width * spread, self.slack * middle)
        return max(0.0, middle - reach), middle + reach, f"{len(rows)} {f'{day:%A}s' if seasonal else 'loads'}"

    def measure(self, subject: Subject, moment: Moment) -> Measure:
        return _Rows(self, moment)


class _Rows(Totals):
    def __init__(self, rule: Volume, moment: Moment):
        super().__init__([])
        self._rule, self._day = rule, moment.now.date()
        self._loads = [(date.fromisoformat(day), int(rows)) for day, rows in moment.memory.get("loads", [])]

    def finding(self) -> Finding:
        found = self._rule.bounds(self._day, self._loads)
        if found is None:
            return Finding(False, f"{self.rows:,} rows; {len(self._loads)} of {self._rule.least} loads to judge by")
        low, high, loads = found
        said = f"{self.rows:,} rows, between {low:,.0f} and {high:,.0f} by {loads}"
        return Finding(not low <= self.rows <= high, said)

    def memory(self) -> Mapping[str, Any]:
        loads = [*self._loads, (self._day, self.rows)][-_REMEMBERED:]
        return {"loads": [[day.isoformat(), rows] for day, rows in loads]}


def volume(
    *, width: float = 4.0, slack: float = 0.1, least: int = 5, by_weekday: bool = True, on_fail: OnFail = "fail"
) -> Volume:
    """A rule: a load has about as many rows as the loads before it.

    Examples
    --------
    >>> volume(on_fail="warn")
    Volume(on_fail='warn', width=4.0, slack=0.1, least=5, by_weekday=True)
    """
    return Volume(width=width, slack=slack, least=least, by_weekday=by_weekday, on_fail=on_fail)
