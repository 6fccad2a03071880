import ast
import inspect
import itertools
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import noria as nr
import noria.contracts as contracts
from noria.contracts import contract_source, text
from noria.contracts.exchange import rule_source
from noria.core import DeclarationError

RULES = [
    nr.between("distance", 50, 6000, on_fail="quarantine"),
    nr.between("distance", -0.5, 6e9),
    nr.not_null("a b", on_fail="fix", fill='it\'s "x"'),
    nr.one_of("flag", [0, 1]),
    nr.one_of("town", ["Köln", "日本", "new\nline", "\\'"]),
    nr.matches("tail", r"N[0-9]{1,5}\\", on_fail="warn"),
    nr.unique(["origin", "hour"], on_fail="warn"),
    nr.refers("dest", to="airports", key="faa", on_fail="warn"),
    nr.expression("arrived > departed AND \"x y\" <> 'it''s'"),
    nr.private("mail", "e-mail"),
    contracts.freshness("at", "36h", on_fail="warn"),
    contracts.length("code", 2, 3),
    contracts.aggregate("sum(a) = sum(b)"),
]


def read_back(source):
    return eval(source, {"nr": nr, **vars(contracts)})  # noqa: S307


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_a_rule_is_written_as_what_makes_it(rule):
    assert read_back(rule_source(rule)) == rule


CHOICES = {
    "sql": ["sum(a) = sum(b)"], "column": ["c"], "columns": [["a"], ["a", "b"]], "keys": [(), "a", ["a", "b"]],
    "low": [2, None], "high": [50], "format": ["%Y", "%Y-%m-%d"], "also": ["%d.%m.%Y", ["%H"]], "to": ["others"],
    "there": ["x"], "most": [0.5], "time": ["t"], "within": ["90m"], "on_fail": ["warn", "quarantine", "drop", "fix"],
    "at_most": [0.25], "max_age": ["36h"], "fix": ["trim", ["trim", "lower"]], "pattern": ["a=b"], "by": ["g", ["g"]],
    "strict": [True], "falling": [True], "longest": ["1h"], "fill": [0, "x=1"], "values": [["a", "b=c"], [0.5]],
    "method": ["psi", "ks", "iqr", "mad", "z"], "width": [3.5], "least": [7], "kind": ["e-mail"], "key": ["k"],
    "slack": [0.5], "by_weekday": [False],
}  # fmt: skip
"""Of every argument of every rule, what it may be."""
MAKERS = [
    maker
    for name in vars(contracts)
    if inspect.isfunction(maker := getattr(contracts, name)) and maker.__module__ == f"noria.contracts.rules.{name}"
]


def made(maker, chosen):
    """A rule of these arguments; None where they do not go together."""
    try:
        return maker(**chosen)
    except DeclarationError:
        return None


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_a_rule_of_any_arguments_comes_back(maker):
    wanted = inspect.signature(maker).parameters
    options = [
        [(name, one) for one in CHOICES[name]] + [None] * (parameter.default is not parameter.empty)
        for name, parameter in wanted.items()
    ]
    sets = itertools.islice(itertools.product(*options), 4000)
    rules = [rule for chosen in sets if (rule := made(maker, dict(filter(None, chosen)))) is not None]
    assert rules
    for rule in rules:
        assert read_back(rule_source(rule)) == rule


def test_what_stands_after_an_argument_left_out_is_named():
    assert rule_source(nr.length("mail", high=50)) == 'nr.length("mail", high=50)'


def test_a_duration_is_written_in_words():
    assert rule_source(contracts.freshness("at", "36h")) == 'nr.freshness("at", "36h")'


@given(st.text(max_size=30))
@settings(max_examples=100, deadline=None)
def test_any_text_comes_back(value):
    assert ast.literal_eval(text(value)) == value


def test_a_whole_contract_comes_back_and_is_formatted(tmp_path):
    contract = nr.Contract(
        key=["a", "b"], types={f"column {n}": "float" for n in range(30)}, rules=RULES, rows=(10, 300_000), max_age="7d"
    )
    source = contract_source(contract)
    assert read_back(source) == contract
    (tmp_path / "made.py").write_text(f"contract = {source}\n")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--diff", "--line-length=120", tmp_path / "made.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_an_empty_contract_is_written_short():
    assert contract_source(nr.Contract()) == "nr.Contract()"
