"""Batches: however rows are cut, the same rows are kept and every rule finds the same."""

import math
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import noria as nr
from noria import contracts as c
from noria.contracts import Checker, check
from noria.core import DataError
from noria.declarations import Contract
from noria.expressions import polars_kinds

SCHEMA = {
    "_row": pl.Int64, "k": pl.String, "n": pl.Int64, "x": pl.Float64, "b": pl.Boolean, "at": pl.Datetime("us", "UTC"),
}  # fmt: skip
START = datetime(2025, 3, 1, tzinfo=UTC)
NOW = datetime(2025, 3, 2, tzinfo=UTC)
FRAMES = st.lists(
    st.fixed_dictionaries({
        "k": st.none() | st.sampled_from(["a", "b ", "", "É", "é", "a'b"]),
        "n": st.none() | st.integers(-3, 3) | st.sampled_from([2**63 - 1, -(2**63)]),
        "x": st.none() | st.sampled_from([0.5, -0.0, 1e300, math.nan, math.inf, -math.inf, 3.25]),
        "b": st.none() | st.booleans(),
        "at": st.none() | st.integers(0, 30).map(lambda minutes: START + timedelta(minutes=minutes)),
    }),
    max_size=25,
).map(lambda rows: pl.DataFrame([{"_row": at, **row} for at, row in enumerate(rows, 1)], schema=SCHEMA))  # fmt: skip
OTHERS = {"others": pl.DataFrame({"k": ["a", "é", None], "x": [0.5, math.nan, 1.0], "n": [1, 2, 2]})}

ROW_RULES = [
    c.between("n", -2, 2), c.between("x", -1, 1), c.not_null("x"), c.one_of("k", ["a", "b "]), c.one_of("n", [1, 2.5]),
    c.one_of("b", [True]), c.matches("k", "[a-z]"), c.length("k", 1, 1), c.length("k", 2), c.refers("k", to="others"),
    c.refers("x", to="others", key="x"), c.expression("n < 3 OR x > 0"), c.date_format("k"),
]  # fmt: skip
ROWS_RULES = [
    c.unique(["k", "n"]), c.unique("x"), c.duplicates(), c.duplicates("k"),
    c.duplicates(["k", "b"], time="at", within="2m"),
    c.monotonic("n"), c.monotonic("x", strict=True), c.monotonic("at", by="k"), c.monotonic("k", falling=True),
    c.outliers("x", least=2), c.outliers("n", "mad", by="k", least=3, width=1), c.outliers("n", "z", by=["b"], least=2),
]  # fmt: skip
TABLE_RULES = [
    c.aggregate("sum(n) < 4"), c.aggregate("mean(n) <= 1 AND count(x) > 2"), c.aggregate("max(x) > min(x)"),
    c.aggregate("count(*) - count(k) = count_if(k IS NULL)"), c.aggregate("max(at) < TIMESTAMP '2025-03-01 00:20:00'"),
    c.freshness("at", "23h"), c.no_gaps("at", "5m"), c.no_gaps("at", "2m", by="k"), c.volume(),
    c.distribution("x", to="others"), c.distribution("n", to="others", method="ks"), c.distribution("k", to="others"),
    c.distribution("k"),
]  # fmt: skip
EVERY_RULE = [*ROW_RULES, *ROWS_RULES, *TABLE_RULES]


def in_batches(frame, contract, sizes, *, stream=None):
    """What a checker finds where the rows come in batches."""
    checker = Checker(contract, polars_kinds(frame.schema), OTHERS, "source 's'", now=NOW)
    batches, rest = [], frame
    for size in sizes:
        batches.append(rest.head(size))
        rest = rest.slice(size)
    batches.append(rest)
    if stream if stream is not None else checker.streams:
        splits = []
        for batch in batches:
            checker.observe(batch)
            splits.append(checker.split(batch))
    else:
        for batch in batches:
            checker.observe(batch)
        splits = [checker.split(batch) for batch in batches]
    kept = pl.concat([split.kept for split in splits])
    aside = pl.concat([split.quarantined for split in splits])
    return kept, aside, sum(split.dropped for split in splits), checker.found()


