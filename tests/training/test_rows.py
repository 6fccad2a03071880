from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from noria.training.rows import Rows, read_rows
from noria.training.splits import parts_of

from .conftest import FEATURES, SPLIT

PARTS = parts_of(SPLIT)


def test_rows_are_those_of_the_table(training_set: Path) -> None:
    rows = read_rows(training_set, FEATURES, PARTS.train.rows())
    table = pl.read_parquet(training_set).filter(pl.col("_row").is_in(rows.ids)).sort("_time", "_row")
    assert rows.ids.tolist() == table["_row"].to_list()
    assert rows.labels.tolist() == table["_label"].to_list()
    assert (rows.number_names, rows.category_names) == (("delay", "wind", "whole"), ("carrier", "dest"))
    for place, name in enumerate(rows.number_names):
        assert np.array_equal(rows.numbers[:, place], table[name].fill_null(float("nan")).to_numpy(), equal_nan=True)
    for place, name in enumerate(rows.category_names):
        assert rows.strings()[:, place].tolist() == table[name].fill_null("").to_list()


def test_a_row_without_an_answer_is_in_no_part(training_set: Path) -> None:
    table = pl.read_parquet(training_set)
    unlabelled = set(table.filter(pl.col("_label").is_null())["_row"])
    assert len(unlabelled) > 50
    for part in (PARTS.train, PARTS.validate, PARTS.test):
        assert not unlabelled & set(read_rows(training_set, FEATURES, part.rows()).ids.tolist())


def test_an_answer_that_came_after_the_end_of_its_part_is_in_no_part(training_set: Path, tmp_path: Path) -> None:
    """The leak through late answers: asked in time, but nobody could have learned from it by then."""
    table = pl.read_parquet(training_set)
    asked = pl.col("_time") < PARTS.train.end
    late = table.with_columns(_known=pl.when(asked & (pl.col("_row") % 7 == 0)).then(
        pl.lit(PARTS.train.end)).otherwise("_known"))  # fmt: skip
    late.write_parquet(tmp_path / "late.parquet")
    whole, rest = (
        set(read_rows(path, FEATURES, PARTS.train.rows()).ids.tolist())
        for path in (training_set, tmp_path / "late.parquet")
    )
    assert rest == {row for row in whole if row % 7}
    for part in (PARTS.validate, PARTS.test):  # nor does it turn up in a later part
        assert whole.isdisjoint(read_rows(tmp_path / "late.parquet", FEATURES, part.rows()).ids.tolist())


def test_parts_share_no_row(training_set: Path) -> None:
    parts = [read_rows(training_set, FEATURES, part.rows()) for part in (PARTS.train, PARTS.validate, PARTS.test)]
    ids = np.concatenate([part.ids for part in parts])
    assert len(np.unique(ids)) == len(ids) > 3000
    assert parts[0].times.max() < parts[1].times.min() < parts[1].times.max() < parts[2].times.min()


@pytest.mark.parametrize("name", ["delay", "carrier", "_label", "_time", "_row"])
def test_the_digest_is_of_everything(training_set: Path, tmp_path: Path, name: str) -> None:
    def digest(path: Path) -> str:
        return read_rows(path, FEATURES, PARTS.test.rows()).digest()

    table = pl.read_parquet(training_set)
    first = pl.col("_row") == int(read_rows(training_set, FEATURES, PARTS.test.rows()).ids[0])
    other = {
        "delay": pl.col("delay") + 1, "carrier": pl.lit("ZZ"), "_label": (1 - pl.col("_label")).cast(pl.Int8),
        "_time": pl.col("_time") + pl.duration(microseconds=1), "_row": pl.lit(999_999),
    }[name]  # fmt: skip
    table.with_columns(pl.when(first).then(other).otherwise(name).alias(name)).write_parquet(tmp_path / "s.parquet")
    assert digest(training_set) == digest(training_set) != digest(tmp_path / "s.parquet")


def test_infinity_and_not_a_number_pass_through_as_they_are(tmp_path: Path) -> None:
    numbers = [1.0, float("inf"), float("-inf"), float("nan"), None, 3e38]
    early = [PARTS.train.end.replace(month=1)] * 6
    frame = pl.DataFrame(
        {"_row": range(6), "_time": early, "_known": early, "_label": [0, 1] * 3, "x": numbers,
         "c": ["", None, "a", "a", "b", ""]},
        schema_overrides={"_time": pl.Datetime("us", "UTC"), "_known": pl.Datetime("us", "UTC"), "_label": pl.Int8},
    )  # fmt: skip
    frame.write_parquet(tmp_path / "s.parquet")
    features = [{"name": "x", "kind": "number"}, {"name": "c", "kind": "category"}]
    rows: Rows = read_rows(tmp_path / "s.parquet", features, PARTS.train.rows())
    expected = np.array([1, np.inf, -np.inf, np.nan, np.nan, 3e38], np.float32)
    assert np.array_equal(rows.numbers[:, 0], expected, equal_nan=True)
    assert rows.category("c").levels == ("a", "b")  # the empty text is null
    assert rows.category("c").codes.tolist() == [-1, -1, 0, 0, 1, -1]
