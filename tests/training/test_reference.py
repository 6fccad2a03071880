from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.models import Category
from noria.monitoring.histogram import bins
from noria.training.reference import reference_of
from noria.training.rows import Rows

EDGE = st.sampled_from([0.0, -0.0, 1.0, 2.5, 1e-40, 3e38, float("inf"), float("-inf"), float("nan")])
NUMBERS = st.lists(EDGE | st.floats(width=32), min_size=1, max_size=60)


def _rows(numbers: list[float], codes: list[int], levels: tuple[str, ...]) -> Rows:
    count = len(numbers)
    column = Category(np.array(codes, np.int32), levels)
    plain = np.zeros(count, np.int64)
    return Rows(("x",), ("c",), np.array(numbers, np.float32)[:, None], (column,), plain.astype(np.int8), plain, plain)


@given(NUMBERS)
def test_every_row_is_counted_once_in_the_bin_that_a_monitor_puts_it_in(numbers: list[float]) -> None:
    rows = _rows(numbers, [-1] * len(numbers), ())
    with np.errstate(invalid="ignore", over="ignore"):
        left = reference_of(rows, np.full(len(numbers), 0.5))["features"]["x"]
    assert sum(left["counts"]) + left["nulls"] == len(numbers)
    assert left["edges"] == sorted(left["edges"])
    assert len(left["edges"]) == len(left["counts"]) + 1
    found = np.bincount(bins(rows.numbers[:, 0], left), minlength=len(left["counts"]) + 1)
    assert found.tolist() == [*left["counts"], left["nulls"]]
    json.dumps(left, allow_nan=False)


@given(st.lists(st.integers(-1, 79), min_size=1, max_size=300))
def test_categories_are_counted_as_a_monitor_counts_them(codes: list[int]) -> None:
    levels = tuple(f"v{place:02d}" for place in range(80))
    rows = _rows([0.0] * len(codes), codes, levels)
    left = reference_of(rows, np.full(len(codes), 0.5))["features"]["c"]
    texts = [value or None for value in rows.category("c").strings()]
    found = np.bincount(bins(texts, left), minlength=len(left["counts"]) + 2)
    assert found.tolist() == [*left["counts"], left["other"], left["nulls"]]
    assert left["counts"] == sorted(left["counts"], reverse=True)
    assert len(left["values"]) <= 50


def test_bins_of_a_number_hold_about_as_many_rows_each() -> None:
    random = np.random.default_rng(0)
    rows = _rows(random.normal(size=5000).tolist(), [-1] * 5000, ())
    left = reference_of(rows, random.random(5000))
    assert left["rows"] == 5000
    assert left["features"]["x"]["counts"] == pytest.approx([500] * 10, abs=2)
    assert left["scores"]["counts"] == pytest.approx([500] * 10, abs=2)


@pytest.mark.parametrize("share", [0.002, 0.02, 0.5, 0.98])
def test_a_rare_value_beside_a_frequent_one_has_a_bin_of_its_own(share: float) -> None:
    count = round(1000 * share)
    rows = _rows([1.0] * count + [0.0] * (1000 - count), [-1] * 1000, ())
    assert reference_of(rows, np.full(1000, 0.5))["features"]["x"]["counts"] == [1000 - count, count]
    rain = np.concatenate([np.zeros(900), np.linspace(0.1, 2, 100)])  # nearly always dry
    counts = reference_of(_rows(rain.tolist(), [-1] * 1000, ()), np.full(1000, 0.5))["features"]["x"]["counts"]
    assert counts[0] == 900
    assert len(counts) > 1


def test_all_features_of_the_model_are_there(parts: tuple[Rows, Rows, Rows]) -> None:
    validate = parts[1]
    left = reference_of(validate, np.full(len(validate), 0.5))
    assert list(left["features"]) == [*validate.number_names, *validate.category_names]
    bare = replace(validate, number_names=(), numbers=np.empty((len(validate), 0), np.float32))
    assert list(reference_of(bare, np.full(len(validate), 0.5))["features"]) == ["carrier", "dest"]
