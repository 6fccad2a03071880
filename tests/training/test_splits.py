from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from noria.core import DeclarationError
from noria.declarations import Project, RandomSplit, TimeSplit
from noria.training import steps
from noria.training.rows import read_rows
from noria.training.splits import Part, Parts, parts_of

SPLIT = TimeSplit(train_until="2013-09-01", validate_until="2013-11-01", test_until="2013-12-01",
                  retrain_validate="7d", retrain_test="3d")  # fmt: skip
END = datetime(2013, 9, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def _set(path: Path, rows: list[tuple[datetime, datetime | None, int | None]]) -> Path:
    times, known, labels = zip(*rows, strict=True)
    frame = pl.DataFrame(
        {"_row": range(len(rows)), "_time": times, "_known": known, "_label": labels, "x": [1.0] * len(rows)},
        schema_overrides={"_time": pl.Datetime("us", "UTC"), "_known": pl.Datetime("us", "UTC"), "_label": pl.Int8},
    )
    frame.write_parquet(path)
    return path


def test_a_row_belongs_to_a_part_by_its_time_and_only_if_its_answer_was_known_by_then(tmp_path: Path) -> None:
    path = _set(tmp_path / "s.parquet", [
        (END - SECOND, END - SECOND / 2, 1),
        (END - SECOND, END, 1),  # known when the part had ended
        (END - SECOND, None, 1),  # never known
        (END - SECOND, END - SECOND / 2, None),  # never answered
        (END, END + SECOND, 0),
    ])  # fmt: skip
    parts = parts_of(SPLIT)
    features = [{"name": "x", "kind": "number"}]
    assert read_rows(path, features, parts.train.rows()).ids.tolist() == [0]
    assert read_rows(path, features, parts.validate.rows()).ids.tolist() == [4]
    assert len(read_rows(path, features, parts.test.rows())) == 0


def test_parts_follow_each_other_without_a_gap() -> None:
    parts = parts_of(SPLIT)
    assert parts.train == Part(None, END)
    assert (parts.validate.start, parts.test.start) == (parts.train.end, parts.validate.end)


def test_a_retraining_ends_its_test_at_its_moment() -> None:
    now = datetime(2013, 12, 15, 10, 30, tzinfo=UTC)
    parts = parts_of(SPLIT, now)
    assert parts.test == Part(now - timedelta(days=3), now)
    assert parts.validate == Part(now - timedelta(days=10), now - timedelta(days=3))
    assert parts.train == Part(None, now - timedelta(days=10))


def test_a_random_split_parts_by_shares(tmp_path: Path) -> None:
    path = _set(tmp_path / "s.parquet", [(END, END, 1), (END, END, 1), (END, None, 0), (END, END + SECOND, 0)])
    pl.read_parquet(path).with_columns(_share=pl.Series([0.1, 0.6, 0.8, 0.999])).write_parquet(path)
    features = [{"name": "x", "kind": "number"}]

    def ids(parts: Parts) -> list[list[int]]:
        return [
            read_rows(path, features, part.rows()).ids.tolist() for part in (parts.train, parts.validate, parts.test)
        ]

    split = RandomSplit(validation=0.2, test=0.2)
    assert ids(parts_of(split)) == [[0], [1], [2, 3]]
    assert ids(parts_of(split, END + SECOND)) == [[0], [1], []]  # known by then
    assert parts_of(split).test.to_body() == {"start": None, "end": None, "share": 0.2}


def test_a_split_by_time_needs_a_time(project: Project) -> None:
    with pytest.raises(DeclarationError, match=r"split=nr\.RandomSplit"):
        steps(project.replace(spine=project.spine.replace(time=None)))
    assert steps(project.replace(search=project.search.replace(split=RandomSplit())))
