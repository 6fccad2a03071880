"""What the tables hold: the profile of each source's table, as figures and small drawings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from noria.console import charts
from noria.console.data import Facts, ingested
from noria.console.figures import NONE, count, day, many, number, share
from noria.contracts import ColumnProfile, Profile
from noria.declarations import Project, Source

_FIRST, _MOST = 12, 200
_TOGETHER, _PAIRS = 0.7, 6
_NEVER_SAME = 20
_BARS = 60


def without_values(profile: Profile, private: Mapping[str, str]) -> Profile:
    """A profile that tells no value of a column that is declared private, or looks so.

    Parameters
    ----------
    profile : Profile
        Of a table.
    private : mapping of str to str
        Columns that are declared, and of what kind they are.
    """
    columns = (replace(column, personal=private.get(column.name, column.personal)) for column in profile.columns)
    return replace(profile, columns=tuple(_veiled(column) if column.personal else column for column in columns))


def _veiled(column: ColumnProfile) -> ColumnProfile:
    bare = replace(column, low=None, high=None, mean=None, std=None, quantiles={}, edges=(), counts=(), top=())
    return replace(bare, covered={}, every="", gaps=0)


def profiles(project: Project, facts: Facts, found: Mapping[str, Profile]) -> list[dict[str, Any]]:
    """Each table with its columns, the largest first.

    Parameters
    ----------
    project : Project
        What was declared.
    facts : mapping
        Step to the facts of its outcome.
    found : mapping of str to Profile
        By source.
    """
    declared = {source.name: source for source in project.sources}
    return [
        _table(name, table["key"], found[name], declared.get(name))
        for name, table in ingested(facts).items()
        if name in found
    ]


def _table(name: str, key: list[str], profile: Profile, source: Source | None) -> dict[str, Any]:
    columns = [_column(column, profile) for column in profile.columns[:_MOST]]
    left = len(profile.columns) - len(columns)
    return {
        "name": name,
        "note": " ".join(_notes(key, profile, source)),
        "columns": columns[:_FIRST],
        "others": columns[_FIRST:],
        "left": f"{many(left, 'column')} more: they stand in the profile's file only." if left > 0 else "",
        "pairs": _pairs(profile),
    }


def _notes(key: list[str], profile: Profile, source: Source | None) -> Iterator[str]:
    yield f"{many(profile.rows, 'row')}, {many(len(profile.columns), 'column')}."
    yield f"Key, as declared: {', '.join(key)}." if key else "No key is declared."
    others = [" with ".join(one) for one in profile.keys if list(one) != key]
    if others:
        yield f"Tells all rows apart, too: {', '.join(others[:_PAIRS])}."
    at = next((column for column in profile.columns if source is not None and column.name == source.event_time), None)
    if at is not None and at.low is not None:
        yield f'Its event time "{at.name}" goes from {day(str(at.low))} to {day(str(at.high))}: {_covered(at)}.'


def _pairs(profile: Profile) -> str:
    """The pairs of number columns that go together, in a sentence; empty where none does."""
    close = [pair for pair in profile.correlations if abs(pair[2]) >= _TOGETHER]
    named = [f"{one} and {other} ({_signed(r)})" for one, other, r in close[:_PAIRS]]
    if len(close) > _PAIRS:
        named.append(f"{len(close) - _PAIRS} more")
    return f"Go together (correlation): {', '.join(named)}." if named else ""


def _signed(r: float) -> str:
    return f"{r:.2f}".replace("-", "−")


def _column(column: ColumnProfile, profile: Profile) -> dict[str, Any]:
    return {
        "name": column.name,
        "kind": column.kind,
        "key": (column.name,) in profile.keys,
        "personal": column.personal,
        "nulls": share(column.nulls, column.rows) if column.nulls else "",
        "distinct": count(column.distinct) if column.kind not in ("null", "interval") else NONE,
        "range": _range(column),
        "drawing": charts.sparkline(_shape(column)),
        "text": _says(column),
    }


def _range(column: ColumnProfile) -> str:
    if column.personal:
        return NONE
    if column.kind == "string" and column.lengths is not None:
        low, high = column.lengths
        return many(low, "letter") if low == high else f"{low:,} to {many(high, 'letter')}"
    if column.low is None or column.high is None or column.kind not in ("int", "float", "date", "timestamp"):
        return NONE
    shown = [number(end) if isinstance(end, int | float) else day(end) for end in (column.low, column.high)]
    return " to ".join(dict.fromkeys(shown))


def _says(column: ColumnProfile) -> str:
    """What is worth knowing of the values, in a few words."""
    text = _usual(column)
    if not column.nans:
        return text
    return f"{text}; {many(column.nans, 'value')} not finite" if text != NONE else f"{count(column.nans)} not finite"


def _usual(column: ColumnProfile) -> str:
    if column.kind in ("null", "interval") or not column.present:
        return "nothing" if not column.present else NONE
    if column.personal:
        return "its values are not shown"
    if column.kind in ("date", "timestamp"):
        return _covered(column)
    if column.unique:
        return "each value once"
    if column.distinct == 1 and column.top and not column.nans:
        return f"always {column.top[0][0]}"
    if column.kind == "float" or (column.kind == "int" and column.distinct > _NEVER_SAME):
        ends = [number(column.quantiles[share]) for share in ("0.5", "0.25", "0.75") if share in column.quantiles]
        return f"median {ends[0]}, half of them {ends[1]} to {ends[2]}" if len(ends) == 3 else NONE
    about = "" if column.top_is_exact else "about "
    return ", ".join(f"{value} ({about}{share(rows, column.present)})" for value, rows in column.top[:3]) or NONE


def _covered(column: ColumnProfile) -> str:
    """How much of its time has rows."""
    rest = f"{count(column.gaps)} of them without a row" if column.gaps else "none without a row"
    return f"{many(_steps(column), column.every)}, {rest}"


def _shape(column: ColumnProfile) -> list[float]:
    """Heights of bars: of a histogram, of the days of a time, or of the most frequent values; none of a constant."""
    if column.distinct <= 1:
        return []
    if column.counts:
        return [float(one) for one in column.counts]
    if column.covered:
        return _by_time(column)
    frequent = column.kind in ("string", "bool") and not column.unique
    return [float(rows) for _, rows in column.top] if frequent else []


def _by_time(column: ColumnProfile) -> list[float]:
    """Rows in equal parts of the time from the first day to the last, those without a row included."""
    days = [date.fromisoformat(one).toordinal() for one in column.covered]
    first, last = days[0], _last(column.every, days[-1])
    parts = min(_BARS, _steps(column))
    bars = [0.0] * parts
    for at, rows in zip(days, column.covered.values(), strict=True):
        bars[math.floor((at - first) / (last - first) * parts)] += rows
    return bars


def _steps(column: ColumnProfile) -> int:
    return len(column.covered) + column.gaps


def _last(every: str, at: int) -> int:
    """The day after the last day, month or year."""
    start = date.fromordinal(at)
    length = {"day": timedelta(days=1), "month": timedelta(days=31), "year": timedelta(days=366)}[every]
    return (start + length).toordinal() if start < date(9998, 1, 1) else at + length.days
