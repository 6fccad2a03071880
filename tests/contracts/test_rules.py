"""Each kind of rule: which rows break it, nulls, NaN and no rows at all included, and what it refuses."""

import math
from datetime import UTC, datetime

import polars as pl
import pytest

from noria.contracts import between, check, expression, matches, not_null, one_of, refers, unique
from noria.core import DataError, DeclarationError
from noria.declarations import Contract

FRAME = pl.DataFrame(
    {
        "_row": [1, 2, 3, 4, 5],
        "n": [1, 5, None, 7, 5],
        "x": [0.5, math.nan, None, math.inf, -0.0],
        "s": ["ab", "", None, "ab\n", "é"],
        "b": [True, False, None, True, True],
        "at": pl.Series(
            [datetime(2013, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4, 4)], dtype=pl.Datetime("us", "UTC")
        ),
        "none": pl.Series([None] * 5, dtype=pl.Null),
        "small": pl.Series([1, 5, None, 7, 5], dtype=pl.UInt8),
    }
)
OTHERS = {"others": pl.DataFrame({"id": [5, 7, None], "name": ["ab", None, "x"], "big": [0.5, math.nan, None]})}


def broken(rule) -> list[int]:
    """The rows that a rule sets aside."""
    made = check(FRAME, Contract(rules=[rule.replace(on_fail="quarantine")]), OTHERS, "source 's'")
    (verdict,) = made.verdicts
    rows = made.quarantined["_row"].to_list()
    assert verdict.failed == len(rows)
    assert verdict.checked == 5
    assert made.quarantined["_reasons"].to_list() == [[rule.text]] * len(rows)
    assert made.kept["_row"].to_list() == [row for row in FRAME["_row"] if row not in rows]
    assert made.kept.equals(FRAME.filter(~pl.col("_row").is_in(rows)))
    return rows


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        (between("n", 1, 5), [4]),
        (between("n", 1.5, 6.5), [1, 4]),
        (between("x", 0, 1), [2, 4]),  # NaN and infinity lie outside; -0.0 does not
        (between("x", -math.pi, 1e308), [2, 4]),
        (between("none", 1, 2), []),
        (not_null("n"), [3]),
        (not_null("x"), [3]),  # NaN is a value
        (not_null("none"), [1, 2, 3, 4, 5]),
        (one_of("s", ["ab", "é"]), [2, 4]),
        (one_of("n", [5, 7]), [1]),
        (one_of("n", [5.0, 7.5]), [1, 4]),
        (one_of("x", [0, 0.5]), [2, 4]),
        (one_of("b", [True]), [2]),
        (one_of("none", ["a"]), []),
        (matches("s", "a|ab"), [2, 4, 5]),  # the whole text, to its very end
        (matches("s", ".*"), [4]),  # a dot is no line end
        (matches("s", "[a-z]+'?"), [2, 4, 5]),
        (matches("none", "a"), []),
        (expression("n > 1"), [1]),
        (expression("x >= 0 OR n IS NULL"), []),  # NaN is above all numbers
        (expression("none = 1"), []),
        (expression("LENGTH(s) > 0 AND b"), [2]),
        (refers("n", to="others"), [1]),
        (refers("s", to="others", key="name"), [2, 4, 5]),
        (refers("x", to="others", key="big"), [4, 5]),  # NaN stands there, so it is found
        (refers("none", to="others"), []),
        (refers("small", to="others"), [1]),
        (one_of("small", [5, 7.0]), [1]),
        (between("small", 1, 300), []),
        (unique("n"), [2, 5]),
        (unique("b"), [1, 4, 5]),
        (unique(["n", "b"]), []),
        (unique(["at"]), [4, 5]),
        (unique("none"), []),
    ],
)
def test_which_rows_break_a_rule(rule, rows):
    assert broken(rule) == rows


RULES = [between("n", 1, 5), not_null("n"), one_of("s", ["ab"]), matches("s", "a"), expression("n > 1"), unique("n")]


@pytest.mark.parametrize("rule", [*RULES, refers("n", to="others")], ids=lambda rule: type(rule).__name__)
def test_no_rows_break_no_rule(rule):
    made = check(FRAME.clear(), Contract(key="n", rules=[rule]), OTHERS, "source 's'")
    assert [verdict.failed for verdict in made.verdicts] == [0, 0]
    assert made.kept.is_empty()
    assert made.quarantined.is_empty()
    nothing = {"others": OTHERS["others"].clear()}
    assert check(FRAME.clear(), Contract(rules=[rule]), nothing, "source 's'").verdicts[0].failed == 0


