import stat
import subprocess
import sys

import pytest

from noria.security import ApiKeys
from noria.workspace import workspace_of


@pytest.fixture
def key(project_file):
    def run(*arguments):
        command = [sys.executable, "-c", "from noria.cli import main; main()", "key", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=project_file.parent)

    return run


@pytest.fixture
def path(project_file):
    return workspace_of(project_file).keys / "api-keys.json"


def test_a_key_is_made_listed_and_revoked(key, path):
    made = key("create", "console")
    assert made.returncode == 0
    [secret] = made.stdout.split()
    assert "Authorization: Bearer" in made.stderr
    assert secret not in made.stderr
    assert ApiKeys(path).holder(secret) == "console"
    assert secret not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key("create", "ada@example.org").returncode == 0
    assert key("list").stdout == "ada@example.org\nconsole\n"
    revoked = key("revoke", "console")
    assert (revoked.returncode, revoked.stdout) == (0, "revoked console\n")
    assert ApiKeys(path).holder(secret) is None
    assert "no key is left" in key("revoke", "ada@example.org").stdout
    assert key("list").stdout == ""


def test_a_label_is_taken_once(key):
    first = key("create", "console")
    again = key("create", "console")
    assert again.returncode == 2
    assert "there is a key of that label" in again.stderr
    assert again.stdout == ""
    assert first.stdout not in again.stderr


def test_to_revoke_what_there_is_not_names_what_there_is(key):
    key("create", "console")
    done = key("revoke", "konsole")
    assert done.returncode == 2
    assert "no key of that label" in done.stderr
    assert "one of console" in done.stderr


@pytest.mark.parametrize("label", ["", " ", "a b", "../x", "a\nb", "-x", "x" * 65, "ä", "$(id)"])
def test_a_label_that_is_none_is_2(key, path, label):
    done = key("create", "--", label)
    assert done.returncode == 2
    assert "not a label" in done.stderr
    assert not path.exists()


def test_a_damaged_file_of_keys_is_5_and_stays(key, path):
    path.parent.mkdir(parents=True)
    path.write_text("{")
    done = key("list")
    assert done.returncode == 5
    assert str(path) in done.stderr
    assert key("create", "x").returncode == 5
    assert path.read_text() == "{"


def test_another_projects_keys_by_its_path(project_file, tmp_path):
    command = [sys.executable, "-c", "from noria.cli import main; main()", "key", "create", "x", "--project"]
    assert subprocess.run([*command, str(project_file)], cwd="/", capture_output=True, check=False).returncode == 0
    nowhere = subprocess.run([*command, str(tmp_path / "none")], cwd="/", capture_output=True, text=True, check=False)
    assert nowhere.returncode == 2
    assert "Traceback" not in nowhere.stderr
