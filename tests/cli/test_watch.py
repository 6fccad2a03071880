"""Which folders are watched, and what counts as news; the command itself is in tests/integration."""

import time
from dataclasses import dataclass

import pytest

from noria.cli.watch import folders_of, pause_of, state_of, wait_for_news
from noria.core import DeclarationError
from noria.declarations import Source
from noria.workspace import Workspace


@dataclass
class Declared:
    sources: tuple


def watched(base, *urls):
    workspace = Workspace(base / ".noria", base / "project.py", "", "", "", "")
    declared = Declared(tuple(Source(f"s{n}", url) for n, url in enumerate(urls)))
    return {str(folder.relative_to(base)) for folder in folders_of(workspace, declared)}


def test_the_folders_of_files_globs_and_the_project(tmp_path):
    for name in ("data/a b", "data/x/y", "data/z", "other"):
        (tmp_path / name).mkdir(parents=True)
    assert watched(tmp_path) == {"."}
    assert watched(tmp_path, "data/a.csv") == {".", "data"}
    assert watched(tmp_path, "nothing/a.csv") == {"."}
    assert watched(tmp_path, "data/*.csv") == {".", "data"}
    assert watched(tmp_path, "data/*/a.csv") == {".", "data", "data/a b", "data/x", "data/z"}
    assert watched(tmp_path, "data/**/*.csv") == {".", "data", "data/a b", "data/x", "data/x/y", "data/z"}
    assert watched(tmp_path, f"file://{tmp_path}/data/a%20b/c.csv") == {".", "data/a b"}
    assert watched(tmp_path, "s3://bucket/a.csv", "https://x.test/a.csv") == {"."}


def test_what_changed_before_the_watch_began_is_news(tmp_path):
    pytest.importorskip("watchfiles")
    before = state_of((tmp_path,))
    (tmp_path / "a").write_text("1")
    began = time.monotonic()
    wait_for_news((tmp_path,), 30.0, before)
    assert time.monotonic() - began < 5


def test_hidden_files_are_no_news(tmp_path):
    (tmp_path / ".a").write_text("1")
    (tmp_path / "__pycache__").mkdir()
    assert state_of((tmp_path, tmp_path / "gone")) == {}
    began = time.monotonic()
    wait_for_news((tmp_path,), 1.0, {})
    assert time.monotonic() - began >= 1.0


def test_a_folder_that_is_gone_is_looked_at_all_the_same(tmp_path):
    began = time.monotonic()
    wait_for_news((tmp_path / "gone",), 1.0, {})
    assert 0.9 < time.monotonic() - began < 5


def test_no_thread_is_left_so_that_steps_can_be_forked(tmp_path):
    import os

    wait_for_news((tmp_path,), 0.1, {})
    before = len(os.listdir("/proc/self/task"))
    wait_for_news((tmp_path,), 0.1, {})
    assert len(os.listdir("/proc/self/task")) <= before


@pytest.mark.parametrize("text", ["", "soon", "0s", "2d", "-3s", "30"])
def test_what_is_no_pause_is_refused(text):
    with pytest.raises(DeclarationError):
        pause_of(text)
