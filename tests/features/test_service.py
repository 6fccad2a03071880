"""The request path: what a request may carry, and what is worked out when it comes."""

import json
import math
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

import noria as nr
from noria.core import DataError, IntegrityError
from noria.declarations import dump, restore
from noria.expressions import polars_kinds
from noria.features import FeatureService, features_of, joined, open_store, plans_of
from noria.features.fill import fill

AT = 10**15
SPLIT = nr.TimeSplit(train_until="2013-01-01", validate_until="2013-02-01", test_until="2013-03-01")
planes = nr.Source("planes", "planes.csv")
asked = nr.Source(
    "asked", "asked.csv", event_time="known",
    known_before=["asked", "tail", "number", "day", "share", "big", "unread"],
)  # fmt: skip
project = nr.Project(
    "small", search=nr.Search("binary", split=SPLIT), endpoint=nr.Endpoint("small"),
    features=[nr.FeatureView("plane", planes, keys="tail", columns={
        "seats": "seats / 3", "maker": "maker", "weight": "weight", "big": "seats > 100"})],
    spine=nr.Spine(asked, time="asked", label="label", features={
        "third": "plane_seats * 3", "by": "COALESCE(plane_maker, 'nobody') || '-' || CAST(number AS VARCHAR)",
        "weekday": "EXTRACT(ISODOW FROM day)",
        "known": "plane_weight IS NOT NULL", "hour": "EXTRACT(HOUR FROM asked)", "share": "share", "truth": "big"}),
)  # fmt: skip
plane_rows = pl.DataFrame({
    "_row": [1, 2, 3, 4, 5], "tail": ["N1", "N2", None, "N1", "Ñ 東"], "seats": [10, 200, 3, 99, None],
    "maker": ["a", None, "c", "d", "東京"], "weight": [0.1, math.nan, 1.0, 2.0, math.inf],
})  # fmt: skip
questions = pl.DataFrame({
    "_row": range(1, 6), "asked": [datetime(2013, 11, 3, hour, tzinfo=UTC) for hour in (0, 5, 6, 23, 7)],
    "tail": ["N1", "N2", "Ñ 東", None, "N9"], "number": [1, None, 2**53 + 1, -(2**63), 0],
    "day": [date(2013, 1, 1), None, date(2012, 2, 29), date(1970, 1, 1), date(2013, 12, 31)],
    "share": [0.1, math.nan, None, math.inf, 1e300], "big": [True, None, False, True, False], "unread": ["x"] * 5,
    "label": [True] * 5, "known": [datetime(2014, 1, 1, tzinfo=UTC)] * 5,
}).with_columns(pl.col("asked", "known").dt.cast_time_unit("us"))  # fmt: skip
SCHEMAS = {"planes": polars_kinds(plane_rows.schema), "asked": polars_kinds(questions.schema)}


@pytest.fixture
def store(tmp_path):
    store = open_store(f"lmdb://{tmp_path}/online")
    (plan,) = plans_of(project.features, SCHEMAS)
    fill(plan, plane_rows, store, AT)
    yield store
    store.close()


@pytest.fixture
def service(store):
    return FeatureService(project.spine, project.features, SCHEMAS, store)


def requests():
    return questions.select(asked.known_before).to_dicts()


def plain(values):
    return [None if value is None or value != value else value for value in list(values)]


def test_lookups_and_features_of_the_question_are_those_of_training(service):
    features = features_of(project, SCHEMAS)
    tables = {"planes": plane_rows.lazy(), "asked": questions.lazy()}
    frame = joined(project, tables, plans_of(project.features, SCHEMAS), SCHEMAS, features).sort("_row")
    found = service.columns(requests(), AT)
    assert list(found) == [feature.name for feature in features] == [feature.name for feature in service.features]
    for feature in features:
        assert plain(found[feature.name]) == frame[feature.name].to_list(), feature.name
    assert found["third"][0] == np.float32(float(np.float32(10 / 3)) * 3)


def test_numbers_are_float32_arrays_and_texts_are_lists(service):
    found = service.columns(requests(), AT)
    assert {name for name, values in found.items() if isinstance(values, list)} == {"plane_maker", "by"}
    assert {values.dtype for values in found.values() if not isinstance(values, list)} == {np.dtype(np.float32)}
    assert {len(values) for values in found.values()} == {5}
    assert all(len(values) == 0 for values in service.columns([], AT).values())


