import csv
import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import noria

REQUEST = ("depot=north", "courier=c03", "distance_km=3.5", "sent=2025-04-20T09:00")


def test_the_features_of_the_model_in_its_order(lived):
    listed = noria("features", "list", "--project", lived)
    assert listed.returncode == 0, listed.stderr
    told = json.loads(noria("features", "list", "--project", lived, "--json").stdout)
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [one["name"] for one in told]
    assert [line.split()[1] for line in listed.stdout.splitlines()] == [one["kind"] for one in told]
    training = next((lived / ".noria" / "packages").iterdir()) / "manifest.json"
    assert [one["name"] for one in told] == [one["name"] for one in json.loads(training.read_text())["features"]]


def test_they_are_listed_before_anything_was_run(project_file):
    listed = noria("features", "list", "--project", project_file)
    assert listed.returncode == 0, listed.stderr
    assert "courier_late_mean_7d" in listed.stdout
    assert not (project_file.parent / ".noria").exists()


def test_what_was_served_at_a_past_time_is_what_the_rows_say(lived):
    at = datetime(2025, 4, 20, 9)
    done = noria("features", "get", *REQUEST, "--at", at.isoformat(), "--project", lived, "--json")
    served = json.loads(done.stdout)
    with open(lived / "data" / "parcels.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["courier"] == "c03" and float(row["weight_kg"]) >= 0]
    seen = [row for row in rows if row["delivered"] and at - timedelta(days=1) <= time(row["delivered"]) < at]
    late = [time(row["delivered"]) > time(row["promised"]) for row in seen]
    assert served["courier_count_1d"] == len(seen) > 0
    assert served["courier_late_mean_1d"] == pytest.approx(sum(late) / len(late), rel=1e-6)
    assert (served["hour"], served["distance_km"], served["depot"]) == (9.0, 3.5, "north")
    assert served["weight_kg"] is None
    assert (
        "not given, so null: parcel, weight_kg, promised"
        in noria("features", "get", *REQUEST, "--project", lived).stderr
    )


def time(text):
    return datetime.fromisoformat(text)


def test_now_is_asked_of_the_store_itself(lived):
    served = json.loads(noria("features", "get", *REQUEST, "--project", lived, "--json").stdout)
    assert served["courier_count_1d"] == 0  # the data are long past
    assert served["person_vehicle"] in ("bike", "van")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("depo=north",), "did you mean 'depot'?"),
        (("depot",), "KEY=VALUE"),
        (("late=true",), "KEY=VALUE with one of parcel, depot"),
        (("distance_km=far",), "distance_km is a float"),
        (("depot=a", "depot=b"), "given twice"),
        (("depot=a", "--at", "noon"), "not a time"),
    ],
)
def test_a_request_that_cannot_be_is_refused(lived, arguments, said):
    done = noria("features", "get", *arguments, "--project", lived)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_store_that_was_never_filled_is_said(project_file):
    done = noria("features", "get", "depot=north", "--project", project_file)
    assert done.returncode == 8
    assert "Traceback" not in done.stderr
    done = noria("features", "get", "depot=north", "--at", "2025-04-20", "--project", project_file)
    assert done.returncode == 2
    assert "noria run" in done.stderr
