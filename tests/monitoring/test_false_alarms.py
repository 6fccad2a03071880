"""How often monitors cry wolf, and whether they see each kind of wolf: many windows, drawn from known worlds."""

import json
from datetime import datetime

import numpy as np
import pytest

from noria.core import UTC, DataError
from noria.models import Category
from noria.monitoring import Drift, Performance, PredictionDrift, Window
from noria.training import score, skill
from noria.training.reference import reference_of
from noria.training.rows import Rows

DAY = 86_400_000_000
NOW = datetime(2013, 12, 8, tzinfo=UTC)
LEVELS = tuple(f"c{place:02d}" for place in range(12))


def drawn(rng, rows):
    """Columns and scores of a world that does not change: a normal, a skewed, a whole number with nulls, a category."""
    share = 0.8 ** np.arange(len(LEVELS))
    whole = rng.integers(0, 24, rows).astype(float)
    whole[rng.random(rows) < 0.1] = np.nan
    return {
        "normal": rng.normal(size=rows), "skewed": rng.exponential(size=rows), "whole": whole,
        "flag": (rng.random(rows) < 0.02).astype(float),
        "carrier": np.array(LEVELS, object)[rng.choice(len(LEVELS), rows, p=share / share.sum())],
    }, rng.beta(2, 8, rows)  # fmt: skip


def reference(rows=30_000):
    columns, scores = drawn(np.random.default_rng(10**6), rows)
    names = [name for name in columns if name != "carrier"]
    codes = np.searchsorted(LEVELS, columns["carrier"].astype(str)).astype(np.int32)
    numbers = np.column_stack([columns[name] for name in names]).astype(np.float32)
    plain = np.zeros(rows, np.int64)
    validation = Rows(
        tuple(names), ("carrier",), numbers, (Category(codes, LEVELS),), plain.astype(np.int8), plain, plain
    )
    return reference_of(validation, scores)


REFERENCE = reference()


def window(seed, rows=2000, days=7, change=None, **fields):
    rng = np.random.default_rng(seed)
    columns, scores = drawn(rng, rows)
    given = {
        "now": NOW, "times": np.sort(rng.integers(0, days * DAY, rows)), "columns": columns, "scores": scores,
        "labels": np.full(rows, np.nan), "reference": REFERENCE, **fields,
    }  # fmt: skip
    if change is not None:
        change(rng, given)
    return Window(**given)


@pytest.mark.parametrize("days", [1, 3, 7, 30])
def test_where_nothing_moves_alarms_are_as_rare_as_alpha_says(days):
    """Without the second threshold, so that only chance raises alarms: alpha, and the slack of 400 windows."""
    drift, answers = Drift(psi=1e-9, alpha=0.05), PredictionDrift(psi=1e-9, alpha=0.05)
    windows = [window(seed, days=days) for seed in range(400)]
    assert np.mean([drift.check(seen) is not None for seen in windows]) <= 0.075
    assert np.mean([answers.check(seen) is not None for seen in windows]) <= 0.075


def test_with_both_thresholds_there_is_none():
    assert not [seed for seed in range(200) if Drift().check(window(seed)) or PredictionDrift().check(window(seed))]


def test_days_with_a_weather_of_their_own_are_no_drift():
    """Each day has its level, as in training; seven of them are not the whole year, but no alarm either."""
    rng = np.random.default_rng(0)
    level = rng.normal(0, 0.7, 3000)
    rows = np.repeat(level, 10) + rng.normal(0, 0.7, 30_000)
    plain = np.zeros(len(rows), np.int64)
    validation = Rows(("x",), (), rows.astype(np.float32)[:, None], (), plain.astype(np.int8), plain, plain)
    left = reference_of(validation, rng.random(len(rows)))

    def windy(seed):
        rng = np.random.default_rng(seed)
        values = np.repeat(rng.normal(0, 0.7, 7), 300) + rng.normal(0, 0.7, 2100)
        times = np.repeat(np.arange(7), 300) * DAY
        return Window(NOW, times, {"x": values}, rng.random(2100), np.full(2100, np.nan), left)

    monitor = Drift(psi=1e-9, alpha=0.01)
    assert np.mean([monitor.check(windy(seed)) is not None for seed in range(300)]) <= 0.05


def moved(name, values):
    def change(rng, given):
        given["columns"][name] = values(rng, given["columns"][name])

    return change


def some(share, value):
    def values(rng, old):
        new = old.copy()
        new[rng.random(len(old)) < share] = value
        return new

    return values