def found(verdicts):
    return [(one.rule, one.checked, one.failed, one.tolerated, one.detail) for one in verdicts]


@settings(max_examples=40, deadline=None)
@given(
    FRAMES, st.lists(st.sampled_from(EVERY_RULE), max_size=5), st.lists(st.integers(0, 12), max_size=4), st.booleans(),
    st.sampled_from([None, 0, 2, 0.25]),
)  # fmt: skip
def test_however_rows_are_cut_the_same_is_found(frame, rules, sizes, keyed, at_most):
    rules = [
        rule if isinstance(rule, c.TableRule) else rule.replace(on_fail="quarantine", at_most=at_most)
        for rule in rules
    ]  # fmt: skip
    contract = Contract(key="k" if keyed else (), rules=rules)
    whole = in_batches(frame, contract, [])
    cut = in_batches(frame, contract, sizes)
    assert cut[0].equals(whole[0])
    assert cut[1].equals(whole[1])
    assert found(cut[3]) == found(whole[3])
    assert len(cut[0]) + len(cut[1]) + cut[2] == len(frame)
    with patch("noria.contracts.passes.LEAST_ROWS", 0):
        proven = in_batches(frame, contract, [])
    assert found(proven[3]) == found(whole[3])
    assert proven[0].equals(whole[0])


def naive_repeated(rows, null_breaks):
    seen, broken = set(), []
    for number, row in rows:
        if row in seen or (null_breaks and None in row):
            broken.append(number)
        seen.add(row)
    return broken


@settings(max_examples=30, deadline=None)
@given(FRAMES)
def test_rules_on_rows_among_each_other_beside_a_loop(frame):
    def broken(rule):
        made = check(frame, Contract(rules=[rule.replace(on_fail="quarantine")]), {}, "source 's'")
        return made.quarantined["_row"].to_list()

    rows = [(row["_row"], (row["k"], row["n"])) for row in frame.to_dicts()]
    assert broken(c.duplicates(["k", "n"])) == naive_repeated(rows, False)
    whole = [key for _, key in rows if None not in key]
    assert broken(c.unique(["k", "n"])) == [number for number, key in rows if whole.count(key) > 1]
    last, fell = {}, []
    for row in frame.to_dicts():
        if row["n"] is None:
            continue
        if row["n"] < last.get(row["k"], row["n"]):
            fell.append(row["_row"])
        last[row["k"]] = row["n"]
    assert broken(c.monotonic("n", by="k")) == fell
    near, before = [], {}
    for row in sorted(frame.drop_nulls("at").to_dicts(), key=lambda row: (row["at"], row["_row"])):
        if row["k"] in before and row["at"] - before[row["k"]] <= timedelta(minutes=2):
            near.append(row["_row"])
        before[row["k"]] = row["at"]
    assert broken(c.duplicates("k", time="at", within="2m")) == sorted(near)


@pytest.mark.parametrize(
    ("rules", "streams"),
    [
        ([], True),
        ([c.between("n", 1, 2, on_fail="quarantine"), c.duplicates(on_fail="fix")], True),
        ([c.monotonic("n", on_fail="quarantine")], True),
        ([c.unique("n"), c.outliers("x", on_fail="warn"), c.between("n", 1, 2, at_most=0.1)], True),
        ([c.unique("n", on_fail="quarantine")], False),
        ([c.duplicates("k", time="at", within="1m", on_fail="fix")], False),
        ([c.between("n", 1, 2, on_fail="quarantine", at_most=0.1)], False),
        ([c.between("n", 1, 2, on_fail="quarantine", at_most=0)], True),
        ([c.aggregate("sum(n) > 1")], True),
    ],
)
def test_rows_can_be_split_at_once_where_their_fate_hangs_on_none_after_them(rules, streams):
    kinds = polars_kinds(pl.Schema(SCHEMA))
    assert Checker(Contract(key="k", rules=rules), kinds, {}, "source 's'").streams is streams


