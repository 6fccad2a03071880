import contextlib
import dataclasses
import stat
import subprocess
import sys
import time

import pytest

from noria.core import BusyError, DeclarationError
from noria.declarations import load_project
from noria.ledger import open_ledger
from noria.workspace import workspace_of, write_atomically

HOLD = """
import sys, time
from noria.workspace import workspace_of
with workspace_of(sys.argv[1]).lock("noria run"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(project_file):
    """Another process that holds the workspace."""
    command = [sys.executable, "-c", HOLD, project_file]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def told(project_file, text):
    project_file.with_name("noria.toml").write_text(text)


def test_it_lies_beside_the_project_and_makes_nothing(project_file, monkeypatch):
    monkeypatch.delenv("NORIA_WORKSPACE", raising=False)
    workspace = workspace_of(project_file.parent)
    root = project_file.parent / ".noria"
    assert workspace.root == root
    assert workspace.project_file == project_file
    assert (workspace.ledger, workspace.lake) == (f"sqlite:///{root}/ledger.db", f"file://{root}/lake")
    assert (workspace.online, workspace.registry) == (f"lmdb:///{root}/online", f"sqlite:///{root}/mlflow.db")
    parts = (workspace.artifacts, workspace.scratch, workspace.packages, workspace.serving, workspace.keys)
    assert {part.parent for part in parts} == {root}
    assert not root.exists()


def test_parts_can_be_urls(project_file):
    told(project_file, '[workspace]\nroot = "state"\nledger = "postgresql://db/noria"\nlake = "s3://bucket/lake"')
    workspace = workspace_of(project_file)
    assert workspace.root == project_file.parent / "state"
    assert (workspace.ledger, workspace.lake) == ("postgresql://db/noria", "s3://bucket/lake")
    assert workspace.online == f"lmdb:///{workspace.root}/online"


def test_the_environment_says_where(project_file, monkeypatch, tmp_path):
    told(project_file, '[workspace]\nroot = "state"')
    monkeypatch.setenv("NORIA_WORKSPACE", str(tmp_path / "elsewhere"))
    assert workspace_of(project_file).root == tmp_path / "elsewhere"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('[workspace]\nlaek = "s3://b"', ["laek"]),
        ('workspace = "x"', "x"),
        ("[workspace]\nroot = 3", 3),
        ("[workspace]\nlake = 3", 3),
    ],
)
def test_an_unknown_part_is_refused(project_file, text, value):
    told(project_file, text)
    with pytest.raises(DeclarationError, match="workspace") as caught:
        workspace_of(project_file)
    assert caught.value.value == value
    assert caught.value.place == str(project_file.with_name("noria.toml"))


def test_a_held_workspace_names_its_holder(project_file, holder):
    with pytest.raises(BusyError) as caught, workspace_of(project_file).lock("noria plan"):
        pass
    assert f"process {holder.pid} (noria run) since " in caught.value.value


def test_it_is_waited_for_and_free_when_its_holder_is_killed(project_file, holder):
    workspace = workspace_of(project_file)
    began = time.monotonic()
    with pytest.raises(BusyError), workspace.lock("noria plan", wait=0.3):
        pass
    assert time.monotonic() - began >= 0.3
    holder.kill()
    with workspace.lock("noria plan", wait=10):
        pass


def test_it_is_free_after_an_error(project_file):
    workspace = workspace_of(project_file)
    with pytest.raises(ZeroDivisionError), workspace.lock("a"):
        raise ZeroDivisionError
    with workspace.lock("b"):
        pass


def test_it_is_data(project_file):
    workspace = workspace_of(project_file)
    with pytest.raises(dataclasses.FrozenInstanceError):
        workspace.root = project_file
    assert workspace == workspace_of(project_file)


def test_a_small_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "x"
    write_atomically(path, b"one", mode=0o600)
    write_atomically(path, b"two", mode=0o600)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "full" / "x").mkdir(parents=True)
    (tmp_path / "full" / "x" / "there").touch()
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "full" / "x", b"three")
    assert {file.name for file in tmp_path.rglob("*") if file.is_file()} == {"x", "there"}


@pytest.mark.parametrize("named", ["s3://bucket/x", "what?"])
def test_a_root_that_cannot_hold_a_workspace_is_refused(made_project, tmp_path, monkeypatch, named):
    monkeypatch.setenv("NORIA_WORKSPACE", named if "://" in named else str(tmp_path / named))
    with pytest.raises(DeclarationError) as caught:
        workspace_of(made_project)
    assert caught.value.place == "NORIA_WORKSPACE"


def test_a_registry_that_no_client_knows_is_refused_without_its_password(project_file):
    (project_file.parent / "noria.toml").write_text('[workspace]\nregistry = "ftp://ann:hunter2@b/x"\n')
    with pytest.raises(DeclarationError, match="no registry can be there") as caught:
        workspace_of(project_file)
    assert "hunter2" not in str(caught.value)


def test_another_place_for_the_online_store_is_filled_anew(project_file):
    """The step that fills it is keyed by the place, but not by where the workspace lies."""
    from noria.plan import compile_plan

    def key(text=""):
        (project_file.parent / "noria.toml").write_text(text)
        workspace, project = workspace_of(project_file), load_project(project_file).replace(monitors=(), rehearsal=None)
        with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
            return {one.step.name: one.key for one in compile_plan(project, workspace, ledger).steps}["materialise"]

    assert key() == key('[workspace]\nroot = "elsewhere"\n')
    assert key() != key('[workspace]\nonline = "lmdb:////tmp/noria-other"\n')
