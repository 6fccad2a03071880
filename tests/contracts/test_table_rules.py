"""Rules about tables: what breaks each, what it says, and what it remembers."""

import json
import math
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from noria import contracts as c
from noria.contracts import Checker
from noria.core import DataError, DeclarationError
from noria.declarations import Contract
from noria.expressions import polars_kinds

NOW = datetime(2025, 3, 10, 12, tzinfo=UTC)  # a Monday


def verdict_of(rule, frame, *, memory=None, references=None, now=NOW):
    frame = frame if "_row" in frame.columns else frame.with_row_index("_row", 1)
    checker = Checker(
        Contract(rules=[rule.replace(on_fail="warn")]), polars_kinds(frame.schema), references or {}, "source 's'",
        memory=memory, now=now,
    )  # fmt: skip
    checker.observe(frame)
    (verdict,) = checker.verdicts()
    return verdict, json.loads(json.dumps(checker.memory()))


def told(rule, frame, **more):
    verdict, _ = verdict_of(rule, frame, **more)
    return bool(verdict.failed), verdict.detail


NUMBERS = pl.DataFrame({"a": [1, 2, None, 4], "b": [3.0, 4.0, None, math.nan], "s": ["x", "y", "y", None]})


@pytest.mark.parametrize(
    ("sql", "broken", "detail"),
    [
        ("sum(a) = 7", False, "sum(a) = 7"),
        ("sum(a) = 8", True, "sum(a) = 7"),
        ("mean(a) < 2.4", False, "mean(a) = 2.33333"),
        ("avg(a) < 2", True, "mean(a) = 2.33333"),
        ("count(*) = 4 AND count(a) = 3", False, "count(*) = 4, count(a) = 3"),
        ("min(b) = 3 AND max(b) > 1e300", False, "min(b) = 3, max(b) = nan"),
        ("count_if(s = 'y') = 2", False, "count_if(s = 'y') = 2"),
        ("max(s) = 'y'", False, "max(s) = y"),
        ("sum(a * 2) = 2 * sum(a)", False, "sum(a * 2) = 14, sum(a) = 7"),
        ("sum(CASE WHEN s = 'z' THEN a END) > 5", False, "sum(CASE WHEN s = 'z' THEN a END) = null"),  # null passes
    ],
)
def test_aggregates(sql, broken, detail):
    assert told(c.aggregate(sql), NUMBERS) == (broken, detail)


def test_a_sum_beyond_64_bits_breaks_the_rule():
    frame = pl.DataFrame({"a": [4 * 10**18] * 3})
    assert told(c.aggregate("sum(a) > 0"), frame) == (True, "sum(a) = 12,000,000,000,000,000,000: beyond 64 bits")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("a > 1", "no aggregate"), ("sum(s) > 1", "of kind int or float"), ("sum(a)", "true or false"),
        ("sum(a) > b", "unknown column 'b'"), ("sum(sum(a)) > 1", "cannot be taken"),
        ("count(DISTINCT a) > 1", "cannot be taken"),
        ("sum(1) > 0", "cannot be taken"), ("stddev(a) > 0", "no aggregate that a rule can have"),
        ("sum(a) >", "not an expression"),
        ("sum(c) > 1", "the column 'c' is not there"), ("count_if(a) > 1", "of kind bool"),
    ],
)  # fmt: skip
def test_aggregates_that_are_refused(sql, said):
    with pytest.raises((DeclarationError, DataError)) as caught:
        verdict_of(c.aggregate(sql), NUMBERS)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("newest", "broken", "detail"),
    [
        (NOW - timedelta(hours=24), False, "newest 1 day, 0:00:00 old, at most 1d"),
        (NOW - timedelta(days=3, seconds=1), True, "newest 3 days, 0:00:01 old, at most 1d"),
        (NOW + timedelta(hours=2), False, "newest 2:00:00 ahead of now, at most 1d old"),
        (date(2025, 3, 9), True, "newest 1 day, 12:00:00 old, at most 1d"),
        (None, True, "there is no at"),
    ],
)
def test_freshness(newest, broken, detail):
    dtype = pl.Date if isinstance(newest, date) and not isinstance(newest, datetime) else pl.Datetime("us", "UTC")
    older = newest - timedelta(days=9) if newest else None
    assert told(c.freshness("at", "1d"), pl.DataFrame({"at": [older, None, newest]}, {"at": dtype})) == (broken, detail)


def test_volume_learns_and_says_so():
    memory, day = None, datetime(2025, 1, 1, tzinfo=UTC)
    for number in range(60):
        now = day + timedelta(days=number)
        rows = (20 if now.weekday() >= 5 else 100) + number % 3
        verdict, memory = verdict_of(c.volume(), pl.DataFrame({"a": range(rows)}), memory=memory, now=now)
        assert not verdict.failed or 5 <= number < 40, verdict  # the first week-ends are judged by the days before
        if number < 5:
            assert verdict.detail == f"{rows} rows; {number} of 5 loads to judge by"
    monday = datetime(2025, 3, 3, tzinfo=UTC)
    broken, detail = told(c.volume(), pl.DataFrame({"a": range(21)}), memory=memory, now=monday)
    assert broken
    assert detail.startswith("21 rows, between ")
    assert detail.endswith(" by 8 Mondays")
    saturday = datetime(2025, 3, 8, tzinfo=UTC)
    assert not told(c.volume(), pl.DataFrame({"a": range(21)}), memory=memory, now=saturday)[0]
    assert told(c.volume(), pl.DataFrame({"a": []}), memory=memory, now=saturday)[0]