def test_one_by_one_is_as_all_at_once(service):
    together = service.columns(requests(), AT)
    for place, request in enumerate(requests()):
        for name, values in service.columns([request], AT).items():
            assert plain(values) == plain([together[name][place]])


def test_a_request_in_json_is_as_one_in_python(service):
    carried = {**requests()[0], "share": 0.5}
    as_json = json.loads(json.dumps(carried, default=lambda value: value.isoformat()))
    assert isinstance(as_json["asked"], str)
    found = service.columns([as_json], AT)
    assert {name: plain(values) for name, values in found.items()} == {
        name: plain(values) for name, values in service.columns([carried], AT).items()
    }


def test_what_a_request_lacks_is_null(service):
    found = service.columns([{"tail": None}], AT)
    assert plain(found["plane_seats"]) == plain(found["share"]) == [None]
    assert found["plane_maker"] == [None]


def test_a_request_of_unknown_names_is_refused(service):
    with pytest.raises(DataError, match="unknown column") as caught:
        service.columns([{"tail": "N1", "tial": "N1"}], AT)
    assert caught.value.mend == "did you mean 'tail'?"
    with pytest.raises(DataError, match="carries nothing"):
        service.columns([{}], AT)


@pytest.mark.parametrize(("name", "value"), [
    ("tail", 7), ("tail", True), ("number", "7"), ("number", 7.5), ("number", True), ("number", 2**63),
    ("number", 10**400), ("number", math.nan), ("share", "0.1"), ("share", True), ("share", 10**400), ("big", 1),
    ("big", "true"), ("asked", "yesterday"), ("asked", 5), ("day", "2013-13-01"), ("tail", ["N1"]), ("share", {}),
    ("day", datetime(2013, 1, 1, tzinfo=UTC)),
], ids=lambda value: str(value)[:12])  # fmt: skip
def test_a_value_of_the_wrong_type_is_refused_by_name(service, name, value):
    with pytest.raises(DataError, match="wrong type") as caught:
        service.columns([{**requests()[0], name: value}], AT)
    assert name in str(caught.value)


def test_it_is_made_from_what_a_package_holds(store, service):
    spine, views = (
        restore(json.loads(json.dumps(said))) for said in (dump(project.spine), [dump(v) for v in project.features])
    )
    packed = FeatureService(spine, views, SCHEMAS, store)
    assert packed.features == service.features
    assert plain(packed.columns(requests(), AT)["plane_seats"]) == plain(service.columns(requests(), AT)["plane_seats"])


def test_filling_again_forgets_who_is_gone(store, service):
    (plan,) = plans_of(project.features, SCHEMAS)
    assert fill(plan, plane_rows.filter(pl.col("tail") == "N2"), store, AT) == 1
    assert plain(service.columns(requests(), AT)["plane_seats"])[0] is None


def test_versions_with_different_views_do_not_read_each_others_states(store, service):
    before = plain(service.columns(requests(), AT)["plane_seats"])
    other = project.features[0].replace(columns={"seats": "seats * 1000"})
    (plan,) = plans_of([other], SCHEMAS)
    fill(plan, plane_rows, store, AT)
    assert plain(service.columns(requests(), AT)["plane_seats"]) == before
    spine = project.spine.replace(features={})
    assert FeatureService(spine, [other], SCHEMAS, store).columns(requests(), AT)["plane_seats"][0] == 10_000


@pytest.mark.parametrize("value", [b"", b"123", b"\0" * 16, bytes(range(200)), b"\2" + b"\0" * 15 + b"\xff" * 8])
def test_a_stored_value_that_is_damaged_is_an_error_that_names_its_view(store, value):
    events = nr.Source("events", "events.csv", event_time="time")
    view = nr.FeatureView("v", events, keys="tail", aggregates=[nr.count(windows=["1h"]), nr.std("x", windows=["1d"])])
    schemas = {**SCHEMAS, "events": {"time": "timestamp", "tail": "string", "x": "float"}}
    (plan,) = plans_of([view], schemas)
    store.write({(plan.address, b"N1"): value})
    service = FeatureService(project.spine.replace(features={}), [view], schemas, store)
    with pytest.raises(IntegrityError, match="view v"):
        service.columns([{"tail": "N1"}], AT)
