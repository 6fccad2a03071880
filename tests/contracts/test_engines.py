"""Polars and DuckDB, frames, lazy frames and files: the same verdicts."""

import math
from datetime import UTC, datetime
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import noria as nr
from noria import contracts as c
from noria.core import DataError, DeclarationError

from .test_checker import EVERY_RULE, FRAMES, NOW, OTHERS

pytest.importorskip("duckdb")


def found(report):
    return [
        (one.rule, one.column, one.on_fail, one.checked, one.failed, one.tolerated, one.examples, one.detail)
        for one in report.verdicts
    ]  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(FRAMES, st.lists(st.sampled_from(EVERY_RULE), max_size=6), st.booleans(), st.sampled_from([None, 0, 2, 0.25]))
def test_both_engines_find_the_same(frame, rules, keyed, at_most):
    rules = [rule if isinstance(rule, c.TableRule) else rule.replace(at_most=at_most) for rule in rules]
    contract = nr.Contract(key="k" if keyed else (), rules=rules, rows=(1, 20))
    polars = nr.check(frame, contract, OTHERS, now=NOW)
    duckdb = nr.check(frame, contract, OTHERS, now=NOW, engine="duckdb")
    assert found(duckdb) == found(polars)
    assert duckdb.memory == polars.memory
    assert duckdb.passed == polars.passed


FRAME = pl.DataFrame({
    "n": [1, 2, 2, None, 9], "x": [0.5, math.nan, 1.0, 2.0, math.inf], "k": ["a", "b", "b", None, "ü"],
    "at": [datetime(2025, 3, 1, hour, tzinfo=UTC) for hour in (1, 2, 3, 4, 9)],
})  # fmt: skip
RULES = [
    c.between("n", 1, 5), c.not_null("k"), c.unique("n"), c.monotonic("n"), c.aggregate("sum(n) = 14"),
    c.no_gaps("at", "1h"),
    c.matches("k", "[a-z]"), c.outliers("x", least=2), c.not_null("at"), c.between("n", 0, 10),
]  # fmt: skip
CONTRACT = nr.Contract(key="at", rules=RULES)


def test_values_are_checked_wherever_they_are(tmp_path):
    FRAME.write_parquet(tmp_path / "part-1.parquet")
    FRAME.head(3).write_parquet(tmp_path / "a.parquet", row_group_size=2)
    FRAME.slice(3).write_parquet(tmp_path / "b.parquet")
    expected = found(nr.check(FRAME, CONTRACT))
    assert [one[4] for one in expected] == [0, 1, 1, 2, 0, 0, 1, 1, 2, 0, 0]
    several = [tmp_path / "a.parquet", str(tmp_path / "b.parquet")]
    for data in (
        FRAME.lazy(),
        FRAME.to_arrow(),
        tmp_path / "part-1.parquet",
        str(tmp_path / "part-*.parquet"),
        several,
    ):
        for engine in ("polars", "duckdb"):
            assert found(nr.check(data, CONTRACT, engine=engine)) == expected
    with patch("noria.contracts.data.BATCH", 2):
        assert found(nr.check(FRAME.lazy(), CONTRACT)) == expected


def test_a_csv_file_and_types(tmp_path):
    (tmp_path / "a.csv").write_text("n,k\n1,x\ntwo,y\n3.5,z\n", encoding="utf-8")
    report = nr.check(tmp_path / "a.csv", nr.Contract(types={"n": "int"}, rules=[c.not_null("n", at_most=2)]))
    assert [(one.rule, one.failed, one.tolerated) for one in report.verdicts] == [("n is of type int", 2, 0), ("n is not null", 0, 2)]  # fmt: skip  # noqa: E501
    assert report.verdicts[0].examples == ("row 2: two", "row 3: 3.5")
    assert not report.passed
    with pytest.raises(DeclarationError, match="checks columns as they are"):
        nr.check(tmp_path / "a.csv", nr.Contract(types={"n": "int"}), engine="duckdb")


def test_adding_rules_to_a_passing_table_does_not_run_its_plan_again():
    runs = []
    lazy = FRAME.lazy().map_batches(lambda frame: runs.append(1) or frame)
    few = [c.not_null("at"), c.between("n", 0, 10)]
    nr.check(lazy, nr.Contract(rules=few))
    once = len(runs)
    runs.clear()
    many = [
        *few,
        c.unique("at"),
        c.monotonic("at"),
        c.aggregate("count(*) > 0"),
        *(c.between("n", 0, top) for top in range(9, 40)),
    ]
    assert nr.check(lazy, nr.Contract(rules=many)).passed
    assert len(runs) == once


def test_a_file_that_proves_its_rules_is_not_read(tmp_path):
    pl.DataFrame({"n": range(1000), "k": ["a"] * 1000}).write_parquet(tmp_path / "a.parquet", row_group_size=100)
    rules = [c.between("n", 0, 999), c.not_null("n"), c.not_null("k")]
    batches = []
    from noria.contracts import data

    real = data.Rows.batches
    with patch.object(
        data.Rows, "batches", lambda self, columns: real(self, batches.append(set(columns)) or batches[-1])
    ):
        report = nr.check(tmp_path / "a.parquet", nr.Contract(rules=rules))
        assert (report.rows, report.passed, len(report.verdicts)) == (1000, True, 3)
        nr.check(tmp_path / "a.parquet", nr.Contract(rules=[*rules, c.between("n", 0, 998)]))
    assert batches == [set(), {"n"}]


@pytest.mark.parametrize("values", [[1.0, math.nan], [None, 2.0], [math.inf, 0.0]])
def test_what_a_files_statistics_leave_out_is_read(tmp_path, values):
    pl.DataFrame({"x": values}, schema={"x": pl.Float64}).write_parquet(tmp_path / "a.parquet")
    report = nr.check(tmp_path / "a.parquet", nr.Contract(rules=[c.between("x", 0, 10), c.not_null("x")]))
    assert sum(one.failed for one in report.verdicts) == 1


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_what_cannot_be_checked_is_told(tmp_path, engine):
    with pytest.raises(DataError, match="no such file"):
        nr.check(tmp_path / "none.parquet", CONTRACT, engine=engine)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read"):
        nr.check(tmp_path / "bad.parquet", CONTRACT, engine=engine)
    with pytest.raises(DeclarationError, match="no rows that can be checked"):
        nr.check({"n": [1]}, CONTRACT, engine=engine)
    with pytest.raises(DataError, match="'nn' is not there"):
        nr.check(FRAME, nr.Contract(rules=[c.not_null("nn")]), engine=engine)
    with pytest.raises(DeclarationError, match="needs a column of kind"):
        nr.check(FRAME, nr.Contract(rules=[c.between("k", 1, 2)]), engine=engine)
    with pytest.raises(DeclarationError, match="no such engine"):
        nr.check(FRAME, CONTRACT, engine="spark")


def test_the_report_in_words_and_as_json():
    report = nr.check(
        FRAME, nr.Contract(rows=(1, 3), rules=[c.between("n", 1, 5), c.aggregate("sum(n) < 9", on_fail="warn")])
    )
    assert str(report).splitlines() == [
        "5 rows, 3 rules, 3 broken",
        "  fail: 1 to 3 rows: 5 rows", "  fail: n between 1 and 5: 1 rows, such as row 5: 9",
        "  warn: sum(n) < 9: sum(n) = 14",
    ]  # fmt: skip
    assert report.to_body()["passed"] is False
