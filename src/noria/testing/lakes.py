"""What every lake must do."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from noria.core import DataError
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
