import enum
import functools
import importlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core import canonical, code_key, content_key, file_digest, plain
from noria.declarations import Budget

plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Colour(enum.Enum):
    RED = "red"


@given(st.dictionaries(st.text(), plain_values, max_size=5))
def test_a_key_does_not_depend_on_the_order_of_a_mapping(mapping):
    assert content_key(mapping) == content_key(dict(reversed(mapping.items())))


@given(plain_values)
def test_any_plain_value_has_a_key_of_32_digits(value):
    assert len(content_key(value)) == 32
    assert set(content_key(value)) <= set("0123456789abcdef")


def test_values_that_print_alike_differ():
    values = [1, "1", True, None, "None", [1], ["1"], {"1": 1}, float("nan"), "nan", float("inf")]
    assert len({content_key(value) for value in values}) == len(values)


def test_how_values_are_split_matters():
    assert content_key("ab", "c") != content_key("a", "bc")


def test_two_kinds_with_the_same_fields_differ():
    class Other(Budget):
        pass

    assert content_key(Budget(seconds=1)) != content_key(Other(seconds=1))


def test_times_enumerations_and_sets_are_plain():
    moment = datetime(2013, 1, 1, tzinfo=UTC)
    assert plain([moment, timedelta(seconds=1), Colour.RED, {"b", "a"}]) == [
        "2013-01-01T00:00:00+00:00",
        {"microseconds": 1_000_000},
        "red",
        ["a", "b"],
    ]


def test_what_cannot_be_hashed_is_refused():
    with pytest.raises(TypeError, match="cannot hash a object"):
        content_key(object())


OWN = """
import noria as nr
from limits import most
from noria.contracts.condition import RowRule

FACTOR = 2
source = nr.Source("a", "a.csv")


def doubled(x):
    return FACTOR * x


class Light(RowRule):
    def limit(self):
        return doubled(most())


rules = [Light()]
"""


@pytest.fixture
def own_code(tmp_path, monkeypatch):
    """The code key of an own rule in a file, after parts of the file or of the one that it imports were replaced."""
    monkeypatch.syspath_prepend(tmp_path)

    def key(old="", new="", most=1):
        (tmp_path / "limits.py").write_text(f"def most():\n    return {most}\n")
        (tmp_path / "own.py").write_text(OWN.replace(old, new))
        for name in ("own", "limits"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        module = importlib.import_module("own")
        return code_key(plain, {"rules": module.rules})

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield key
    for name in ("own", "limits"):
        sys.modules.pop(name, None)


def test_own_code_counts_with_all_that_it_needs_and_nothing_else(own_code):
    before = own_code()
    assert own_code() == before != code_key(plain)
    for old, new in [("doubled(most())", "doubled(-most())"), ("FACTOR = 2", "FACTOR = 3"), ("FACTOR * x", "x")]:
        assert own_code(old, new) != before
    assert own_code(most=2) != before
    assert own_code('"a.csv"', '"b.csv"') == before


def test_code_is_that_of_the_rooms_that_a_function_reaches():
    from noria.features import materialise
    from noria.ingest.steps import ingest

    assert code_key(functools.partial(ingest, 1)) == code_key(ingest) != code_key(materialise)


def test_a_file_digest_follows_the_bytes(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"x" * (1 << 21))
    two.write_bytes(b"x" * ((1 << 21) - 1) + b"y")
    assert file_digest(one) != file_digest(two)


def test_every_process_gives_the_same_keys(example):
    """Whatever seed it hashes by: sets and dictionaries must not show their order."""
    code = (
        "import sys; from noria.core import content_key; from noria.declarations import load_project\n"
        "print(content_key(load_project(sys.argv[1]), {'b', 'a', 'c'}, frozenset(range(9)), {'x': 1, 'y': 2}))"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", code, example],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "random")
    }
    assert len(keys) == 1


@given(st.text(st.characters()))
def test_any_text_has_bytes_even_one_that_is_no_utf8(text):
    assert json.loads(canonical([text, "caf\udce9"])) == [text, "caf\udce9"]
    assert content_key("caf\udce9") != content_key("caf\\udce9")
