import pickle

import pytest

from noria import core
from noria.core import NoriaError

KINDS = [getattr(core, name) for name in core.__all__ if isinstance(getattr(core, name), type)]
ERRORS = [kind for kind in KINDS if issubclass(kind, NoriaError)]


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_crosses_processes_whole(kind):
    error = kind("wrong", place="a.csv:3", value="x", mend="right")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) == "wrong\n  at:   a.csv:3\n  got:  x\n  mend: right"


def test_only_the_documented_exit_codes_are_used():
    assert {kind.__name__: kind.exit_code for kind in ERRORS} == {
        "NoriaError": 1,
        "DeclarationError": 2,
        "MissingExtra": 2,
        "DataError": 3,
        "TransientError": 4,
        "IntegrityError": 5,
        "GateError": 6,
        "BusyError": 7,
        "ResourceError": 8,
        "AlarmError": 9,
    }


def test_a_long_value_is_cut():
    text = str(NoriaError("wrong", value="x" * 10_000))
    assert len(text) < 300
    assert text.endswith("…")
