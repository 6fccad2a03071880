"""The lake: a write is one commit or none, is done once a step, and is read by whoever reads Delta tables."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.core import DataError, DeclarationError, ResourceError
from noria.lake import open_lake

ONE = pl.DataFrame({"n": [1, 2], "s": ["é", None]})
TWO = pl.DataFrame({"n": [3], "more": [0.5]})


def test_every_write_is_a_version_and_every_version_stays_readable(tmp_path):
    lake = open_lake(f"file://{tmp_path}")
    assert (lake.versions("t"), lake.tables()) == ([], [])
    before = datetime.now(UTC)
    assert lake.write("t", ONE, step_key="a") == 0
    assert lake.write("t", TWO, step_key="b") == 1
    assert lake.read("t", 0).collect().equals(ONE)
    assert lake.read("t", 1).collect().equals(TWO)  # a new schema replaces the old one
    assert lake.read("t").collect().equals(TWO)
    assert [(version.version, version.step) for version in lake.versions("t")] == [(1, "b"), (0, "a")]
    assert all(abs((version.at - before).total_seconds()) < 60 for version in lake.versions("t"))
    assert lake.tables() == ["t"]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=7))
def test_a_step_key_is_written_once(tmp_path_factory, keys):
    lake = open_lake(f"file://{tmp_path_factory.mktemp('lake')}")
    first: dict[str, int] = {}
    for key in keys:
        version = lake.write("t", pl.DataFrame({"key": [key]}), step_key=key)
        assert first.setdefault(key, version) == version
        assert lake.read("t", version).collect()["key"].to_list() == [key]
    assert sorted(first.values()) == list(range(len(first)))
    assert len(lake.versions("t")) == len(first)


def test_a_step_finds_its_version_behind_checkpoints_and_after_the_log_was_cleaned(tmp_path):
    lake = open_lake(f"file://{tmp_path}")
    for number in range(4):
        lake.write("t", pl.DataFrame({"n": [number]}), step_key=str(number))
    table = DeltaTable(lake.path("t"))
    table.create_checkpoint()
    table.cleanup_metadata()
    assert [lake.write("t", ONE, step_key=str(number)) for number in range(4)] == [0, 1, 2, 3]
    assert table.metadata().configuration["delta.enableExpiredLogCleanup"] == "false"


def test_a_version_that_was_vacuumed_away_is_said_to_be_gone_and_is_written_again(tmp_path):
    lake = open_lake(f"file://{tmp_path}")
    lake.write("t", ONE, step_key="a")
    lake.write("t", TWO, step_key="b")
    assert lake.has("t", 0)
    DeltaTable(lake.path("t")).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert (lake.has("t", 0), lake.has("t", 1)) == (False, True)
    with pytest.raises(DataError, match="gone") as caught:
        lake.read("t", 0)
    assert caught.value.mend
    version = lake.write("t", ONE, step_key="a")
    assert version > 1
    assert lake.write("t", ONE, step_key="a") == version
    assert lake.read("t", version).collect().equals(ONE)
    assert lake.read("t", 1).collect().equals(TWO)


def test_a_plan_asks_what_there_is_without_any_library(tmp_path):
    open_lake(f"file://{tmp_path}").write("t", ONE, step_key="a")
    code = (
        "import sys; from noria.lake import open_lake; lake = open_lake(sys.argv[1])\n"
        "print(lake.has('t', 0), lake.has('t', 1), [m for m in ('polars', 'pyarrow', 'deltalake') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"file://{tmp_path}"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True False []\n"


WRITER = """
import sys
import polars as pl
from noria.lake import open_lake
folder, name, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
lake = open_lake("file://" + folder)
print("ready", flush=True)
sys.stdin.readline()
for number in range(times):
    frame = pl.DataFrame({"by": [f"{name}{number}"] * 1000})
    version = lake.write("t", frame, step_key=f"{name}{number}")
    assert lake.read("t", version).collect().equals(frame)
    print(version, flush=True)
"""


def writer(folder: Path, name: str, times: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), name, str(times)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def test_writers_in_several_processes_at_once(tmp_path):
    """Also of one and the same table's first version; and two of them do the same steps."""
    writers = [writer(tmp_path, name, 4) for name in ("a", "b", "b")]
    for one in writers:
        assert one.stdout.readline() == "ready\n"
    for one in writers:
        one.stdin.write("go\n")
        one.stdin.flush()
    found = [[int(line) for line in one.communicate(timeout=120)[0].split()] for one in writers]
    assert [one.returncode for one in writers] == [0, 0, 0]
    lake = open_lake(f"file://{tmp_path}")
    versions = {version.version: version.step for version in lake.versions("t")}
    for name, numbers in zip(("a", "b", "b"), found, strict=True):
        assert [versions[version] for version in numbers] == [f"{name}{number}" for number in range(4)]


