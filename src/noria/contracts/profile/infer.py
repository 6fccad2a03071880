"""The contract that a profile suggests: what held of all rows so far, with slack where tomorrow may differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

from noria.contracts.profile.result import ColumnProfile, Profile
from noria.contracts.rules.between import Between
from noria.contracts.rules.freshness import freshness
from noria.contracts.rules.not_null import NotNull
from noria.contracts.rules.one_of import OneOf
from noria.contracts.rules.private import Private
from noria.declarations import Contract, Rule

_FEW = 12
_FLAGS = 3
_REPEATED = 20
_DAYS, _FRESH, _STALE = 7, timedelta(days=1), timedelta(days=2)
_KNOWN = ("bool", "int", "float", "string", "date", "timestamp")

OnGuess = Literal["warn", "quarantine", "fail"]


def inferred(profile: Profile, on_fail: OnGuess = "warn", now: datetime | None = None) -> Contract:
    """A contract that the profiled rows keep, for a person to read and mend.

    The types are as they are, with the key where one column, or a pair, tells the rows apart. A column that was never
    null must not be; numbers stay in their range, widened by half of its width, and do not cross zero where none did;
    texts with few values, each often, are of that set; what looks personal is declared to be. Where rows have come day
    by day until now, the newest must not be older than two days.

    Parameters
    ----------
    profile : Profile
        Of rows that are right.
    on_fail : str
        What becomes of rows that break a guess. What is only guessed is told, not enforced, unless it is said.
    now : datetime, optional
        When the table was read; without it nothing is said of its age.

    Examples
    --------
    >>> import polars as pl
    >>> from noria.contracts.profile import profile_of
    >>> rows = pl.DataFrame({"id": range(100), "size": ["S", "M"] * 50, "mail": ["a@b.org", None] * 50})
    >>> contract = inferred(profile_of([rows]))
    >>> contract.key, [rule.text for rule in contract.rules]
    (('id',), ['size is not null', 'size is one of M, S', 'mail is private: e-mail'])
    """
    key = profile.keys[0] if profile.keys else ()
    types = {column.name: column.kind for column in profile.columns if column.kind in _KNOWN}
    rules = [rule for column in profile.columns for rule in _rules(column, key, on_fail)]
    if now is not None and (column := _comes_daily(profile, now)):
        # One old table sets no row aside: the whole of it is late.
        rules.append(freshness(column, _STALE, on_fail="fail" if on_fail == "fail" else "warn"))
    return Contract(key=key, types=types, rules=tuple(rules))


def _rules(column: ColumnProfile, key: tuple[str, ...], on_fail: OnGuess) -> Iterator[Rule]:
    if column.name in key:
        return
    if column.rows and not column.nulls and not column.nans:
        yield NotNull(column.name, on_fail=on_fail)
    if column.personal:
        yield Private(column.name, column.personal)
    if column.distinct <= 1:
        return  # of a constant nothing is known but this one value
    if (values := small_set(column)) is not None:
        yield OneOf(column.name, values, on_fail=on_fail)
    elif column.kind in ("int", "float") and not column.personal and (ends := slack(column)) is not None:
        yield Between(column.name, *ends, on_fail=on_fail)


def _comes_daily(profile: Profile, now: datetime) -> str:
    """The column of times whose newest is at most a day old, and that has rows on each day of a week and more."""
    fresh = []
    for column in profile.columns:
        if column.every != "day" or column.gaps or len(column.covered) < _DAYS or not isinstance(column.high, str):
            continue
        newest = datetime.fromisoformat(column.high)
        age = now - (newest if newest.tzinfo is not None else newest.replace(tzinfo=UTC))
        if timedelta() <= age <= _FRESH:
            fresh.append((age, column.name))
    return min(fresh, default=(_FRESH, ""))[1]


def slack(column: ColumnProfile) -> tuple[float, float] | None:
    """A range that is wider than that of the values by half its width on each side, with rounded ends.

    Examples
    --------
    >>> slack(ColumnProfile("age", "int", 10, low=18, high=90))
    (0, 130)
    """
    low, high = column.low, column.high
    if isinstance(low, str) or isinstance(high, str) or low is None or high is None:
        return None
    if column.unique and column.kind == "int" and column.present > _FEW:
        return None  # a number that names things grows
    room = (high - low) / 2 or abs(high) / 2 or 1
    if not math.isfinite(room) or abs(low) > 1e15 or abs(high) > 1e15:
        return None
    ends = _outwards(low - room, room, math.floor), _outwards(high + room, room, math.ceil)
    if low >= 0:
        ends = max(ends[0], 0), ends[1]
    if high <= 0:
        ends = ends[0], min(ends[1], 0)
    return (round(ends[0]), round(ends[1])) if column.kind == "int" else (float(ends[0]), float(ends[1]))


def _outwards(value: float, room: float, rounded: Callable[[float], int]) -> float:
    """The next round number, of one digit less than the range has."""
    step = 10.0 ** math.floor(math.log10(room)) if room > 0 else 1.0
    return float(f"{rounded(value / step) * step:.12g}")


def small_set(column: ColumnProfile) -> tuple[str, ...] | tuple[int, ...] | None:
    """All values of a column that has few, each of which comes often, in order: of texts, and of flags like 0 and 1."""
    values = [value for value, _ in column.top]
    often = column.present >= _REPEATED * column.distinct
    if column.kind == "int" and often and column.distinct == len(values) <= _FLAGS:
        return tuple(sorted(map(int, values)))
    whole = column.top_is_exact and column.distinct == len(values) <= _FEW
    if column.kind != "string" or column.personal or not whole or not often or any(len(v) >= 60 for v in values):
        return None
    return tuple(sorted(values))
