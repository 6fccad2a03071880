"""What every lake must do."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from noria.core import DataError, DeclarationError
from noria.lake import Lake, open_lake


class LakeSuite:
    """The tests of a lake; give it a fixture ``url``."""

    @pytest.fixture
    def url(self) -> str:
        """The URL of an empty lake."""
        raise NotImplementedError("the suite needs a fixture 'url'")

    @pytest.fixture
    def lake(self, url: str) -> Lake:
        """The lake, open."""
        return open_lake(url)

    def test_what_was_written_is_read(self, lake: Lake) -> None:
        frame = _frame(3)
        assert_frame_equal(lake.read("t", lake.write("t", frame, step_key="k")).collect(), frame)

    def test_the_same_step_gives_the_version_that_it_gave_before(self, lake: Lake) -> None:
        first = lake.write("t", _frame(3), step_key="one")
        second = lake.write("t", _frame(4), step_key="two")
        assert first != second
        assert lake.write("t", _frame(3), step_key="one") == first
        assert len(lake.versions("t")) == 2

    def test_a_version_stays_as_it_was(self, lake: Lake) -> None:
        first = lake.write("t", _frame(3), step_key="one")
        lake.write("t", _frame(5).rename({"number": "other"}), step_key="two")
        assert_frame_equal(lake.read("t", first).collect(), _frame(3))
        assert lake.read("t").collect().columns[0] == "other"

    def test_versions_say_which_step_wrote_them_newest_first(self, lake: Lake) -> None:
        made = [lake.write("t", _frame(rows), step_key=f"k{rows}") for rows in (1, 2, 3)]
        assert [version.version for version in lake.versions("t")] == made[::-1]
        assert [version.step for version in lake.versions("t")] == ["k3", "k2", "k1"]

    def test_a_table_may_be_empty(self, lake: Lake) -> None:
        version = lake.write("t", _frame(0), step_key="k")
        assert_frame_equal(lake.read("t", version).collect(), _frame(0))

    def test_what_is_not_there_is_an_error_that_names_it(self, lake: Lake) -> None:
        assert lake.tables() == []
        assert lake.versions("t") == []
        with pytest.raises(DataError, match="no such table"):
            lake.read("t")
        lake.write("t", _frame(1), step_key="k")
        assert lake.tables() == ["t"]
        with pytest.raises(DataError):
            lake.read("t", 99)

    def test_it_knows_which_versions_it_has(self, lake: Lake) -> None:
        assert not lake.has("t", 0)
        made = [lake.write("t", _frame(rows), step_key=f"k{rows}") for rows in (0, 3)]
        assert [lake.has("t", version) for version in (*made, 99)] == [True, True, False]
        assert not lake.has("u", made[0])

    def test_one_step_that_runs_twice_at_once_writes_one_version(self, lake: Lake, url: str) -> None:
        lake.write("t", _frame(1), step_key="before")
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda: found.append(open_lake(url).write("t", _frame(2), step_key="k")))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 3
        for version in set(found):
            assert_frame_equal(lake.read("t", version).collect(), _frame(2))
        assert lake.write("t", _frame(2), step_key="k") in found

    def test_rows_come_as_frames_one_after_the_other(self, lake: Lake) -> None:
        version = lake.write("t", (_frame(5)[at : at + 1] for at in range(5)), step_key="k")
        assert_frame_equal(lake.read("t", version).collect(), _frame(5), check_row_order=False)
        lake.write("t", iter([_frame(0)]), step_key="none")
        assert lake.read("t").collect().height == 0
        with pytest.raises(DataError, match="no frame"):
            lake.write("u", iter([]), step_key="k")
        assert not lake.has("u", 0)

    def test_rows_are_appended(self, lake: Lake) -> None:
        first = lake.write("t", _frame(3), step_key="one", mode="append")
        second = lake.write("t", _frame(5)[3:], step_key="two", mode="append")
        assert lake.write("t", _frame(5)[3:], step_key="two", mode="append") == second
        assert_frame_equal(lake.read("t", first).collect(), _frame(3))
        assert_frame_equal(lake.read("t", second).collect(), _frame(5), check_row_order=False)
        assert lake.has("t", second)

    def test_rows_are_merged_by_key(self, lake: Lake) -> None:
        old = pl.DataFrame({"_row": [1, 2, 3, 4], "id": [1, 2, None, 4], "text": ["a", "b", "c", "d"]})
        new = pl.DataFrame(
            {
                "_row": [5, 6, 7, 8, 9],
                "id": [2, None, 5, 4, 5],
                "text": ["B", "C", "e", "D", "E"],
                "gone": [None, False, False, True, False],
            }
        )
        lake.write("t", old, step_key="old", mode="merge", key=["id"])
        version = lake.write("t", (new[at : at + 1] for at in range(5)), step_key="new", mode="merge", key=["id"],
                             deleted="gone")  # fmt: skip
        assert lake.write("t", new, step_key="new", mode="merge", key=["id"], deleted="gone") == version
        expected = pl.DataFrame({"_row": [1, 5, 6, 9], "id": [1, 2, None, 5], "text": ["a", "B", "C", "E"]})
        assert_frame_equal(lake.read("t").collect().sort("_row"), expected)
        assert_frame_equal(lake.read("t", 0).collect().sort("_row"), old)

    def test_rows_of_one_day_are_replaced(self, lake: Lake) -> None:
        old = pl.DataFrame({"day": [1, 1, 2, None], "n": [1, 2, 3, 4]})
        lake.write("t", old, step_key="old")
        lake.write("t", pl.DataFrame({"day": [1], "n": [9]}), step_key="new", where={"day": 1})
        assert lake.read("t").collect().sort("n").rows() == [(2, 3), (None, 4), (1, 9)]
        lake.write("t", pl.DataFrame({"day": [None], "n": [8]}), step_key="null", where={"day": None})
        assert lake.read("t").collect().sort("n").rows() == [(2, 3), (None, 8), (1, 9)]
        with pytest.raises(DataError, match="outside"):
            lake.write("t", pl.DataFrame({"day": [1, 2], "n": [0, 0]}), step_key="odd", where={"day": 1})
        assert lake.read("t").collect().height == 3

    def test_a_state_is_committed_with_the_rows(self, lake: Lake) -> None:
        assert lake.state("t") == {}
        big = {"seen": {f"file {number}": [number, None, "é"] for number in range(9_000)}}
        assert lake.write("t", _frame(1), step_key="a", mode="append") == 0
        assert lake.state("t") == {}
        first = lake.write("t", _frame(1), step_key="b", mode="append", state={"cursor": 1})
        assert lake.write("t", _frame(1), step_key="b", mode="append", state={"cursor": 7}) == first
        second = lake.write("t", _frame(1), step_key="c", mode="append", state=big)
        third = lake.write("t", _frame(1), step_key="d", mode="append")
        assert [lake.state("t", version) for version in (0, first, second, third)] == [{}, {"cursor": 1}, big, big]
        fourth = lake.write("t", iter([]), step_key="e", mode="append", state={"cursor": 2})
        assert lake.state("t") == lake.state("t", fourth) == {"cursor": 2}
        assert lake.read("t").collect().height == 4

    @pytest.mark.parametrize("mode", ["replace", "append", "merge"])
    def test_an_error_of_the_rows_aborts_the_write(
        self, lake: Lake, mode: Literal["replace", "append", "merge"]
    ) -> None:
        class Broken(Exception):
            pass

        def rows() -> Iterator[pl.DataFrame]:
            yield _frame(3)
            raise Broken

        key = ["number"] if mode == "merge" else []
        for table in ("t", "u"):
            with pytest.raises(Broken):
                lake.write(table, rows(), step_key="k", mode=mode, key=key, state={"n": 1})
            if table == "t":
                assert lake.tables() == []
                lake.write("u", _frame(1), step_key="before")
        assert_frame_equal(lake.read("u").collect(), _frame(1))
        assert (len(lake.versions("u")), lake.state("u")) == (1, {})
        version = lake.write("u", _frame(3), step_key="k", mode=mode, key=key, state={"n": 1})
        assert lake.state("u", version) == {"n": 1}

    def test_columns_come_and_go(self, lake: Lake) -> None:
        lake.write("t", pl.DataFrame({"a": [1], "b": ["x"]}), step_key="1")
        lake.write("t", pl.DataFrame({"c": [0.5], "a": [2]}), step_key="2", mode="append")
        assert lake.read("t").collect().sort("a").rows() == [(1, "x", None), (2, None, 0.5)]
        lake.write("t", pl.DataFrame({"d": [True], "a": [2]}), step_key="3", mode="merge", key=["a"])
        assert lake.read("t").collect().sort("a").rows() == [(1, "x", None, None), (2, None, None, True)]
        assert lake.read("t", 0).collect().columns == ["a", "b"]

    def test_a_wider_type_is_refused_or_taken_as_asked(self, lake: Lake) -> None:
        lake.write("t", pl.DataFrame({"n": [1], "s": ["x"]}), step_key="1")
        lake.write("t", pl.DataFrame({"n": [2], "s": [7]}, schema={"n": pl.Int16, "s": pl.Int64}), step_key="2",
                   mode="append")  # fmt: skip
        assert lake.read("t").collect().sort("n").rows() == [(1, "x"), (2, "7")]
        for wider in (0.5, "three"):
            with pytest.raises(DataError, match="type"):
                lake.write("t", pl.DataFrame({"n": [wider]}), step_key="no", mode="append")
        assert lake.read("t").collect().height == 2
        lake.write("t", pl.DataFrame({"n": [0.5]}), step_key="3", mode="append", widen=True)
        assert lake.read("t").collect()["n"].sort().to_list() == [0.5, 1.0, 2.0]
        lake.write("t", pl.DataFrame({"n": ["2.0"], "s": ["y"]}), step_key="4", mode="merge", key=["n"], widen=True)
        assert sorted(lake.read("t").collect().rows()) == [("0.5", None), ("1.0", "x"), ("2.0", "y")]
        with pytest.raises(DataError, match="type"):
            lake.write("t", pl.DataFrame({"n": [["a"]]}), step_key="5", mode="append", widen=True)

    @pytest.mark.parametrize(
        "odd",
        [
            {"mode": "upsert"}, {"mode": "merge"}, {"key": ["number"]}, {"deleted": "truth"}, {"where": {}},
            {"mode": "append", "where": {"number": 1}}, {"widen": True},
            {"mode": "merge", "key": ["number"], "deleted": "number"},
        ],
    )  # fmt: skip
    def test_what_does_not_go_together_is_refused(self, lake: Lake, odd: dict[str, Any]) -> None:
        with pytest.raises(DeclarationError):
            lake.write("t", _frame(1), step_key="k", **odd)
        assert lake.tables() == []

    def test_a_version_is_found_by_a_moment(self, lake: Lake) -> None:
        lake.write("t", _frame(1), step_key="a")
        between = max(lake.versions("t")[0].at, datetime.now(UTC))
        time.sleep(0.01)
        lake.write("t", _frame(2), step_key="b")
        assert lake.read("t", between).collect().height == 1
        assert lake.read("t", datetime.now(UTC)).collect().height == 2
        with pytest.raises(DataError, match="no such table then"):
            lake.read("t", datetime(2000, 1, 1, tzinfo=UTC))
        with pytest.raises(DeclarationError, match="time zone"):
            lake.read("t", datetime(2000, 1, 1))

    def test_history_says_who_did_what(self, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NORIA_ACTOR", "ann")
        assert lake.history("t") == []
        _five_versions(lake)
        found = lake.history("t")
        assert [(one.version, one.what, one.who, one.step) for one in found] == [
            (4, "replace where", "ann", "d"), (3, "merge", "ann", "c"), (2, "add columns", "ann", ""),
            (1, "append", "ann", "b"), (0, "replace", "ann", "a"),
        ]  # fmt: skip
        assert [one.rows for one in found] == [4, 4, 4, 4, 2]
        assert [one.added for one in found][2:] == [0, 2, 2]
        assert all(one.bytes > 0 and one.files > 0 for one in found)
        used = lake.usage("t")
        assert (used.table, used.versions, used.files, used.bytes) == ("t", 5, found[0].files, found[0].bytes)
        assert used.stored > sum(one.written for one in found)

    def test_two_versions_are_compared(self, lake: Lake) -> None:
        _five_versions(lake)
        found = lake.diff("t", 0, 3, key=["id"])
        assert (found.old, found.new, found.columns) == (0, 3, ("+ more: Float64",))
        assert (found.added, found.removed, found.changed) == (2, 0, 1)
        assert {"": "~", "id": 1, "text": ("a", "A")} in found.examples
        assert lake.diff("t", 3, 0, key=["id"]).columns == ("- more: Float64",)
        whole = lake.diff("t", 0, 3, most=1)
        assert (whole.added, whole.removed, whole.changed) == (3, 1, 0)
        assert len(whole.examples) == 2
        same = lake.diff("t", 1, 1)
        assert (same.added, same.removed, same.changed, same.columns, same.examples) == (0, 0, 0, (), ())
        with pytest.raises(DeclarationError, match="key"):
            lake.diff("t", 0, 3, key=["more"])
        with pytest.raises(DataError):
            lake.diff("t", 0, 9)

    def test_a_compaction_changes_no_row_and_no_state(self, lake: Lake) -> None:
        for number in range(6):
            lake.write("t", _frame(5)[number % 5 :][:1], step_key=str(number), mode="append", state={"n": number})
        before = lake.read("t").collect()
        version = lake.compact("t")
        assert lake.history("t")[0].files == 1
        assert_frame_equal(lake.read("t", version).collect(), before, check_row_order=False)
        assert (lake.state("t"), lake.state("t", version)) == ({"n": 5}, {"n": 5})
        assert lake.write("t", _frame(1), step_key="3", mode="append") == 3
        ordered = lake.compact("t", order=["text", "number"])
        assert_frame_equal(lake.read("t", ordered).collect(), before, check_row_order=False)
        assert lake.has("t", ordered)
        with pytest.raises(DeclarationError, match="column"):
            lake.compact("t", order=["nothing"])
        with pytest.raises(DataError, match="no such table"):
            lake.compact("u")

    def test_an_old_version_comes_back_with_its_state_and_the_steps_that_are_undone_come_again(
        self, lake: Lake
    ) -> None:
        lake.write("t", pl.DataFrame({"id": [1]}), step_key="a", mode="append", state={"n": 1})
        lake.write("t", pl.DataFrame({"id": [2], "more": ["x"]}), step_key="b", mode="append", state={"n": 2})
        version = lake.restore("t", 0)
        assert lake.read("t").collect().rows() == [(1,)]
        assert (lake.state("t"), lake.history("t")[0].what) == ({"n": 1}, "restore 0")
        assert lake.write("t", pl.DataFrame({"id": [1]}), step_key="a", mode="append") == 0
        again = lake.write("t", pl.DataFrame({"id": [2]}), step_key="b", mode="append", state={"n": 2})
        assert again > version
        assert lake.read("t").collect().sort("id").rows() == [(1,), (2,)]
        assert lake.read("t", version).collect().rows() == [(1,)]
        with pytest.raises(DataError, match="no such version"):
            lake.restore("t", 99)

    def test_a_vacuum_takes_what_was_asked_for_alone(self, lake: Lake) -> None:
        for number in range(4):
            lake.write("t", _frame(number + 1), step_key=str(number))
        assert lake.vacuum("t").files == 0
        told = lake.vacuum("t", older_than=timedelta(0), keep=[1], dry_run=True)
        assert (told.files, told.versions) == (2, (0, 2))
        assert told.bytes > 0
        assert lake.read("t", 0).collect().height == 1
        assert lake.vacuum("t", older_than=timedelta(days=1)).files == 0
        assert lake.vacuum("t", older_than=timedelta(0), keep=[1]) == told
        assert lake.vacuum("t", older_than=timedelta(0), keep=[1]).files == 0
        assert [lake.read("t", version).collect().height for version in (1, 3)] == [2, 4]
        with pytest.raises(DeclarationError, match="age"):
            lake.vacuum("t", older_than=timedelta(-1))

    def test_several_processes_that_write_at_once_lose_nothing(self, lake: Lake, url: str) -> None:
        lake.write("t", pl.DataFrame({"id": ["seed"], "by": ["-"]}), step_key="seed")
        modes = ["append", "append", "merge", "merge"]
        with contextlib.ExitStack() as stack:
            writers = [
                stack.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-c", _WRITER, url, f"w{number}", mode],
                        text=True,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                    )
                )
                for number, mode in enumerate(modes)
            ]
            for one in writers:
                assert one.stdout is not None
                assert one.stdout.readline() == "ready\n"
            told = []
            for one in writers:
                assert one.stdin is not None
                one.stdin.write("go\n")
                one.stdin.flush()
            for one in writers:
                told += [int(line) for line in one.communicate(timeout=100)[0].split()]
                assert one.returncode == 0
        wanted = {f"w{number}-{turn}" for number in range(len(modes)) for turn in range(_TURNS)}
        assert len(told) == len(set(told)) == len(wanted)
        assert {version.step for version in lake.versions("t")} == {"seed", *wanted}
        found = lake.read("t").collect()
        assert sorted(found["id"]) == sorted([*wanted, "seed", "shared"])
        for version in lake.versions("t"):
            assert lake.has("t", version.version)


def _five_versions(lake: Lake) -> None:
    lake.write("t", pl.DataFrame({"_row": [1, 2], "id": [1, 2], "text": ["a", None]}), step_key="a")
    lake.write("t", pl.DataFrame({"_row": [3, 4], "id": [3, 4], "text": ["c", "d"]}), step_key="b", mode="append")
    lake.write("t", pl.DataFrame({"_row": [5], "id": [1], "text": ["A"], "more": [0.5]}), step_key="c", mode="merge",
               key=["id"])  # fmt: skip
    lake.write("t", pl.DataFrame({"_row": [6], "id": [9], "text": ["d"]}), step_key="d", where={"text": "d"})


_TURNS = 3
_WRITER = f"""
import sys
import polars as pl
from noria.lake import open_lake
url, name, mode = sys.argv[1:]
lake = open_lake(url)
print("ready", flush=True)
sys.stdin.readline()
for turn in range({_TURNS}):
    ids = [f"{{name}}-{{turn}}", *(["shared"] if mode == "merge" else [])]
    print(lake.write("t", pl.DataFrame({{"id": ids, "by": [name] * len(ids)}}), step_key=ids[0], mode=mode,
                     key=["id"] if mode == "merge" else []), flush=True)
"""


def _frame(rows: int) -> pl.DataFrame:
    columns = {
        "number": [None, 2**62, -1, 0, 7][:rows],
        "real": [0.1, float("inf"), None, -0.0, 1e-300][:rows],
        "text": ["", "Zürich 東京", None, "a\0b", '"'][:rows],
        "when": [datetime(2013, 11, 3, 5, 30, 0, 1, UTC), None, *[datetime(1969, 1, 1, tzinfo=UTC)] * 3][:rows],
        "truth": [True, None, False, True, False][:rows],
    }
    kinds = [pl.Int64(), pl.Float64(), pl.String(), pl.Datetime("us", "UTC"), pl.Boolean()]
    return pl.DataFrame(columns, schema=dict(zip(columns, kinds, strict=True)))