def test_threads_share_a_lake(tmp_path):
    lake, found = open_lake(f"file://{tmp_path}"), {}

    def work(number: int) -> None:
        found[number] = lake.write("t", pl.DataFrame({"n": [number]}), step_key=str(number % 3))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert {version.step for version in lake.versions("t")} == {"0", "1", "2"}


@pytest.mark.parametrize("after", [0.0, 0.01, 0.03, 0.08, 0.2])
def test_a_kill_at_any_moment_leaves_whole_versions(tmp_path, after):
    lake = open_lake(f"file://{tmp_path}")
    lake.write("t", ONE, step_key="before")
    one = writer(tmp_path, "k", 50)
    assert one.stdout.readline() == "ready\n"
    one.stdin.write("go\n")
    one.stdin.flush()
    time.sleep(after)
    os.kill(one.pid, signal.SIGKILL)
    one.communicate()
    for version in lake.versions("t"):
        rows = lake.read("t", version.version).collect()
        expected = ONE if version.step == "before" else pl.DataFrame({"by": [version.step] * 1000})
        assert rows.equals(expected)
    assert lake.write("t", TWO, step_key="after") == len(lake.versions("t")) - 1


TYPES = pl.DataFrame(
    {
        "at": pl.Series([datetime(2013, 3, 10, 7, 30)], dtype=pl.Datetime("ms")),
        "zoned": pl.Series([datetime(2013, 3, 10, 7, 30)], dtype=pl.Datetime("ns")).dt.replace_time_zone("Asia/Tokyo"),
        "nothing": pl.Series([None], dtype=pl.Null),
        "label": pl.Series(["a"], dtype=pl.Categorical()),
        "closed": pl.Series(["a"], dtype=pl.Enum(["a"])),
        "unsigned": pl.Series([2**63 - 1], dtype=pl.UInt64),
        "wide": pl.Series([-5], dtype=pl.Int128),
        "list": [["a", None]],
        "odd name, ;{}": [1],
    }
)


def test_types_that_tables_lack_become_the_nearest_that_loses_nothing(tmp_path):
    lake = open_lake(f"file://{tmp_path}")
    lake.write("t", TYPES, step_key="a")
    found = lake.read("t").collect()
    assert found.schema["at"] == found.schema["zoned"] == pl.Datetime("us", "UTC")
    moments = (datetime(2013, 3, 10, 7, 30, tzinfo=UTC), datetime(2013, 3, 9, 22, 30, tzinfo=UTC))
    assert found.row(0) == (*moments, None, "a", "a", 2**63 - 1, -5, ["a", None], 1)
    (file,) = DeltaTable(lake.path("t")).file_uris()
    kinds = {column.name: str(column.logical_type) for column in pq.ParquetFile(file).schema}
    assert "isAdjustedToUTC=true" in kinds["at"]
    assert "isAdjustedToUTC=true" in kinds["zoned"]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("x", [2**64 - 1], dtype=pl.UInt64), pl.Series("x", [2**70], dtype=pl.Int128),
        pl.Series("x", [5], dtype=pl.Duration("us")), pl.Series("x", [5], dtype=pl.Time),
    ],
)  # fmt: skip
def test_what_would_lose_something_is_refused_and_nothing_is_written(tmp_path, column):
    lake = open_lake(f"file://{tmp_path}")
    with pytest.raises(DataError) as caught:
        lake.write("t", column.to_frame(), step_key="a")
    assert "x" in str(caught.value.value)
    assert lake.tables() == []


def test_others_read_the_tables(tmp_path):
    lake = open_lake(f"file://{tmp_path}")
    lake.write("t", TWO, step_key="old")
    lake.write("t", TYPES.select("at", "label"), step_key="a")
    table = DeltaTable(lake.path("t"))
    assert table.version() == 1
    expected = [(datetime(2013, 3, 10, 7, 30, tzinfo=UTC), "a")]
    assert pl.read_delta(lake.path("t")).rows() == expected
    arrow = table.to_pyarrow_table()
    assert arrow.to_pylist()[0]["at"] == expected[0][0]
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("t", arrow)
    assert connection.execute('SELECT epoch("at"), label FROM t').fetchall() == [(expected[0][0].timestamp(), "a")]
    assert connection.execute('SELECT typeof("at") FROM read_parquet(?)', [table.file_uris()]).fetchone() == (
        "TIMESTAMP WITH TIME ZONE",
    )


