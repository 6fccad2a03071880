"""Training, the stream and requests are one: each gives what the oracle says, on random events and questions."""

import math
import tempfile
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.features.worlds import (
    MINUTE,
    SCHEMAS,
    START,
    aggregates,
    asked_frame,
    event_frame,
    keys,
    moments,
    parts,
    rows,
    world,
)

import noria as nr
from noria.core import DeclarationError
from noria.features import (
    Count,
    FeatureService,
    StreamWorker,
    WindowAggregate,
    features_of,
    joined,
    open_store,
    plans_of,
)
from noria.features.aggregates.algebra import merged_by_doubling
from noria.features.fill import fill
from noria.features.views import view_plan
from noria.features.windows import WindowReader
from noria.testing import VALUES, view_values

questions = st.lists(st.tuples(moments, keys, parts), max_size=15)
lags = st.sampled_from([0, 0, 1, 5 * MINUTE, 90 * MINUTE])
view_keys = st.sampled_from([("key",), ("part",), ("key", "part")])
slowly = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def training_set(project, rows, questions):
    """The batch path, row by row in the order of the questions."""
    tables = {"events": event_frame(rows).lazy(), "asked": asked_frame(questions).lazy()}
    features = features_of(project, SCHEMAS)
    frame = joined(project, tables, plans_of(project.features, SCHEMAS), SCHEMAS, features)
    return frame.sort("_row").select(feature.name for feature in features).to_dicts()


def service_of(project, store):
    return FeatureService(project.spine, project.features, SCHEMAS, store)


def answered(service, question):
    """The request path."""
    at, key, part = question
    found = service.columns([{"key": key, "part": part}], at)
    return {name: None if (value := float(values[0])) != value else value for name, values in found.items()}


def oracle(project, rows, question):
    at, key, part = question
    return view_values(project.features[0], SCHEMAS["events"], rows, {"key": key, "part": part}, at)


def exact(project, name):
    """Whether a feature's states are whole numbers, or single values: then there is nothing to round."""
    (view,) = project.features
    plan = view_plan(view, SCHEMAS["events"])
    track = next((plan.tracks[one.track] for one in plan.windowed if one.name == name), None)
    if track is None:  # a feature of the spine
        return True
    summed = track.kind.kind in ("sum", "mean", "std")
    real = track.column is not None and track.column.kind(SCHEMAS["events"]) == "float"
    return track.kind.kind != "std" and not (summed and real)


def assert_same(project, found, expected, *, single=True):
    """Whole numbers are equal; others to 1e-9, and to what is left of that in float32."""
    for name, value in expected.items():
        got = found[name]
        if value is None or got is None:
            assert got == value, name
        elif exact(project, name):
            assert got == (float(np.float32(value)) if single else value), name
        else:
            assert math.isclose(got, value, rel_tol=1.2e-7 if single else 1e-9, abs_tol=1e-6), name


@slowly
@given(aggregates(), rows(), questions, lags, view_keys)
def test_the_training_set_is_what_the_oracle_says(aggregates, rows, questions, lag, view_keys):
    project = world(aggregates, lag, view_keys)
    for found, question in zip(training_set(project, rows, questions), questions, strict=True):
        assert_same(project, found, oracle(project, rows, question))


@slowly
@given(st.data(), aggregates(), rows(), questions, lags, view_keys)
def test_the_stream_gives_at_each_question_what_training_sees(data, aggregates, rows, questions, lag, view_keys):
    assert_the_stream_gives_what_training_sees(data, world(aggregates, lag, view_keys), rows, questions, lag)


def assert_the_stream_gives_what_training_sees(data, project, rows, questions, lag):
    delay = data.draw(st.integers(0, lag), label="how long after it happened an event arrives")
    rows = sorted((row for row in rows if row["time"] is not None), key=lambda row: row["time"])
    questions = sorted(questions, key=lambda question: question[0])
    expected = training_set(project, rows, questions)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"lmdb://{folder}")
        worker, service = StreamWorker(project, SCHEMAS, store), service_of(project, store)
        applied = 0
        for question, values in zip(questions, expected, strict=True):
            while applied < len(rows) and rows[applied]["time"] + delay < question[0]:
                arrived = [row for row in rows[applied:] if row["time"] + delay < question[0]]
                some = arrived[: data.draw(st.integers(1, len(arrived)), label="events at once")]
                soon = some[-1]["time"] + delay + 1
                now = data.draw(st.sampled_from([soon, question[0]]), label="now") if some == arrived else soon
                assert worker.apply([("events", as_row(row)) for row in some], now) == len(some)
                applied += len(some)
            found = answered(service, question)
            assert_same(project, found, values)
            assert_same(project, found, oracle(project, rows, question))
        store.close()


class Spread(WindowAggregate):
    """How far the values lie apart: a kind that Noria does not have."""

    kind = "spread"
    identity = (-math.inf, -math.inf)

    def init(self, values, times):
        return np.column_stack([values, -values])

    def reduce(self, states, starts, stops):
        return merged_by_doubling(self, states, starts, stops)

    def merge(self, left, right):
        return np.maximum(left, right)

    def finalise(self, states):
        return np.where(np.isfinite(states[:, 0]), states[:, 0] + states[:, 1], np.nan)


