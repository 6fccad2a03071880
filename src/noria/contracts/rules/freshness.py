"""freshness: the newest row of a table is not old."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from pydantic import Field

from noria.contracts.condition import Subject
from noria.contracts.table import Finding, Measure, Moment, TableRule, Totals
from noria.contracts.wants import Want, quoted
from noria.declarations import Micros, OnFail, duration_text


class Freshness(TableRule):
    """The newest time in a column is not older than this. A table of no rows passes; one of no times does not.

    A date is as old as its midnight in UTC.

    Parameters
    ----------
    column : str
        A column of timestamps or dates.
    max_age : duration
        How old it may be when the rows are checked: ``"1d"``.

    Examples
    --------
    >>> freshness("sold_at", "1d").text
    'newest sold_at at most 1d old'
    """

    column: str = Field(kw_only=False)
    max_age: Micros = Field(kw_only=False, gt=0)

    @property
    def text(self) -> str:
        return f"newest {self.column} at most {duration_text(self.max_age)} old"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def measure(self, subject: Subject, moment: Moment) -> Measure:
        self.needs(subject, self.column, "timestamp", "date")
        return _Newest(self, moment.now)


class _Newest(Totals):
    def __init__(self, rule: Freshness, now: datetime):
        super().__init__([Want("max", quoted(rule.column))])
        self._rule, self._now = rule, now

    def finding(self) -> Finding:
        newest = self.values[0]
        if newest is None:
            return Finding(bool(self.rows), f"there is no {self._rule.column}" if self.rows else "there are no rows")
        if not isinstance(newest, datetime):
            newest = datetime.combine(newest, time(), UTC)
        age = self._now - newest
        told = f"newest {abs(age) // timedelta(seconds=1) * timedelta(seconds=1)}"
        allowed = f"at most {duration_text(self._rule.max_age)}"
        if age < timedelta():
            return Finding(False, f"{told} ahead of now, {allowed} old")
        return Finding(age > timedelta(microseconds=self._rule.max_age), f"{told} old, {allowed}")


def freshness(column: str, max_age: str | timedelta, *, on_fail: OnFail = "fail") -> Freshness:
    """A rule: the newest time in a column is not older than this when the rows are checked.

    Examples
    --------
    >>> freshness("sold_at", "36h", on_fail="warn")
    Freshness(on_fail='warn', column='sold_at', max_age=129600000000)
    """
    return Freshness(column, max_age, on_fail=on_fail)
