"""A whole contract: one pass over the rows, none of them lost, each with all of its reasons."""

import math
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.contracts import between, check, expression, matches, not_null, one_of, typed, unique
from noria.core import DataError, DeclarationError
from noria.declarations import Contract

FRAME = pl.DataFrame(
    {"_row": [1, 2, 3, 4], "k": ["a", "b", "b", None], "n": [1, 20, 30, 4], "x": [0.1, None, 0.3, 0.4]}
)


def test_a_row_keeps_every_reason_for_which_it_was_set_aside():
    rules = [between("n", 0, 25, on_fail="quarantine"), not_null("x", on_fail="quarantine"), between("n", 0, 2, on_fail="warn")]  # fmt: skip  # noqa: E501
    made = check(FRAME, Contract(key="k", rules=rules), {}, "source 's'")
    assert dict(made.quarantined.select("_row", "_reasons").iter_rows()) == {
        2: ["x is not null"], 3: ["key (k)", "n between 0 and 25"], 4: ["key (k)"],
    }  # fmt: skip
    assert made.quarantined.drop("_reasons").equals(FRAME.filter(pl.col("_row") > 1))
    assert [(verdict.rule, verdict.failed) for verdict in made.verdicts] == [
        ("key (k)", 2), ("n between 0 and 25", 1), ("x is not null", 1), ("n between 0 and 2", 3),
    ]  # fmt: skip
    assert made.verdicts[0].examples == ("row 3: b", "row 4: null")


def test_all_rules_are_looked_at_in_one_pass():
    rules = [between("n", 0, 25, on_fail="warn"), not_null("x", on_fail="warn"), matches("k", "a", on_fail="warn")]
    selects = []
    select = pl.DataFrame.select
    with patch.object(pl.DataFrame, "select", lambda self, *a, **k: selects.append(k) or select(self, *a, **k)):
        check(FRAME.filter(pl.col("_row") == 1), Contract(rules=rules), {}, "source 's'")
    assert [len(one) for one in selects] == [3]


def test_failures_of_several_rules_are_told_together():
    rules = [between("n", 0, 25), not_null("x"), not_null("k", on_fail="warn")]
    with pytest.raises(DataError, match="1 of 4 rows break the rule 'n between 0 and 25' \\(and 1 more rules fail\\)"):
        check(FRAME, Contract(rules=rules), {}, "source 's'")


@pytest.mark.parametrize("bounds", [(5, 9), (0, 3)])
def test_too_few_and_too_many_rows(bounds):
    with pytest.raises(DataError, match="number of rows is out of bounds") as caught:
        check(FRAME, Contract(rows=bounds), {}, "source 's'")
    assert caught.value.value == "4 rows"
    check(FRAME, Contract(rows=(4, 4)), {}, "source 's'")


def test_what_is_set_aside_stays_as_it_came_and_what_is_kept_is_mended():
    rules = [between("n", 0, 10, on_fail="fix"), not_null("x", on_fail="quarantine")]
    made = check(FRAME, Contract(rules=rules), {}, "source 's'")
    assert made.kept["n"].to_list() == [1, 10, 4]
    assert made.quarantined["n"].to_list() == [20]


def test_a_fix_that_breaks_another_rule_is_refused():
    rules = [between("x", 0, 1, on_fail="fix"), not_null("x", on_fail="fix", fill=9)]
    with pytest.raises(DataError, match="mended break the rule 'x between 0 and 1'"):
        check(FRAME.with_columns(x=pl.Series([2.0, None, 0.3, 0.4])), Contract(rules=rules), {}, "source 's'")