KINDS = {
    "mean": ("normal", lambda rng, old: old + 0.7),
    "spread": ("normal", lambda rng, old: old * 2.2),
    "two humps": ("normal", lambda rng, old: old + rng.choice([-1.3, 1.3], len(old))),
    "tail": ("skewed", lambda rng, old: np.where(rng.random(len(old)) < 0.3, old * 20, old)),
    "unit": ("skewed", lambda rng, old: old * 1000),
    "nulls": ("whole", some(0.45, np.nan)),
    "all null": ("whole", lambda rng, old: np.full(len(old), np.nan)),
    "no nulls": ("whole", lambda rng, old: np.nan_to_num(old, nan=12.0) * 0 + 12.0),
    "constant": ("skewed", lambda rng, old: np.full(len(old), 1.0)),
    "infinite": ("normal", some(0.4, np.inf)),
    "flag": ("flag", lambda rng, old: (rng.random(len(old)) < 0.3).astype(float)),
    "new category": ("carrier", some(0.2, "never seen")),
    "another mix": ("carrier", lambda rng, old: np.array(LEVELS, object)[rng.choice(12, len(old))]),
    "one category": ("carrier", lambda rng, old: np.full(len(old), "c00", object)),
    "categories gone": ("carrier", some(0.4, None)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_drift_is_found_and_only_where_it_is(kind):
    name, values = KINDS[kind]
    alarms = [Drift().check(window(seed, change=moved(name, values))) for seed in range(10)]
    assert all(alarms)
    assert {feature["feature"] for alarm in alarms for feature in alarm.facts["moved"]} == {name}
    json.dumps(alarms[0].facts, allow_nan=False)


@pytest.mark.parametrize("kind", ["higher", "flatter", "constant", "silent"])
def test_answers_that_moved_are_found(kind):
    def change(rng, given):
        old = given["scores"]
        given["scores"] = {
            "higher": np.clip(old + 0.15, 0, 1), "flatter": rng.random(len(old)), "constant": np.full(len(old), 0.2),
            "silent": np.full(len(old), np.nan),
        }[kind]  # fmt: skip

    alarms = [PredictionDrift().check(window(seed, change=change)) for seed in range(10)]
    assert all(alarms)
    json.dumps(alarms[0].facts, allow_nan=False)


def test_drift_that_lasts_one_day_of_seven_is_not_mistaken_for_a_new_world():
    """One odd day (a storm) moves the window, but days differ so much that a week like this one may be chance."""

    def storm(rng, given):
        given["columns"]["normal"] = given["columns"]["normal"] + np.where(given["times"] // DAY == 3, 4.0, 0.0)

    assert not [seed for seed in range(20) if Drift().check(window(seed, change=storm))]


def answered(quality, rate=0.2):
    def change(rng, given):
        rows = len(given["times"])
        labels = (rng.random(rows) < rate).astype(float)
        given["scores"] = 1 / (1 + np.exp(-(quality * labels + rng.normal(size=rows) - 1.5)))
        given["labels"] = labels

    return change


def true_skill(metric, quality):
    seen = window(10**7, rows=200_000, change=answered(quality))
    return float(skill(metric, score(metric, seen.labels.astype(np.int8), seen.scores), seen.labels.mean()))


@pytest.mark.parametrize("metric", ["average_precision", "roc_auc"])
def test_a_score_that_holds_raises_no_alarm_and_one_that_falls_does(metric):
    expected = true_skill(metric, 1.2)
    steady = [window(seed, 1000, change=answered(1.2), metric=metric, skill=expected) for seed in range(200)]
    # Without an allowance: the upper end of a 95% interval lies below the truth in 2.5 of 100, and the slack of 200.
    assert np.mean([Performance(drop=0).check(seen) is not None for seen in steady]) <= 0.05
    assert np.mean([Performance().check(seen) is not None for seen in steady]) <= 0.01
    fallen = [window(seed, 1000, change=answered(0.2), metric=metric, skill=expected) for seed in range(50)]
    assert np.mean([Performance().check(seen) is not None for seen in fallen]) >= 0.95


def test_more_positives_are_no_worse_model():
    """The same ranking in a month with fewer delays has a lower average precision, but that is the month."""
    expected = true_skill("average_precision", 1.2)
    rare = [window(seed, change=answered(1.2, rate=0.3), skill=expected) for seed in range(50)]
    assert np.mean([Performance().check(seen) is not None for seen in rare]) <= 0.04


def test_an_empty_window_says_nothing():
    for monitor in (Drift(), PredictionDrift(), Performance()):
        assert monitor.check(window(0, rows=0)) is None


@pytest.mark.parametrize("rows", [1, 499])
def test_too_few_rows_say_nothing_however_far_they_moved(rows):
    far = window(0, rows=rows, change=moved("normal", lambda rng, old: old + 50))
    assert Drift().check(far) is None
    few = window(0, rows=rows, change=lambda rng, given: given.update(scores=np.ones(rows)))
    assert PredictionDrift().check(few) is None


def test_rows_without_an_answer_or_a_score_are_not_scored():
    expected = true_skill("roc_auc", 1.2)
    seen = window(0, change=answered(0.0), metric="roc_auc", skill=expected)
    scores = seen.scores.copy()
    scores[300:] = np.nan
    kept = Window(NOW, seen.times, seen.columns, scores, seen.labels, REFERENCE, "roc_auc", expected)
    alarm = Performance().check(kept)
    assert alarm is not None
    assert alarm.facts["rows"] == 300
    scores[299:] = np.nan
    assert Performance().check(Window(NOW, seen.times, {}, scores, seen.labels, REFERENCE, "roc_auc", expected)) is None


def test_a_feature_that_is_no_longer_served_is_left_out_and_a_new_one_too():
    def change(rng, given):
        given["columns"].pop("normal")
        given["columns"]["unknown"] = rng.normal(size=len(given["times"])) + 99

    assert Drift().check(window(0, change=change)) is None


@pytest.mark.parametrize("monitor", [Drift(), PredictionDrift()], ids=lambda monitor: type(monitor).__name__)
def test_without_a_reference_it_is_not_silent_but_says_so(monitor):
    with pytest.raises(DataError, match="no reference"):
        monitor.check(window(0, reference={}))
