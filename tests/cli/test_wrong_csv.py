"""A CSV that cannot be read ends the program in an orderly way, with its parser's threads."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import noria


@pytest.fixture(scope="module")
def ragged(tmp_path_factory):
    path = tmp_path_factory.mktemp("ragged") / "churn.csv"
    rows = (f'{n};"x, y";{n},5' if n % 3 == 0 else f"{n};x;{n}" for n in range(3000))
    path.write_text("a;b;c\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("time", range(10))
def test_a_ragged_file_ends_with_its_message_every_time(ragged, time):
    done = noria("init", ragged, "--target", "y")
    assert done.returncode == 3, done.stderr
    assert "a row has 3 fields, the header has 1" in done.stderr
    assert "terminate" not in done.stderr