def hours(*numbers):
    day = datetime(2025, 3, 1, tzinfo=UTC)
    times = [None if number is None else day + timedelta(hours=number) for number in numbers]
    return pl.Series("at", times, pl.Datetime("us", "UTC"))


@pytest.mark.parametrize(
    ("at", "broken", "detail"),
    [
        ((3, 1, None, 2, 0), False, "no gap"),
        ((0, 1, 4, 5, 9), True, "2 gaps, the longest 4h after 2025-03-01 05:00:00"),
        ((None,), False, "there are no times"),
        ((1,), False, "no gap"),
    ],
)
def test_gaps(at, broken, detail):
    assert told(c.no_gaps("at", "1h"), hours(*at).to_frame()) == (broken, detail)


def test_gaps_of_groups():
    frame = pl.DataFrame({"at": hours(0, 5, 1, 6, 9, 2), "k": ["a", "b", "a", "b", None, "a"]})
    assert told(c.no_gaps("at", "1h", by="k"), frame) == (False, "no gap")
    assert told(c.no_gaps("at", "30m", by="k"), frame)[1] == "3 gaps, the longest 1h after 2025-03-01 00:00:00 of a"


@pytest.mark.parametrize("method", ["psi", "ks"])
def test_distributions(method):
    chance = pl.Series(range(20_000)).sample(fraction=1, seed=1, shuffle=True)
    there = {"others": pl.DataFrame({"x": chance / 20_000})}
    rule = c.distribution("x", to="others", method=method)
    same = pl.DataFrame({"x": chance.reverse() / 20_000})
    assert not told(rule, same, references=there)[0]
    assert told(rule, same.select(pl.col("x") * 0.7), references=there)[0]
    assert told(rule, same.with_columns(x=pl.when(pl.col("x") > 0.6).then(pl.col("x"))), references=there)[0]
    broken, detail = told(rule, pl.DataFrame({"x": [math.nan, math.inf, None]}), references=there)
    assert broken
    assert detail.startswith(f"{method} ")


def test_a_distribution_is_compared_with_the_first_load():
    first = pl.DataFrame({"k": ["a"] * 70 + ["b"] * 30})
    rule = c.distribution("k")
    verdict, memory = verdict_of(rule, first)
    assert (verdict.failed, verdict.detail) == (0, "the first load: later ones are compared with it")
    later, again = verdict_of(rule, first, memory=memory)
    assert (later.failed, later.detail) == (0, "psi 0, at most 0.2")
    assert again == memory
    assert told(rule, pl.DataFrame({"k": ["a"] * 30 + ["b"] * 60 + ["ü"] * 10}), memory=memory)[0]
    assert told(rule, pl.DataFrame({"k": [None] * 100}, {"k": pl.String}), memory=memory)[0]


@pytest.mark.parametrize(
    "make",
    [
        lambda: c.aggregate("sum(a) > 1", on_fail="quarantine"), lambda: c.volume(on_fail="fix"),
        lambda: c.freshness("at", "1d", on_fail="quarantine"), lambda: c.freshness("at", "0d"),
        lambda: c.distribution("x", there="y"), lambda: c.between("a", 1, 2, at_most=1.5),
        lambda: c.between("a", 1, 2, at_most=-1), lambda: c.duplicates("k", time="at"), lambda: c.length("k", 3, 2),
        lambda: c.duplicates(time="at", within="1h"), lambda: c.date_format("k", "%Y-%j"),
        lambda: c.date_format("k", on_fail="fix"), lambda: c.date_format("k", "%H:%M"),
        lambda: c.outliers("x", width=0),
        lambda: c.one_of("k", "EWR"), lambda: c.one_of("k", ["a"], fix="trim"),
        lambda: c.matches("k", "a", on_fail="fix", fix="shout"),
        lambda: c.monotonic("x", on_fail="fix"), lambda: c.outliers("x", on_fail="fix"),
        lambda: c.Volume(at_most=3),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(make):
    with pytest.raises(DeclarationError) as caught:
        make()
    assert caught.value.mend


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (c.freshness("s", "1d"), "timestamp or date"), (c.no_gaps("a", "1h"), "timestamp or date"),
        (c.distribution("s", method="ks"), "float or int"), (c.distribution("a", to="o", there="s"), "no such column"),
        (c.outliers("s"), "float or int"), (c.length("a", 1), "kind string"), (c.date_format("a"), "kind string"),
        (c.duplicates("s", time="a", within="1h"), "timestamp or date"),
    ],
)  # fmt: skip
def test_rules_that_do_not_fit_their_columns(rule, said):
    with pytest.raises(DeclarationError) as caught:
        verdict_of(rule, NUMBERS, references={"o": pl.DataFrame({"s": ["a"]})})
    assert said in str(caught.value)
