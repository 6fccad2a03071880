import json

import numpy as np
import pytest

from noria.rehearsal.canary import Arm, decide
from noria.rehearsal.compare import compare

DAY = 86_400_000_000


def asked(rows=4000, days=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.3).astype(np.float64)
    good = np.clip(0.3 + 0.4 * (labels - 0.3) + 0.2 * rng.normal(size=rows), 0, 1)
    return np.sort(rng.integers(0, days * DAY, rows)), labels, good, rng.random(rows)


def arm(labels, scores):
    return Arm(np.arange(len(labels)), labels, scores)


def test_days_add_up_to_the_period():
    times, labels, good, bad = asked()
    labels[:100] = np.nan
    found = compare("roc_auc", times, labels, bad, good)
    assert [day["day"] for day in found["days"]] == ["1970-01-01", "1970-01-02", "1970-01-03", "1970-01-04"]
    for count in ("rows", "answered", "positives"):
        assert sum(day[count] for day in found["days"]) == found["overall"][count]
    assert found["overall"]["answered"] == found["overall"]["rows"] - 100
    assert found["overall"]["difference"]["low"] > 0.2


def test_the_same_version_differs_by_nothing():
    times, labels, good, _ = asked()
    overall = compare("average_precision", times, labels, good, good)["overall"]
    assert overall["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_a_day_without_positives_has_no_score():
    times, labels, good, bad = asked()
    labels[times < DAY] = 0
    first = compare("roc_auc", times, labels, bad, good)["days"][0]
    assert first["score_frozen"] is first["score_retrained"] is first["difference"] is None


@pytest.mark.parametrize("metric", ["average_precision", "roc_auc", "log_loss"])
def test_a_day_of_few_rows_has_figures_that_are_json(metric):
    times, labels, good, bad = asked()
    lone = (times >= DAY) | (np.cumsum(times < DAY) <= 2)
    times, labels, good, bad = times[lone], labels[lone], good[lone], bad[lone]
    labels[:2] = 0, 1
    found = compare(metric, times, labels, bad, good)
    json.dumps(found, allow_nan=False)
    first, second = found["days"][:2]
    assert first["rows"] == 2
    assert first["difference"]["value"] == pytest.approx(first["score_retrained"] - first["score_frozen"])
    assert second["difference"]["low"] < second["difference"]["value"] < second["difference"]["high"]


def test_a_canary_that_is_surely_worse_is_rolled_back():
    _, labels, good, bad = asked()
    verdict = decide("roc_auc", arm(labels[:3000], good[:3000]), arm(labels[3000:], bad[3000:]))
    assert not verdict.promote
    assert verdict.facts["difference"]["high"] < 0
    assert "surely worse" in verdict.text


def test_a_canary_that_is_alike_goes_on():
    _, labels, good, _ = asked()
    assert decide("roc_auc", arm(labels[:3600], good[:3600]), arm(labels[3600:], good[3600:])).promote


@pytest.mark.parametrize("rows", [0, 1])
def test_nothing_known_speaks_against_nobody(rows):
    _, labels, good, _ = asked()
    verdict = decide("roc_auc", arm(labels, good), arm(labels[:rows], good[:rows]))
    assert verdict.promote
    assert verdict.facts["rows"]["challenger"] == rows
