import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from noria.contracts import Profile, Profiler, differences, profile_of
from noria.contracts.profile.distinct import Distinct
from noria.contracts.profile.quantiles import CAPACITY, Quantiles
from noria.core import DataError, IntegrityError


def batches_of(frame, size):
    return [frame.slice(start, size) for start in range(0, len(frame), size)]


values = st.lists(
    st.fixed_dictionaries({
        "n": st.none() | st.integers(-50, 50),
        "x": st.none() | st.floats(-1e6, 1e6) | st.just(float("nan")) | st.just(float("inf")),
        "t": st.none() | st.sampled_from(["a", "b", "ñ", ""]),
        "b": st.none() | st.booleans(),
        "d": st.none() | st.dates(date(2020, 1, 1), date(2020, 3, 1)),
    }),
    min_size=1, max_size=40,
)  # fmt: skip
SCHEMA = {"n": pl.Int64, "x": pl.Float64, "t": pl.String, "b": pl.Boolean, "d": pl.Date}


def rounded(body):
    return json.loads(json.dumps(body), parse_float=lambda text: float(f"{float(text):.9g}"))


@given(values, st.integers(1, 40), st.integers(1, 40))
@example([{"n": 1, "x": 349525.773048384, "t": "", "b": True, "d": date(2020, 1, 1)}] * 3, 1, 1)
@settings(max_examples=80, deadline=None)
def test_batches_and_merges_give_the_profile_of_the_whole(rows, size, cut):
    frame = pl.DataFrame(rows, schema=SCHEMA)
    whole = profile_of([frame])
    one, other = Profiler(), Profiler()
    one.update(frame.head(cut))
    other.update(frame.slice(cut))
    one.merge(other)
    for parted in (profile_of(batches_of(frame, size)), one.result()):
        assert rounded(parted.to_body()) == rounded(whole.to_body())


@given(values)
@settings(max_examples=40, deadline=None)
def test_counts_are_those_that_polars_counts(rows):
    frame = pl.DataFrame(rows, schema=SCHEMA)
    found = profile_of([frame])
    for column in found.columns:
        given_values = frame[column.name]
        assert (column.rows, column.nulls) == (len(frame), given_values.null_count())
        assert column.distinct == given_values.drop_nulls().n_unique()
    n = frame["n"]
    assert (found.column("n").low, found.column("n").high) == (n.min(), n.max())
    assert sum(found.column("n").counts) == len(n.drop_nulls())


def test_it_goes_through_json_and_back():
    hours = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=i) for i in range(500)]
    frame = pl.DataFrame({"id": range(500), "at": hours,
                          "x": np.linspace(0, 1, 500), "t": ["a", "b"] * 250})  # fmt: skip
    found = profile_of([frame])
    assert Profile.from_body(json.loads(json.dumps(found.to_body()))) == found
    assert found.keys == (("id",),)
    assert found.column("at").gaps == 0
    assert differences(found, found) == ()
    for wrong in ({}, {"format": 2}, {**found.to_body(), "columns": [{}]}):
        with pytest.raises(IntegrityError):
            Profile.from_body(wrong)


def test_quantiles_of_many_values_are_near_and_hold_little():
    sketch, rng = Quantiles(), np.random.default_rng(3)
    parts = [rng.lognormal(size=10_000) for _ in range(100)]
    for part in parts:
        sketch.update(part)
    ordered = np.sort(np.concatenate(parts))
    for share in (0.001, 0.25, 0.5, 0.9, 0.999):
        rank = np.searchsorted(ordered, sketch.at([share])[0]) / len(ordered)
        assert abs(rank - share) < 0.002
    assert sum(map(len, sketch.levels)) <= CAPACITY * len(sketch.levels) < CAPACITY * 12


@pytest.mark.parametrize("count", [5_000, 300_000])
def test_distinct_values_are_counted_within_a_few_percent(count):
    found, rng = Distinct(), np.random.default_rng(4)
    for _ in range(8):
        found.update(pl.Series(rng.integers(0, count, count // 2)))
    assert abs(found.count() / count - 1) < 0.04
    assert found.unique is False


def test_a_repetition_across_batches_is_seen():
    found = Distinct()
    for start in (0, 1000, 2000):
        found.update(pl.Series(range(start, start + 1000)))
    assert found.unique is True
    found.update(pl.Series([1500]))
    assert found.unique is False


def test_correlations_pass_over_nulls_and_constants():
    rng = np.random.default_rng(5)
    x = 1e9 + rng.normal(size=4000)
    frame = pl.DataFrame(
        {"x": x, "y": 3 * x + rng.normal(size=4000), "c": 1.0, "z": rng.normal(size=4000)}
    ).with_columns(y=pl.when(pl.int_range(pl.len()) % 7 > 0).then("y"))
    found = profile_of(batches_of(frame, 333)).correlations
    pairs = frame.drop_nulls()
    assert found[0][:2] == ("x", "y")
    assert found[0][2] == pytest.approx(np.corrcoef(pairs["x"] - 1e9, pairs["y"] - 3e9)[0, 1], abs=1e-5)
    assert all("c" not in pair[:2] for pair in found)


def test_a_column_of_two_kinds_is_an_error_with_its_place():
    with pytest.raises(DataError, match="two kinds") as caught:
        profile_of([pl.DataFrame({"a": [1]}), pl.DataFrame({"a": ["x"]})])
    assert "'a'" in str(caught.value)


def test_columns_may_come_late_and_go():
    found = profile_of([pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"b": ["x"]})])
    assert [(c.name, c.rows, c.nulls) for c in found.columns] == [("a", 3, 1), ("b", 3, 2)]


def test_nothing_is_a_profile_too():
    assert profile_of([]).rows == 0
    assert profile_of([pl.DataFrame(schema=SCHEMA)]).column("x").low is None
