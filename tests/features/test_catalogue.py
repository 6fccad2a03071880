"""No feature knows the future: each way to leak is refused, in words that name it."""

import pytest

import noria as nr
from noria.core import DeclarationError
from noria.features import features_of

SCHEMAS = {
    "flights": {
        "scheduled": "timestamp", "carrier": "string", "distance": "float", "dep_delay": "float", "arr_delay": "float",
        "landed": "timestamp", "late": "bool", "planned": "timestamp", "soon": "timestamp",
    },
    "planes": {"carrier": "string", "seats": "int", "built": "date"},
}  # fmt: skip
SPLIT = nr.TimeSplit(train_until="2013-01-01", validate_until="2013-02-01", test_until="2013-03-01")


def flights(**changed):
    fields = {
        "event_time": "landed", "lag": "90m", "known_before": ["scheduled", "carrier", "distance"],
        "columns": {
            "landed": "scheduled + arr_delay * INTERVAL '1 minute'", "late": "arr_delay > 15",
            "planned": "scheduled + INTERVAL '2 hours'", "soon": "planned + INTERVAL '1 hour'",
        },
    }  # fmt: skip
    return nr.Source("flights", "flights.csv", **{**fields, **changed})


planes = nr.Source("planes", "planes.csv")


def checked(source=None, views=None, **spine):
    source = source or flights()
    spine = {"time": "scheduled - INTERVAL '1 hour'", "label": "late", "features": {"distance": "distance"}, **spine}
    views = (
        [nr.FeatureView("carrier", source, keys="carrier", aggregates=[nr.mean("late", windows=["1h"])])]
        if views is None
        else views
    )
    project = nr.Project(
        "late",
        spine=nr.Spine(source, **spine),
        features=views,
        search=nr.Search("binary", split=SPLIT),
        endpoint=nr.Endpoint("late"),
    )
    return features_of(project, SCHEMAS)


def view_of(source, name="other", keys="carrier", **fields):
    return nr.FeatureView(name, source, keys=keys, **fields)


def test_a_project_without_a_leak_has_its_features_in_order():
    source = flights()
    views = [
        view_of(planes, "plane", columns={"seats": "seats", "name": "UPPER(carrier)"}),
        view_of(source, "carrier", aggregates=[
            nr.mean("late", windows=["1h", "7d"]), nr.count(windows=["1h"], where="late")]),
    ]  # fmt: skip
    found = checked(source, views, features={"size": "plane_seats * 2", "who": "carrier"})
    assert [(one.name, one.kind, one.view) for one in found] == [
        ("carrier_late_mean_1h", "number", "carrier"), ("carrier_late_mean_7d", "number", "carrier"),
        ("carrier_count_where_late_1h", "number", "carrier"), ("plane_seats", "number", "plane"),
        ("plane_name", "category", "plane"), ("size", "number", ""), ("who", "category", ""),
    ]  # fmt: skip


LEAKS = {
    "a feature of the question reads what is known later": (
        lambda: checked(features={"delay": "dep_delay"}),
        r"dep_delay is known only at 'landed' \+ 90m, but the question is asked at scheduled - INTERVAL '1 hour'",
    ),
    "it says how to mend that": (
        lambda: checked(features={"delay": "dep_delay"}),
        "aggregate it in a FeatureView, which sees only what is past; if it is known before, say so in known_before",
    ),
    "a name is misspelt": (lambda: checked(features={"d": "distanse"}), "did you mean 'distance'"),
    "the time of the question is known later": (lambda: checked(time="landed"), "landed is known only at"),
    "the answer is what a request carries": (
        lambda: checked(flights(known_before=["scheduled", "carrier", "distance", "late"])),
        "the answer is made from what a request carries",
    ),
    "a key is not carried by a request": (
        lambda: checked(views=[view_of(planes, keys="seats", columns={"x": "seats"})]),
        "a request does not carry the key 'seats'",
    ),
    "an event time is known in advance": (
        lambda: checked(source := flights(event_time="planned"), [
            view_of(source, aggregates=[nr.mean("arr_delay", windows=["1h"])])
        ]),
        "'planned' is known before the event, so arr_delay would be seen before it happened",
    ),
    "it is known in advance by way of another column": (
        lambda: checked(source := flights(event_time="soon"), [
            view_of(source, aggregates=[nr.count(windows=["1h"], where="late")])
        ]),
        "'soon' is known before the event, so arr_delay would be seen before it happened",
    ),
    "a lookup finds the rows that are predicted": (
        lambda: checked(source := flights(event_time=None, lag=0), [
            view_of(source, columns={"x": "arr_delay"})], known="landed"),
        "it looks up the rows that are to be predicted",
    ),
    "the answer can be worked out from what a request carries": (
        lambda: checked(flights(known_before=["scheduled", "carrier", "distance", "arr_delay"])),
        "the answer is made from what a request carries",
    ),
    "nothing says when the answer is known": (
        lambda: checked(flights(event_time=None, lag=0), [view_of(planes, columns={"x": "seats"})]),
        "nothing says when the answer is known",
    ),
}  # fmt: skip
REFUSED = {
    "two features have one name": (
        lambda: checked(views=[view_of(planes, "a", columns={"x": "seats"})], features={"a_x": "distance"}),
        "two features have the same name.*a_x",
    ),
    "there are none": (lambda: checked(views=[], features={}), "there are no features"),
    "a column that is known before is not there": (
        lambda: checked(flights(known_before=["scheduled", "carier", "distance"])), "did you mean 'carrier'",
    ),
    "a label is a number": (lambda: checked(label="arr_delay"), "the label of a binary task is a truth"),
    "the time is a text": (lambda: checked(time="carrier"), "the time of the question is not a timestamp"),
    "a feature is a timestamp": (lambda: checked(features={"x": "scheduled"}), "a number, a truth or a text"),
    "a key is a float": (
        lambda: checked(source := flights(), [view_of(source, keys="distance", aggregates=[nr.count(windows=["1h"])])]),
        "a key is a text, a whole number, a truth or a date.*distance is float",
    ),
    "a key is no column": (
        lambda: checked(views=[view_of(planes, keys="x", columns={"x": "seats"})]),
        "no such key column",
    ),
    "aggregates have no event time": (
        lambda: checked(views=[view_of(planes, aggregates=[nr.count(windows=["1h"])])]),
        "need a source with an event time",
    ),
    "columns have one": (
        lambda: checked(source := flights(), [view_of(source, columns={"x": "late"})]), "without event time",
    ),
    "a mean is of texts": (
        lambda: checked(source := flights(), [view_of(source, aggregates=[nr.mean("carrier", windows=["1h"])])]),
        "mean needs a column of kind bool or int or float.*carrier is string",
    ),
    "a filter is a number": (
        lambda: checked(source := flights(), [
            view_of(source, aggregates=[nr.count(windows=["1h"], where="distance")])]),
        "a filter is true or false.*distance is float",
    ),
    "a hop is longer than its window": (
        lambda: checked(source := flights(), [view_of(source, aggregates=[nr.count(windows=["1h"], hop="2h")])]),
        "a window is shorter than its hop.*2h.*at most 1h",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", [*LEAKS, *REFUSED])
def test_it_is_refused(case):
    declared, words = {**LEAKS, **REFUSED}[case]
    with pytest.raises(DeclarationError, match=f"(?s){words}") as caught:
        declared()
    assert "test_catalogue.py" in str(caught.value.place), "the error names the line"
