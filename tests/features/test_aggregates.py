"""The algebra: merging in any grouping gives the same, nothing changes nothing, and one state reads as many do."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import noria as nr
from noria.features.aggregates.algebra import WindowAggregate, merged_by_doubling
from noria.testing import VALUES

KINDS = [
    getattr(nr, name)(*([] if name == "count" else ["x"]), windows=["1h"]) for name in VALUES
]  # fmt: skip
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)

whole = st.integers(-(2**30), 2**30).map(float)
times = st.integers(-5, 5).map(float)
events = st.lists(st.tuples(times, whole), max_size=30)


def states_of(kind, events):
    if not events:
        return np.empty((0, len(kind.identity)))
    return kind.init(np.array([value for _, value in events]), np.array([time for time, _ in events]))


def merged(kind, states):
    found = np.array([kind.identity])
    for state in states:
        found = kind.merge(found, state[None])
    return found


def expected(kind, events):
    value = VALUES[kind.kind]([value for _, value in sorted(events, key=lambda event: event[0])])
    return math.nan if value is None else value


def same(kind, left, right):
    if kind.kind == "std":
        return left == pytest.approx(right, rel=1e-9, abs=1e-6, nan_ok=True)
    return np.array_equal(left, right, equal_nan=True)


def test_every_kind_is_in_the_oracle():
    assert {kind.kind for kind in WindowAggregate.__subclasses__() if kind.__module__.startswith("noria.")} <= set(
        VALUES
    )


@every_kind
@given(events)
def test_merged_one_after_the_other_it_is_what_the_oracle_says(kind, events):
    assert same(kind, kind.finalise(merged(kind, states_of(kind, events)))[0], expected(kind, events))


@every_kind
@given(events, events, events)
def test_merge_is_associative(kind, a, b, c):
    x, y, z = (merged(kind, states_of(kind, events)) for events in (a, b, c))
    left, right = kind.merge(kind.merge(x, y), z), kind.merge(x, kind.merge(y, z))
    assert same(kind, kind.finalise(left)[0], kind.finalise(right)[0])
    assert same(kind, kind.finalise(left)[0], expected(kind, [*a, *b, *c]))


@every_kind
@given(events)
def test_nothing_changes_nothing(kind, events):
    state, nothing = merged(kind, states_of(kind, events)), np.array([kind.identity])
    assert np.array_equal(kind.merge(state, nothing), state)
    assert np.array_equal(kind.merge(nothing, state), state)


@every_kind
@given(events, st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40))
def test_a_range_is_its_events(kind, events, ranges):
    events = sorted(events, key=lambda event: event[0])
    ranges = [(min(start, len(events)), min(stop, len(events))) for start, stop in ranges]
    starts, stops = (np.array(ends, np.int64) for ends in (zip(*ranges, strict=True) if ranges else ((), ())))
    states = states_of(kind, events)
    for found in (kind.reduce(states, starts, stops), merged_by_doubling(kind, states, starts, stops)):
        assert found.shape == (len(ranges), len(kind.identity))
        for value, (start, stop) in zip(kind.finalise(found), ranges, strict=True):
            assert same(kind, value, expected(kind, events[start:stop]))


@every_kind
@given(st.lists(st.tuples(times, st.floats(-1e300, 1e300)), max_size=10))
def test_one_state_is_finalised_as_many_are_to_the_bit(kind, events):
    with np.errstate(over="ignore", invalid="ignore"):
        state = merged(kind, states_of(kind, events))
        many = kind.finalise(state)[0]
        assert np.array_equal(np.float64(kind.finalise_one(state[0].tolist())), many, equal_nan=True)
        assert np.array_equal(np.float64(WindowAggregate.finalise_one(kind, state[0].tolist())), many, equal_nan=True)


@given(st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=50), st.sampled_from([1e6, 1e9, 1e12]))
def test_the_standard_deviation_of_large_numbers_that_differ_little_is_right(values, far):
    # The textbook formula, the mean of squares less the square of the mean, has no correct digit here.
    kind = nr.std("x", windows=["1h"])
    shifted = [far + value for value in values]
    states = states_of(kind, [(0.0, value) for value in shifted])
    for state in (merged(kind, states), merged_by_doubling(kind, states, np.array([0]), np.array([len(states)]))):
        assert kind.finalise(state)[0] == pytest.approx(statistics.stdev(shifted), rel=1e-6, abs=far * 1e-15)