VALUES = st.fixed_dictionaries(
    {
        "k": st.none() | st.sampled_from("abc"),
        "n": st.none() | st.integers(-5, 5),
        "x": st.none() | st.sampled_from([0.5, -0.0, math.nan, math.inf]),
    }
)
RULES = st.sampled_from([
    between("n", -2, 2), not_null("x"), one_of("k", ["a", "b"]), expression("n < 3 OR x > 0"), unique(["k", "n"]),
    between("x", 0, 1, on_fail="fix"),
])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(VALUES, max_size=12),
    st.lists(st.tuples(RULES, st.sampled_from(["quarantine", "warn"])), max_size=4),
    st.booleans(),
)
def test_rows_in_are_rows_kept_and_rows_set_aside(rows, rules, keyed):
    schema = {"_row": pl.Int64, "k": pl.String, "n": pl.Int64, "x": pl.Float64}
    frame = pl.DataFrame([{"_row": number, **row} for number, row in enumerate(rows, 1)], schema=schema)
    rules = [rule if rule.on_fail == "fix" else rule.replace(on_fail=on_fail) for rule, on_fail in rules]
    try:
        made = check(frame, Contract(key="k" if keyed else (), rules=rules), {}, "source 's'")
    except DataError as error:
        # NaN cannot be clipped and becomes null, which another rule may forbid: then no row goes anywhere.
        if "mended break the rule 'x is not null'" in str(error):
            return
        raise
    together = pl.concat([made.kept["_row"], made.quarantined["_row"]]).sort().to_list()
    assert together == frame["_row"].to_list()
    assert all(len(reasons) > 0 for reasons in made.quarantined["_reasons"])
    counted = sum(verdict.failed for verdict in made.verdicts if verdict.on_fail == "quarantine")
    assert counted == made.quarantined["_reasons"].list.len().sum()
    # What is kept keeps every rule but those that only warn.
    strict = [rule.replace(on_fail="fail") for rule in rules if rule.on_fail != "warn"]
    again = check(made.kept, Contract(key="k" if keyed else (), rules=strict), {}, "source 's'")
    assert sum(verdict.failed for verdict in again.verdicts) == 0


@pytest.mark.parametrize(
    ("values", "kind", "after", "wrong"),
    [
        (["1", "x", None, "2.0", "2.5", "1e2", "99999999999999999999"], "int", [1, None, None, 2, None, 100, None], 3),
        (["1.5", "1e400", "inf", "abc", ""], "float", [1.5, None, math.inf, None, None], 3),
        (["yes", "F", "2"], "bool", [True, False, None], 1),
        (["2013-02-28", "2013-02-30"], "date", ["2013-02-28", None], 1),
        ([1.0, 2.5, math.nan, None, 1e300], "int", [1, None, None, None, None], 3),
        ([1, 2**53 + 1], "float", [1.0, None], 1),
        ([0, 1, 2], "bool", [False, True, None], 1),
        ([7, None], "string", ["7", None], 0),
    ],
)
def test_a_value_is_of_a_type_when_nothing_of_it_is_lost(values, kind, after, wrong):
    frame = pl.DataFrame({"v": values}).with_row_index("_row", 1)
    made = typed(frame, {"v": kind})
    shown = made["v"].cast(pl.String) if kind == "date" else made["v"]
    assert shown.to_list() == after
    reasons = made["_reasons"].to_list() if wrong else []
    assert sum(len(one) for one in reasons) == wrong
    for row, given_value in enumerate(values):
        if wrong and reasons[row]:
            assert reasons[row] == [f"v is no {kind}: {pl.Series([given_value]).cast(pl.String)[0]}"]
    checked = check(made, Contract(), {}, "source 's'")
    assert len(checked.quarantined) == wrong
    assert len(checked.kept) == len(values) - wrong


def test_a_type_that_a_column_cannot_have_is_refused():
    frame = pl.DataFrame({"v": [1.5], "list": [[1]]})
    with pytest.raises(DeclarationError, match="does not take") as caught:
        typed(frame, {"v": "string"}, "project.py:3")
    assert "project.py:3, contract.types.v" in str(caught.value.place)
    with pytest.raises(DataError, match="cannot be a int"):
        typed(frame, {"list": "int"}, "project.py:3")