def frame_of(**columns):
    size = len(next(iter(columns.values())))
    return pl.DataFrame({"_row": list(range(1, size + 1)), **columns})


def test_duplicates_that_are_declared_to_be_fixed_are_dropped_and_counted():
    frame = frame_of(k=["a", "b", "a", None, None], n=[1, 2, 1, 3, 3])
    made = check(frame, Contract(rules=[c.duplicates(on_fail="fix")]), {}, "source 's'")
    assert made.kept["_row"].to_list() == [1, 2, 4]
    assert made.dropped == 2
    assert not len(made.quarantined)
    assert made.verdicts[0].failed == 2
    both = [c.duplicates(on_fail="fix"), c.between("n", 0, 2, on_fail="quarantine")]
    made = check(frame, Contract(rules=both), {}, "source 's'")
    assert (made.kept["_row"].to_list(), made.quarantined["_row"].to_list(), made.dropped) == ([1, 2], [4, 5], 1)


@pytest.mark.parametrize("on_fail", ["fail", "quarantine", "warn"])
@pytest.mark.parametrize(
    ("at_most", "broken"), [(0.5, False), (2, False), (0.49, True), (1, True), (0, True), (0.0, True)]
)
def test_rows_within_the_tolerance_are_kept_and_counted(on_fail, at_most, broken):
    frame = frame_of(n=[1, 2, 30, 40])
    contract = Contract(rules=[c.between("n", 0, 9, on_fail=on_fail, at_most=at_most)])
    if broken and on_fail == "fail":
        with pytest.raises(DataError, match="2 of 4 rows break"):
            check(frame, contract, {}, "source 's'")
        return
    made = check(frame, contract, {}, "source 's'")
    (verdict,) = made.verdicts
    assert (verdict.failed, verdict.tolerated) == ((2, 0) if broken else (0, 2))
    assert verdict.examples == ("row 3: 30", "row 4: 40")
    assert len(made.kept) == (2 if broken and on_fail == "quarantine" else 4)


def test_within_the_tolerance_nothing_is_mended():
    frame = frame_of(n=[1, 2, 30, 40])
    made = check(frame, Contract(rules=[c.between("n", 0, 9, on_fail="fix", at_most=2)]), {}, "source 's'")
    assert made.kept["n"].to_list() == [1, 2, 30, 40]
    made = check(frame, Contract(rules=[c.between("n", 0, 9, on_fail="fix", at_most=1)]), {}, "source 's'")
    assert made.kept["n"].to_list() == [1, 2, 9, 9]


def test_what_a_fix_cannot_mend_is_set_aside_as_it_came():
    frame = frame_of(k=[" ewr", "JFK", "lg a ", None])
    rule = c.one_of("k", ["EWR", "JFK"], on_fail="fix", fix=["trim", "upper"])
    made = check(frame, Contract(rules=[rule]), {}, "source 's'")
    assert made.kept["k"].to_list() == ["EWR", "JFK", None]
    assert made.quarantined.select("k", "_reasons").rows() == [("lg a ", ["k is one of EWR, JFK"])]
    assert made.verdicts[0].failed == 2


def test_a_date_in_another_form_is_written_anew():
    frame = frame_of(k=["2025-02-28", "28/02/2025", "30/02/2025", "1.2.2025", "2025.02.28", None])
    rule = c.date_format("k", on_fail="fix", also=["%d/%m/%Y", "%Y.%m.%d"])
    made = check(frame, Contract(rules=[rule]), {}, "source 's'")
    assert made.kept["k"].to_list() == ["2025-02-28", "2025-02-28", "2025-02-28", None]
    assert made.quarantined["k"].to_list() == ["30/02/2025", "1.2.2025"]


