import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.monitoring.histogram import Daily, bins, daily, size_of
from noria.monitoring.histogram import shift as shift_of

DAY = 86_400_000_000


def shift(found, times, reference):
    return shift_of(daily(found, times, size_of(reference)), reference)


def normal_reference(rows=200_000, seed=0):
    values = np.random.default_rng(seed).normal(size=rows)
    edges = np.quantile(values, np.linspace(0, 1, 11))
    counts = np.histogram(values, edges)[0]
    return {"edges": edges.tolist(), "counts": counts.tolist(), "nulls": 0}


def spread(rows, days=7):
    return np.linspace(0, days * DAY - 1, rows).astype(np.int64)


def test_bins_of_numbers():
    reference = {"edges": [0.0, 1.0, 2.0, 3.0], "counts": [1, 1, 1], "nulls": 0}
    values = np.array([-5, 0, 1, 1.5, 2, 99, np.nan])
    assert bins(values, reference).tolist() == [0, 0, 1, 1, 2, 2, 3]


def test_bins_of_categories():
    reference = {"values": ["a", "b"], "counts": [1, 1], "other": 0, "nulls": 0}
    assert bins(["b", "a", "c", None, ""], reference).tolist() == [1, 0, 2, 3, 3]


def test_psi_is_the_textbook_sum():
    reference = {"edges": [0.0, 1.0, 2.0], "counts": [50_000, 50_000], "nulls": 0}
    found = np.repeat([0, 1], [80_000, 20_000])
    rng = np.random.default_rng(0)
    rng.shuffle(found)
    expected = (0.8 - 0.5) * np.log(0.8 / 0.5) + (0.2 - 0.5) * np.log(0.2 / 0.5)
    assert shift(found, spread(100_000), reference).psi == pytest.approx(expected, rel=1e-3)


def test_chance_alone_is_rarely_significant():
    reference = normal_reference()
    rng = np.random.default_rng(1)
    p = [shift(bins(rng.normal(size=700), reference), spread(700), reference).p for _ in range(300)]
    assert np.mean(np.array(p) < 0.05) < 0.08
    assert np.mean(np.array(p) < 0.5) > 0.3  # and it is not simply always large


def test_days_that_resemble_themselves_are_worth_fewer_rows():
    reference = normal_reference()
    rng = np.random.default_rng(2)
    by_day, at_once = [], []
    for _ in range(100):
        weather = np.repeat(rng.normal(scale=0.8, size=7), 100)  # one level a day
        found = bins(weather + rng.normal(scale=0.6, size=700), reference)
        by_day.append(shift(found, spread(700), reference))
        at_once.append(shift(found, np.zeros(700, np.int64), reference))
    assert all(moved.rows == 700 for moved in at_once)
    assert np.median([moved.rows for moved in by_day]) < 100
    assert np.mean([moved.p < 0.01 for moved in at_once]) > 0.7  # it would cry wolf nearly always
    assert np.mean([moved.p < 0.01 for moved in by_day]) < 0.1


def test_a_real_move_is_found():
    reference = normal_reference()
    values = np.random.default_rng(3).normal(loc=0.8, size=2000)
    found = shift(bins(values, reference), spread(2000), reference)
    assert found.psi > 0.25
    assert found.p < 1e-6


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.lists(st.integers(0, 20), min_size=3, max_size=3))
def test_figures_are_always_finite_and_in_range(found, counts):
    reference = {"edges": [0.0, 1.0, 2.0, 3.0], "counts": counts, "nulls": 1}
    moved = shift(np.array(found), spread(len(found), days=3), reference)
    assert np.isfinite(moved.psi)
    assert moved.psi >= 0
    assert 0 <= moved.p <= 1
    assert 0 <= moved.rows <= len(found)


def test_an_empty_bin_is_rare_and_not_infinite():
    reference = {"values": ["a"], "counts": [10], "other": 0, "nulls": 0}
    assert np.isfinite(shift(np.array([1, 1]), spread(2), reference).psi)


ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 4)), max_size=40)


def counted(rows) -> Daily:
    found, days = np.array(rows, np.int64).reshape(-1, 2).T
    return daily(found, days * DAY + 5, 4)


def same(one, two):
    return one.days.tolist() == two.days.tolist() and one.counts.tolist() == two.counts.tolist()


@given(ROWS, ROWS, ROWS)
def test_counts_merge_in_any_order_to_what_the_rows_would_count_together(a, b, c):
    whole = counted(a + b + c)
    assert same(counted(a).merge(counted(b)).merge(counted(c)), whole)
    assert same(counted(c).merge(counted(a).merge(counted(b))), whole)
    assert same(whole.merge(counted([])), whole)
    reference = {"edges": [0.0, 1.0, 2.0, 3.0], "counts": [5, 9, 2], "nulls": 1}
    assert shift_of(counted(b).merge(counted(c)).merge(counted(a)), reference) == shift_of(whole, reference)


def test_nothing_seen_or_nothing_to_compare_with_is_no_move():
    reference = {"edges": [0.0, 1.0, 2.0], "counts": [5, 9], "nulls": 1}
    empty = shift(np.empty(0, np.intp), np.empty(0, np.int64), reference)
    assert (empty.psi, empty.p, empty.rows) == (0.0, 1.0, 0.0)
    blank = {"edges": [0.0, 0.0], "counts": [0], "nulls": 0}
    assert shift(np.array([0, 1, 1]), spread(3), blank).p == 1.0