def test_a_table_or_version_that_is_not_there(tmp_path):
    lake = open_lake(f"file://{tmp_path}")
    with pytest.raises(DataError, match="no such table") as caught:
        lake.read("flights")
    assert "noria run" in caught.value.mend
    lake.write("weather", ONE, step_key="a")
    with pytest.raises(DataError, match="no such table") as caught:
        lake.read("flights")
    assert caught.value.mend == "weather"
    with pytest.raises(DataError, match="no such version") as caught:
        lake.read("weather", 7)
    assert caught.value.value == 7


LIMITED = """
import resource, sys
import polars as pl
from noria.core import NoriaError
from noria.lake import open_lake
lake = open_lake("file://" + sys.argv[1])
import random, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
frame = pl.DataFrame({"n": [random.random() for _ in range(100_000)]})
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    lake.write("t", frame, step_key="b")
except NoriaError as error:
    print(type(error).__name__, error.exit_code, str(error), sep="\\n")
"""


def test_a_full_disk_is_said_and_leaves_the_table_as_it_was(tmp_path):
    lake = open_lake(f"file://{tmp_path}")
    lake.write("t", ONE, step_key="a")
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[:2] == [ResourceError.__name__, "8"], done.stdout + done.stderr
    assert lake.path("t") in done.stdout
    assert "the disk is full" in done.stdout
    assert len(done.stdout.splitlines()) <= 7
    assert lake.read("t").collect().equals(ONE)
    assert len(lake.versions("t")) == 1


@pytest.mark.parametrize("name", ["C#", "who?", "100%", "a b", "größe 𝔘", "a&b=c;d", "*", '{"x"}'])
def test_the_lake_lies_where_its_url_says_whatever_the_folder_is_called(tmp_path, name):
    lake = open_lake(f"file://{tmp_path / name}")
    frame = pl.DataFrame({"a": [1, 2, None], "b": ["x", None, "z"]})
    frames = (frame, frame[:1], frame[:0])
    first, second, third = (lake.write("t", part, step_key=f"k{n}") for n, part in enumerate(frames))
    assert lake.write("t", frame[:1], step_key="k1") == second
    assert lake.read("t", first).collect().equals(frame)
    assert lake.read("t", second).filter(pl.col("a") > 0).collect().equals(frame[:1])
    assert lake.read("t", third).collect().equals(frame[:0])
    assert [lake.has("t", version) for version in (first, second, third, 3)] == [True, True, True, False]
    assert (lake.tables(), [one.step for one in lake.versions("t")]) == (["t"], ["k2", "k1", "k0"])
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["[x]", "%41", "a^b", "a|b", "a\\b"])
def test_a_folder_that_delta_tables_cannot_lie_in_is_refused_at_once(tmp_path, name):
    with pytest.raises(DeclarationError, match="cannot lie there") as caught:
        open_lake(f"file://{tmp_path / name}")
    assert "noria.toml" in caught.value.mend
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [{}, {"mode": "append"}, {"mode": "merge", "key": ("n",)}])
def test_a_state_that_hangs_on_the_rows_is_asked_for_once_they_came(tmp_path, how):
    lake, seen = open_lake(f"file://{tmp_path}"), []

    def rows():
        for n in (1, 2):
            seen.append(n)
            yield pl.DataFrame({"n": [n]})

    def state():
        seen.append("state")
        return {"last": seen[-2]}

    for _ in range(2):
        assert lake.write("t", rows(), step_key="a", state=state, **how) == 0
    assert (seen, lake.state("t")) == ([1, 2, "state"], {"last": 2})


def test_a_state_that_cannot_be_told_commits_nothing_and_leaves_no_file(tmp_path):
    lake = open_lake(f"file://{tmp_path}")

    def state():
        raise ValueError("the rows are wrong")

    with pytest.raises(ValueError, match="the rows are wrong"):
        lake.write("t", ONE, step_key="a", state=state)
    assert (lake.tables(), list((tmp_path / "t").glob("*.parquet"))) == ([], [])
