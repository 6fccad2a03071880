import ast
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import noria as nr
import noria.contracts as contracts
from noria.contracts import contract_source, text
from noria.contracts.exchange import rule_source

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