class Seen(Spread):
    """Whether there was anything: it takes any column, or none."""

    kind = "seen"
    takes = ()
    needs_column = False

    def finalise(self, states):
        return np.isfinite(states[:, 0]).astype(np.float64)


OTHERS = {"spread": lambda values: max(values) - min(values) if values else None, "seen": lambda values: bool(values)}


@slowly
@given(st.data(), rows(), questions, lags, st.sampled_from(["", "key", "real", "truth"]))
def test_a_kind_from_elsewhere_is_the_same_in_every_path(data, rows, questions, lag, column):
    found = [
        Spread("real", windows=["5m", "1d"], where="NOT truth OR whole IS NULL"),
        Spread("truth", windows=["1h"]),
        Seen(column, windows=["7m", "12d"]),
    ]
    with mock.patch.dict(VALUES, OTHERS):
        assert_the_stream_gives_what_training_sees(data, world(found, lag), rows, questions, lag)


class Above(Count):
    """How many values lie above a limit: a kind with a parameter of its own."""

    kind = "above"
    takes = ("int", "float")
    limit: float

    def init(self, values, times):
        return (values > self.limit).astype(np.float64)[:, None]


@slowly
@given(rows(), questions)
def test_kinds_that_differ_in_a_parameter_keep_states_of_their_own(rows, questions):
    limits = (0, 2**39)
    found = [Above("whole", windows=["1h"], limit=limit, name=f"above{limit}") for limit in limits]
    counts = [nr.count(windows=["1h"], where=f"whole > {limit}", name=f"count{limit}") for limit in limits]
    project = world([*found, *counts])
    trained = training_set(project, rows, questions)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"lmdb://{folder}")
        now = max([row["time"] for row in rows if row["time"] is not None], default=0) + 1
        StreamWorker(project, SCHEMAS, store).apply([("events", as_row(row)) for row in rows], now)
        service = service_of(project, store)
        asked = [answered(service, (max(at, now), key, part)) for at, key, part in questions]
        store.close()
    for values in (*trained, *asked):
        for limit in limits:
            assert values[f"v_above{limit}_1h"] == values[f"v_count{limit}_1h"]


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (Spread("", windows=["1h"]), "spread needs a column"),
        (Spread("key", windows=["1h"]), "spread needs a column of kind bool or int or float.*key is string"),
    ],
)
def test_a_kind_from_elsewhere_refuses_what_it_cannot_take(one, said):
    with pytest.raises(DeclarationError, match=f"(?s){said}"):
        view_plan(world([one]).features[0], SCHEMAS["events"])


def as_row(row):
    """A row as a source gives it: times are datetimes."""
    from noria.core import from_micros

    return {**row, "time": None if row["time"] is None else from_micros(row["time"])}


@slowly
@given(st.data(), aggregates(), rows(), st.lists(st.tuples(keys, parts), max_size=5), lags)
def test_late_events_in_any_order_count_once_they_are_there(data, aggregates, rows, entities, lag):
    project = world(aggregates, lag)
    plan = view_plan(project.features[0], SCHEMAS["events"])
    reader = WindowReader(plan)
    last = max([row["time"] for row in rows if row["time"] is not None], default=0)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite://{folder}/store")
        worker = StreamWorker(project, SCHEMAS, store)
        now = data.draw(moments, label="the first arrival")
        todo = [("events", as_row(row)) for row in rows]
        while todo:
            some, todo = todo[: (cut := data.draw(st.integers(1, len(todo)), label="events at once"))], todo[cut:]
            worker.apply(some, now)
            now += data.draw(st.sampled_from([0, 1, MINUTE, 60 * MINUTE]), label="until the next arrival")
        for at in (now, now + 3 * MINUTE, max(now, last + lag + 1)):
            for key, part in entities:
                stored = store.read([(plan.address, key.encode())])[0] if key is not None else None
                names = [one.name for one in plan.windowed]
                found = {n: None if v != v else v for n, v in zip(names, reader.values(stored, at), strict=True)}
                assert_same(project, found, oracle(project, rows, (at, key, part)), single=False)
        store.close()


@slowly
@given(st.data(), aggregates(), rows(), questions, lags, view_keys)
def test_a_store_that_was_filled_gives_what_training_sees(data, aggregates, rows, questions, lag, view_keys):
    project = world(aggregates, lag, view_keys)
    now = data.draw(moments, label="when it was filled")
    questions = [(max(at, now), key, part) for at, key, part in questions]
    (plan,) = plans_of(project.features, SCHEMAS)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"lmdb://{folder}")
        fill(plan, event_frame(rows), store, now)
        service = service_of(project, store)
        for question, values in zip(questions, training_set(project, rows, questions), strict=True):
            assert_same(project, answered(service, question), values)
        # The stream goes on where the tables end.
        more = data.draw(st.lists(st.tuples(st.integers(0, 90 * MINUTE), keys), max_size=5), label="later events")
        new = [
            {"key": key, "part": 1, "whole": 7, "real": 0.5, "truth": True, "time": now - lag + after}
            for after, key in more
        ]
        StreamWorker(project, SCHEMAS, store).apply([("events", as_row(row)) for row in new], now)
        for at, key, part in questions:
            later = (at + 60 * MINUTE, key, part)
            assert_same(project, answered(service, later), oracle(project, rows + new, later))
        store.close()


