"""A table that has grown day by day until now is expected to be fresh tomorrow, too."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from noria.contracts import contract_source, inferred, profile_of

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def fresh(times, now=NOW, on_fail="warn"):
    rules = inferred(profile_of([pl.DataFrame({"at": times})]), on_fail, now).rules
    return [(rule.text, rule.on_fail) for rule in rules if "old" in rule.text]


def daily(days, end=NOW):
    return [end - timedelta(days=n, hours=1) for n in reversed(range(days))]


def test_daily_rows_until_now():
    assert fresh(daily(7)) == [("newest at at most 2d old", "warn")]
    assert fresh([one.date() for one in daily(10)]) == [("newest at at most 2d old", "warn")]
    assert fresh([one.replace(tzinfo=None) for one in daily(10)]) == [("newest at at most 2d old", "warn")]


@pytest.mark.parametrize(
    "times",
    [
        daily(6),
        daily(10, NOW - timedelta(days=2)),
        daily(10, NOW + timedelta(days=2)),
        daily(20)[::2],
        [date(1980, 1, 1), date(2026, 3, 10)],
        [None] * 3,
        ["2026-03-10"] * 10,
    ],
)
def test_what_says_nothing_of_tomorrow(times):
    assert fresh(times) == []


def test_without_a_now_nothing_is_said():
    assert fresh(daily(10), None) == []


def test_it_never_sets_rows_aside():
    assert [fresh(daily(7), on_fail=on_fail)[0][1] for on_fail in ("warn", "quarantine", "fail")] == [
        "warn",
        "warn",
        "fail",
    ]


def test_of_two_times_the_newer_one_counts():
    rows = pl.DataFrame({"ordered": daily(10, NOW - timedelta(hours=20)), "loaded": daily(10)})
    source = contract_source(inferred(profile_of([rows]), now=NOW))
    assert source.count("freshness") == 1
    assert 'nr.freshness("loaded", "2d", on_fail="warn")' in source
