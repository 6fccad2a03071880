import errno
import subprocess
import sys
from pathlib import Path

import pytest

from noria.cli import app
from noria.core import BusyError, DataError


def noria(*arguments, **given):
    return subprocess.run(
        [sys.executable, "-c", "from noria.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
        **given,
    )


def test_version():
    done = noria("--version")
    assert done.returncode == 0
    assert done.stdout == "noria 0.1.0\n"


def test_help_lists_every_command():
    done = noria("--help")
    assert done.returncode == 0
    for command in app._MODULES:
        assert f"  {command} " in done.stdout


@pytest.mark.parametrize("arguments", [["no-such-command"], ["run", "--no-such-option"], ["run", "--wait", "-1"]])
def test_a_wrong_command_line_is_2(arguments):
    done = noria(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_no_project_is_2_and_says_how_to_make_one(tmp_path):
    done = noria("plan", cwd=tmp_path)
    assert done.returncode == 2
    assert "no project found" in done.stderr
    assert "noria init NAME" in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DataError("no rows", place="a.csv", mend="add some"), 3, "noria: no rows\n  at:   a.csv\n  mend: add some\n"),
        (BusyError("held"), 7, "noria: held\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 8, "noria: the disk is full\n"),
    ],
)
def test_an_error_is_its_words_and_its_code(monkeypatch, capsys, error, code, said):
    def broken(arguments):
        raise error

    monkeypatch.setattr(app, "_app", broken)
    with pytest.raises(SystemExit) as ended:
        app.main(["run"])
    assert ended.value.code == code
    assert capsys.readouterr().err.startswith(said)


def test_an_error_that_nobody_foresaw_is_1_with_a_file(monkeypatch, capsys):
    def broken(arguments):
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(app, "_app", broken)
    with pytest.raises(SystemExit) as ended:
        app.main(["run"])
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert "ZeroDivisionError: boom" in said
    [file] = [Path(line.split()[-1]) for line in said.splitlines() if line.startswith("  at:")]
    assert "in broken" in file.read_text()
    file.unlink()
