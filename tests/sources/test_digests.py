"""A file that has not changed is not read again, and a change is never missed, whatever it looks like."""

import json
import os
import shutil
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.declarations import Source
from noria.sources import fingerprint
from noria.sources.digests import FileDigests

SOURCE = Source("s", "data*.csv")
LIE = "0" * 32


@pytest.fixture
def folder(tmp_path):
    """Two files, old enough to be remembered."""
    for name in ("data1.csv", "data2.csv"):
        (tmp_path / name).write_text(f"a\n{name}\n")
    time.sleep(2.1)
    return tmp_path


def remembered(folder):
    return json.loads((folder / "cache" / "s.json").read_text())["files"]


def lie(folder):
    """Makes the memory false: whoever uses it does not read."""
    files = {name: [stamp, LIE] for name, (stamp, _) in remembered(folder).items()}
    (folder / "cache" / "s.json").write_text(json.dumps({"format": 1, "files": files}))


def rewritten(path):
    path.write_text("a\ndata9.csv\n")


def rewritten_with_its_time_set_back(path):
    before = path.stat()
    rewritten(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced_with_its_time_kept(path):
    other = path.with_name("other")
    rewritten(other)
    shutil.copystat(path, other)
    os.replace(other, path)


@pytest.mark.parametrize("change", [rewritten, rewritten_with_its_time_set_back, replaced_with_its_time_kept])
def test_what_has_not_changed_is_not_read_and_what_has_is_though_its_size_is_the_same(folder, change):
    truth = fingerprint(SOURCE, folder)
    assert fingerprint(SOURCE, folder, folder / "cache") == truth
    assert list(remembered(folder)) == [str(folder / "data1.csv"), str(folder / "data2.csv")]
    lie(folder)
    assert fingerprint(SOURCE, folder, folder / "cache") != truth  # it is what was remembered
    size = (folder / "data2.csv").stat().st_size
    change(folder / "data2.csv")
    assert (folder / "data2.csv").stat().st_size == size
    digests = FileDigests(folder / "cache" / "s.json")
    assert digests.of(folder / "data1.csv") == LIE
    assert digests.of(folder / "data2.csv") == FileDigests(None).of(folder / "data2.csv") != LIE


def test_a_young_file_is_not_remembered_for_it_may_change_within_one_tick_of_the_clock(tmp_path):
    path = tmp_path / "data.csv"
    for number in range(100):
        path.write_text(f"a\n{number:09}\n")
        assert fingerprint(SOURCE, tmp_path, tmp_path / "cache") == fingerprint(SOURCE, tmp_path)
        assert not (tmp_path / "cache").exists()
    os.utime(path, (0, 0))  # its content is told to be old, but it was told so just now
    fingerprint(SOURCE, tmp_path, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_only_files_that_are_there_are_remembered(folder):
    fingerprint(SOURCE, folder, folder / "cache")
    (folder / "data1.csv").unlink()
    fingerprint(SOURCE, folder, folder / "cache")
    assert list(remembered(folder)) == [str(folder / "data2.csv")]


@given(st.binary(max_size=40) | st.sampled_from(["{}", "[]", "null", '{"format": 1, "files": {"x": [1]}}',
       '{"format": 1, "files": [[1, 2]]}', '{"format": 2, "files": {}}']).map(str.encode))  # fmt: skip
def test_a_memory_that_is_not_whole_is_none(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("broken")
    (folder / "data.csv").write_text("a\n1\n")
    (folder / "cache").mkdir()
    (folder / "cache" / "s.json").write_bytes(data)
    assert fingerprint(SOURCE, folder, folder / "cache") == fingerprint(SOURCE, folder)


def test_where_nothing_can_be_remembered_nothing_is_lost(folder):
    (folder / "cache").write_text("a file where the folder would be")
    assert fingerprint(SOURCE, folder, folder / "cache") == fingerprint(SOURCE, folder)