def test_an_event_sees_nothing_of_itself_and_of_its_equals():
    project = world([nr.count(windows=["5m"])])
    rows = [{"key": "a", "part": 0, "whole": 1, "real": 1.0, "truth": True, "time": time} for time in (0, 0, 1)]
    counts = [row["v_count_5m"] for row in training_set(project, rows, [(at, "a", 0) for at in (0, 1, 2)])]
    assert counts == [0, 2, 3]


@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_of_events_at_one_time_the_order_of_arrival_decides(at_once):
    project = world([nr.first("whole", windows=["1h"]), nr.last("whole", windows=["1h"])])
    rows = [
        {"key": "a", "part": 0, "whole": whole, "real": 0.0, "truth": True, "time": time}
        for time, whole in ((START, 3), (START, 1), (START + 1, 4), (START + 1, 2))
    ]
    expected = {"v_whole_first_1h": 3.0, "v_whole_last_1h": 2.0, "part": 0.0}
    assert training_set(project, rows, [(START + 2, "a", 0)]) == [expected]
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"lmdb://{folder}")
        worker = StreamWorker(project, SCHEMAS, store)
        for first in range(0, 4, at_once):
            worker.apply([("events", as_row(row)) for row in rows[first : first + at_once]], START + 2)
        assert answered(service_of(project, store), (START + 2, "a", 0)) == expected
        store.close()


def test_an_empty_window_counts_zero_and_says_nothing_else():
    kinds = [
        nr.count(windows=["1h"]),
        *(getattr(nr, name)("real", windows=["1h"]) for name in ("sum", "mean", "min", "max", "std", "first", "last")),
    ]
    project = world(kinds)
    for key in ("nobody", None):
        (row,) = training_set(project, [], [(0, key, 0)])
        del row["part"]
        assert row.pop("v_count_1h") == 0
        assert set(row.values()) == {None}


@pytest.mark.parametrize("year", [1900, 1969, 2013, 2254])
def test_any_century_is_exact_to_the_microsecond(year):
    from datetime import datetime

    from noria.core import UTC, to_micros

    at = to_micros(datetime(year, 7, 1, 12, tzinfo=UTC)) + 1
    project = world([nr.count(windows=["1h"]), nr.last("whole", windows=["1h"])])
    rows = [{"key": "a", "part": 0, "whole": n, "real": 0.0, "truth": True, "time": at + n} for n in (-2, -1, 0, 1)]
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"lmdb://{folder}")
        StreamWorker(project, SCHEMAS, store).apply([("events", as_row(row)) for row in rows], at)
        found = answered(service_of(project, store), (at, "a", 0))
        store.close()
    assert found == training_set(project, rows, [(at, "a", 0)])[0]
    assert (found["v_count_1h"], found["v_whole_last_1h"]) == (2, -1)


def test_an_event_in_the_far_future_waits_and_does_no_harm():
    project = world([nr.count(windows=["1h"])])
    now = 10**15
    rows = [
        {"key": "a", "part": 0, "whole": 1, "real": 0.0, "truth": True, "time": time} for time in (now - 1, 9 * 10**15)
    ]
    (plan,) = plans_of(project.features, SCHEMAS)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"lmdb://{folder}")
        fill(plan, event_frame(rows), store, now)
        assert answered(service_of(project, store), (now, "a", 0))["v_count_1h"] == 1
        StreamWorker(project, SCHEMAS, store).apply([("events", as_row(row)) for row in rows], now + 1)
        assert answered(service_of(project, store), (now + 1, "a", 0))["v_count_1h"] == 2
        store.close()


def test_very_many_keys_over_a_very_long_time_are_told_apart():
    # Key and time together no longer fit a 64-bit number.
    project = world([nr.count(windows=["1h"])], view_keys=("part",))
    century = 100 * 366 * 86400 * 10**6
    rows = [
        {"key": "a", "part": 0, "whole": 1, "real": 0.0, "truth": True, "time": time} for time in (-century, century)
    ]
    asked = [(time, "a", part) for part in range(5000) for time in (-century + 1, century + 1)]
    counts = [row["v_count_1h"] for row in training_set(project, rows, asked)]
    assert counts == [1, 1] + [0] * (len(asked) - 2)


def test_a_column_named_key_is_counted_as_it_is(tmp_path):
    """By another key than its own: the join once took the entity's key for the column."""
    project = world([nr.count("key", windows=["5m"], name="n0")], 0, ("part",))
    moment = 1_385_856_000_000_000
    rows = [{"key": key, "part": 1, "whole": 0, "real": 0.0, "truth": None, "time": moment} for key in ("a", None, "b")]
    question = (moment + 1, "a", 1)
    [found] = training_set(project, rows, [question])
    assert found["v_n0_5m"] == oracle(project, rows, question)["v_n0_5m"] == 2
