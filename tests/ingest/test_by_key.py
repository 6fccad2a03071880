"""What is asked of bounded parts of rows is what is asked of all of them."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.ingest import by_key as module
from noria.ingest.by_key import by_key
from noria.ingest.existing import newest_versions, with_repeated_keys

rows = st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 9)), st.integers(0, 3)), min_size=1, max_size=60)


def frames(given, size):
    """Rows with numbers, in frames of some rows."""
    schema = {"_row": pl.Int64, "id": pl.Int64, "at": pl.Int64}
    numbered = [(number, *row) for number, row in enumerate(given, start=1)]
    return (pl.DataFrame(numbered[at : at + size], schema, orient="row") for at in range(0, len(numbered), size))


@given(given=rows, size=st.integers(1, 7), most=st.integers(0, 400))
def test_parts_leave_what_the_whole_leaves_in_its_order(tmp_path_factory, given, size, most):
    def judge(rows):
        known = pl.DataFrame({"id": [1, 2]})
        return with_repeated_keys(newest_versions(rows, ["id"], "at"), known, ["id"], "known")

    whole = judge(pl.concat(frames(given, size)))
    folder = tmp_path_factory.mktemp("parts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_AT_ONCE", most)
        found = pl.concat(by_key(folder, frames(given, size), ["id"], judge), how="diagonal_relaxed")
    found, whole = (rows.with_columns(pl.col("^_reasons$").fill_null([])) for rows in (found, whole))
    assert found.select(whole.columns).to_dicts() == whole.to_dicts()
    assert not list(folder.rglob("*.arrow"))


def test_no_part_is_larger_than_said_and_all_rows_of_a_key_are_together(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_AT_ONCE", 4000)
    sizes, seen = [], []

    def judge(rows):
        sizes.append(rows.estimated_size())
        seen.extend(rows["id"].unique())
        return rows

    given = [(number % 200, 0) for number in range(2000)]
    found = pl.concat(by_key(tmp_path, frames(given, 100), ["id"], judge))
    assert max(sizes) <= 4000
    assert len(sizes) > 10
    assert sorted(seen) == list(range(200))
    assert found["_row"].to_list() == list(range(1, 2001))


def test_without_a_key_rows_are_judged_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_AT_ONCE", 1)
    assert [len(frame) for frame in by_key(tmp_path, frames([(1, 1)] * 10, 3), [], lambda rows: rows)] == [10]


def test_of_no_frame_there_is_none(tmp_path):
    assert list(by_key(tmp_path, iter(()), ["id"], lambda rows: rows)) == []