def test_a_mend_that_doubles_a_key_is_refused():
    frame = frame_of(k=["a ", "a"])
    contract = Contract(key="k", rules=[c.matches("k", "[a-z]", on_fail="fix", fix="trim")])
    with pytest.raises(DataError, match="1 rows that were mended break the rule 'key \\(k\\)'"):
        check(frame, contract, {}, "source 's'")


@pytest.mark.parametrize("rule", [c.expression("n < 10"), c.aggregate("max(n) < 10")], ids=["expression", "aggregate"])
def test_an_unsigned_int_that_sql_has_no_room_for_is_refused(rule):
    fits = pl.DataFrame({"n": [2**63 - 1, None]}, schema={"n": pl.UInt64})
    assert not nr.check(fits, Contract(rules=[rule])).passed
    assert nr.check(fits.clear(), Contract(rules=[rule])).passed
    with pytest.raises(DataError, match="too large") as caught:
        nr.check(pl.DataFrame({"n": [5, 2**64 - 1]}, schema={"n": pl.UInt64}), Contract(rules=[rule]))
    assert (caught.value.place, caught.value.value) == ("column 'n', row 2", 2**64 - 1)
    many = pl.DataFrame({"n": [2**64 - 1]}, schema={"n": pl.UInt64})
    assert not nr.check(many, Contract(rules=[c.between("n", 0, 9)])).passed  # compared as it is


def test_batches_out_of_order_are_refused():
    checker = Checker(Contract(), {"_row": "int"}, {}, "source 's'")
    checker.observe(frame_of(n=[1]))
    with pytest.raises(ValueError, match="1 rows, not 2"):
        checker.split(frame_of(n=[1, 2]))


def test_memory_of_keys_does_not_depend_on_batches():
    frame = pl.select(_row=pl.int_range(1, 5001), n=pl.int_range(5000).reverse())
    repeated = pl.concat([frame, frame.head(3).with_columns(_row=pl.int_range(5001, 5004))])
    _, aside, _, verdicts = in_batches(repeated, Contract(key="n"), [7] * 700)
    assert aside["_row"].to_list() == [5001, 5002, 5003]
    assert verdicts[0].failed == 3


@example(rows=0)
@given(rows=st.integers(0, 3))
@settings(max_examples=5, deadline=None)
def test_no_rows_at_all_break_no_rule(rows):
    frame = pl.DataFrame(schema=SCHEMA)
    contract = Contract(key="k", rules=EVERY_RULE)
    checker = Checker(contract, polars_kinds(frame.schema), OTHERS, "source 's'", now=NOW)
    for _ in range(rows):
        checker.observe(frame)
        checker.split(frame)
    assert [verdict.rule for verdict in checker.verdicts() if verdict.failed] == []


@settings(deadline=None)
@given(st.lists(st.lists(st.none() | st.integers(-4, 4) | st.sampled_from([2**63 - 1, -(2**63)]), max_size=6)))
@example([[1, 2], [3], [], [4, 5], [5, 6]])
@example([[1, 2], [0, 7], [2, 8]])
@example([[3], [4], [1], [4, 9]])
def test_keys_that_rise_are_what_keys_in_any_order_are(batches):
    """Being in order proves a key until it is not; then every key of before counts."""
    keys, seen, broken = [key for batch in batches for key in batch], set(), []
    for key in keys:
        broken.append(key is None or key in seen)
        seen.add(key)
    checker = Checker(Contract(key="n"), {"_row": "int", "n": "int"}, {}, "source 's'", now=NOW)
    found, number = [], 0
    for batch in batches:
        rows = range(number + 1, number + len(batch) + 1)
        frame = pl.DataFrame({"_row": rows, "n": batch}, schema={"_row": pl.Int64, "n": pl.Int64})
        checker.observe(frame)
        found += checker.split(frame).quarantined["_row"].to_list()
        number += len(batch)
    assert found == [row for row, wrong in enumerate(broken, 1) if wrong]