@pytest.mark.parametrize("rule", [*RULES, refers("n", to="others")], ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("on_fail", ["fail", "quarantine", "warn"])
def test_what_becomes_of_rows_that_break_a_rule(rule, on_fail):
    rule = rule.replace(on_fail=on_fail)
    contract = Contract(rules=[rule])
    if on_fail == "fail":
        with pytest.raises(DataError, match="rows break the rule") as caught:
            check(FRAME, contract, OTHERS, "source 's'")
        assert rule.text in caught.value.message
        assert "source 's'" in caught.value.message
        assert "row " in str(caught.value.value)
        return
    made = check(FRAME, contract, OTHERS, "source 's'")
    assert made.verdicts[0].failed > 0
    assert len(made.verdicts[0].examples) == min(3, made.verdicts[0].failed)
    assert len(made.quarantined) == (made.verdicts[0].failed if on_fail == "quarantine" else 0)
    assert len(made.kept) + len(made.quarantined) == 5


@pytest.mark.parametrize(
    ("rule", "column", "after"),
    [
        (between("n", 2, 6, on_fail="fix"), "n", [2, 5, None, 6, 5]),
        (between("n", 1.5, 6.5, on_fail="fix"), "n", [2, 5, None, 6, 5]),
        (between("x", 0.25, 1, on_fail="fix"), "x", [0.5, None, None, 1.0, 0.25]),
        (not_null("n", on_fail="fix", fill=9), "n", [1, 5, 9, 7, 5]),
        (not_null("s", on_fail="fix", fill="-"), "s", ["ab", "", "-", "ab\n", "é"]),
        (not_null("b", on_fail="fix", fill=False), "b", [True, False, False, True, True]),
    ],
)
def test_what_fix_makes_of_a_value(rule, column, after):
    made = check(FRAME, Contract(rules=[rule]), {}, "source 's'")
    assert made.kept[column].to_list() == after
    assert made.kept.schema == FRAME.schema
    assert made.verdicts[0].failed > 0
    again = check(made.kept, Contract(rules=[rule.replace(on_fail="fail", **_no_fill(rule))]), {}, "source 's'")
    assert again.verdicts[0].failed == 0


def _no_fill(rule):
    return {"fill": None} if "fill" in type(rule).model_fields else {}


@pytest.mark.parametrize(
    "make",
    [
        lambda: one_of("s", ["a"], on_fail="fix"), lambda: matches("s", "a", on_fail="fix"),
        lambda: expression("n > 1", on_fail="fix"), lambda: refers("n", to="others", on_fail="fix"),
        lambda: unique("n", on_fail="fix"), lambda: not_null("n", on_fail="fix"), lambda: not_null("n", fill=1),
    ],
)  # fmt: skip
def test_fix_is_refused_where_it_has_no_meaning(make):
    with pytest.raises(DeclarationError) as caught:
        make()
    assert __file__ in str(caught.value.place)
    assert caught.value.mend


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (between("s", 1, 2), "column of kind float or int"),
        (between("at", 1, 2), "column of kind float or int"),
        (matches("n", "1"), "column of kind string"),
        (matches("s", "(?=a)b"), "not understood by every engine"),
        (one_of("s", [1, 2]), "column of kind float or int"),
        (one_of("n", ["1"]), "column of kind string"),
        (one_of("n", [1, "a"]), "several kinds"),
        (expression("n + 1"), "true or false"),
        (expression("TRUE"), "reads a column"),
        (expression("n > m"), "the column 'm' is not there"),
        (expression("SUM(n) > 1"), "aggregate"),
        (not_null("n", on_fail="fix", fill="x"), "column of kind string"),
        (not_null("s", on_fail="fix", fill=1), "column of kind int"),
        (between("n", 1.2, 1.8, on_fail="fix"), "no whole number"),
        (refers("s", to="others"), "column of kind int"),
        (refers("n", to="others", key="idd"), "no such column"),
    ],
)
def test_a_rule_that_does_not_fit_its_column_is_refused_before_any_row_is_seen(rule, said):
    for frame in (FRAME, FRAME.clear()):
        with pytest.raises((DeclarationError, DataError)) as caught:
            check(frame, Contract(rules=[rule]), OTHERS, "source 's'")
        assert said in str(caught.value)


@pytest.mark.parametrize("rule", [between("m", 1, 2), not_null("N"), unique(["n", "atx"])])
def test_a_column_that_is_not_there_is_named(rule):
    with pytest.raises(DataError, match="is not there") as caught:
        check(FRAME, Contract(rules=[rule]), {}, "source 's'")
    assert caught.value.exit_code == 3
    assert caught.value.mend
    with pytest.raises(DataError, match="'key' is not there"):
        check(FRAME, Contract(key="key"), {}, "source 's'")


def test_bounds_that_are_no_range_and_a_pattern_that_is_none():
    with pytest.raises(DeclarationError, match="above the upper"):
        between("n", 2, 1)
    with pytest.raises(DeclarationError, match="regular expression") as caught:
        matches("s", "(")
    assert __file__ in str(caught.value.place)
