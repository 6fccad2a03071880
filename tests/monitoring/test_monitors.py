import dataclasses
import pickle
import subprocess
import sys
from datetime import datetime

import numpy as np
import pytest

from noria.core import UTC, DeclarationError
from noria.declarations import dump, restore
from noria.monitoring import Drift, Performance, PredictionDrift, Window
from noria.training import skill

DAY = 86_400_000_000
NOW = datetime(2013, 12, 8, tzinfo=UTC)


def reference():
    return {
        "features": {
            "hour": {"edges": [0.0, 8.0, 16.0, 24.0], "counts": [30_000, 30_000, 30_000], "nulls": 0},
            "carrier": {"values": ["AA", "UA"], "counts": [40_000, 40_000], "other": 10_000, "nulls": 0},
        },
        "scores": {"edges": [0.0, 0.25, 0.5, 1.0], "counts": [3_000, 3_000, 3_000]},
    }


def window(rows=3000, seed=0, hours=(0, 24), scores=None, labels=None, skill=0.5):
    rng = np.random.default_rng(seed)
    scores = rng.choice([0.1, 0.3, 0.8], rows) if scores is None else scores
    return Window(
        now=NOW,
        times=np.sort(rng.integers(0, 7 * DAY, rows)),
        columns={
            "hour": rng.uniform(*hours, rows),
            "carrier": rng.choice(["AA", "UA", "B6"], rows, p=[4 / 9, 4 / 9, 1 / 9]).tolist(),
        },
        scores=scores,
        labels=np.full(rows, np.nan) if labels is None else labels,
        reference=reference(),
        metric="roc_auc",
        skill=skill,
    )


def test_drift_is_silent_when_nothing_moved():
    assert all(Drift().check(window(seed=seed)) is None for seed in range(20))
    assert all(PredictionDrift().check(window(seed=seed)) is None for seed in range(20))


def test_drift_names_what_moved():
    alarm = Drift(action="retrain").check(window(hours=(14, 24)))
    assert alarm is not None
    assert (alarm.monitor, alarm.at, alarm.action) == ("Drift", NOW, "retrain")
    assert [moved["feature"] for moved in alarm.facts["moved"]] == ["hour"]
    assert "hour" in alarm.text
    assert "carrier" not in alarm.text


def test_a_move_that_does_not_matter_is_no_alarm():
    moved = window(rows=30_000, hours=(0, 22))  # surely moved, but little
    assert Drift(psi=0.25).check(moved) is None
    assert Drift(psi=0.001).check(moved) is not None


def test_too_few_rows_are_not_judged():
    assert Drift().check(window(rows=400, hours=(14, 24))) is None


def test_predictions_that_moved():
    alarm = PredictionDrift().check(window(scores=np.full(3000, 0.9)))
    assert alarm is not None
    assert alarm.facts["mean"] == pytest.approx(0.9)
    assert alarm.action == "alarm"


def answered(rows, quality, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.3).astype(np.float64)
    return labels, np.clip(0.3 + quality * (labels - 0.3) + 0.3 * rng.normal(size=rows), 0, 1)


def test_performance_falls_below_the_sealed_test():
    labels, scores = answered(3000, quality=0.1)
    alarm = Performance().check(window(labels=labels, scores=scores, skill=0.6))
    assert alarm is not None
    assert alarm.facts["high"] < alarm.facts["limit"] == pytest.approx(0.54)
    labels, scores = answered(3000, quality=0.6)
    assert Performance().check(window(labels=labels, scores=scores, skill=0.6)) is None


def test_performance_against_a_limit_in_units_of_the_metric():
    labels, scores = answered(3000, quality=0.3)
    seen = window(labels=labels, scores=scores)
    assert Performance(retrain_below=0.99).check(seen) is not None
    assert Performance(retrain_below=0.5).check(seen) is None


@pytest.mark.parametrize("metric", ["average_precision", "roc_auc", "log_loss"])
@pytest.mark.parametrize("limit", [{"retrain_below": 1.0}, {"drop": 0.0}])
def test_the_score_lies_in_its_interval_however_sure_a_wrong_answer_was(metric, limit):
    labels, scores = answered(3000, quality=0.3)
    assert ((scores == 0) & (labels == 1)).any()
    seen = dataclasses.replace(window(labels=labels, scores=scores, skill=1.0), metric=metric)
    facts = Performance(**limit).check(seen).facts
    assert facts["low"] < facts["value"] < facts["high"]
    assert facts["of"] == ("skill" if "drop" in limit else metric)
    if facts["of"] == metric:
        assert facts["value"] == pytest.approx(facts["score"])
    else:
        assert facts["value"] == pytest.approx(float(skill(metric, facts["score"], facts["positive"])))


def test_unknown_answers_are_left_out():
    labels, scores = answered(3000, quality=0.1)
    labels[200:] = np.nan
    assert Performance().check(window(labels=labels, scores=scores, skill=0.9)) is None


def test_one_answer_only_is_not_judged():
    assert Performance().check(window(labels=np.zeros(3000), skill=0.9)) is None


@pytest.mark.parametrize("kind", [Drift, PredictionDrift, Performance])
def test_monitors_are_data(kind):
    monitor = kind(window="3d", every="12h", action="retrain")
    assert restore(dump(monitor)) == monitor
    assert pickle.loads(pickle.dumps(monitor)) == monitor
    assert kind.__doc__
    with pytest.raises(DeclarationError):
        kind(rows=-1)
    with pytest.raises(DeclarationError, match="has no 'colour'"):
        kind(colour="red")


def test_monitors_are_declared_without_a_heavy_import():
    code = "import sys, noria.monitoring; print([m for m in ('numpy', 'scipy', 'polars') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
