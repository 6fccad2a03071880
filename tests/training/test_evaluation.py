from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from noria.models import Category
from noria.training.bootstrap import DAY, compare
from noria.training.evaluation import evaluate
from noria.training.metrics import METRICS, score, sign
from noria.training.rows import Rows


def _world(seed: int, days: int = 30, a_day: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, what two models say, and times; days have better and worse weather, which the models know in part."""
    random = np.random.default_rng(seed)
    weather = np.repeat(random.normal(0, 0.5, days), a_day)
    own = random.normal(0, 1, days * a_day)
    labels = (random.random(len(own)) < 1 / (1 + np.exp(-(own + weather - 1)))).astype(np.int8)
    model = 1 / (1 + np.exp(-(own + 0.3 * random.normal(size=len(own)) - 1)))
    return labels, model, np.full(len(own), 0.3), np.repeat(np.arange(days), a_day) * DAY


TRUTH = _world(10**6, days=4000)


@pytest.mark.parametrize("metric", METRICS)
def test_intervals_hold_the_true_score_about_as_often_as_they_say(metric: str) -> None:
    """95 of 100; percentile intervals of 30 days are known to be a little narrow, hence the slack below."""
    labels, model, _, _ = TRUTH
    truth = score(metric, labels, model)
    held = 0
    for seed in range(120):
        labels, model, flat, times = _world(seed)
        found = compare(metric, labels, model, flat, times, draws=150, seed=seed).score
        assert found is not None
        held += found.low <= truth <= found.high
    assert 0.88 <= held / 120 <= 0.99


def test_a_model_that_is_no_better_is_rarely_found_better() -> None:
    """Two models of equal quality: the interval of the difference lies above 0 in about 2.5 of 100."""
    wrong = 0
    for seed in range(120):
        labels, _, _, times = _world(seed)
        random = np.random.default_rng(seed + 5000)
        signal = labels + random.normal(0, 1, len(labels))
        one, two = signal + random.normal(0, 0.5, len(labels)), signal + random.normal(0, 0.5, len(labels))
        found = compare("roc_auc", labels, one, two, times, draws=150, seed=seed).difference
        assert found is not None
        wrong += found.low > 0
    assert wrong / 120 <= 0.06


def _rows(seed: int = 0) -> tuple[Rows, np.ndarray, np.ndarray]:
    labels, model, flat, times = _world(seed)
    codes = np.arange(len(labels), dtype=np.int32) % 4 - 1  # null and three values
    codes[labels == 0] = np.where(codes[labels == 0] == 2, 1, codes[labels == 0])  # the last has positives only
    column = Category(codes, ("AA", "BB", "CC"))
    ids = np.arange(len(labels))
    return Rows((), ("c",), np.empty((len(labels), 0), np.float32), (column,), labels, times, ids), model, flat


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    rows, model, flat = _rows()
    return evaluate(rows, model, flat, "average_precision", ["c"], 0)


def test_all_is_plain_json_and_the_same_every_time(found: dict[str, Any]) -> None:
    rows, model, flat = _rows()
    again = evaluate(rows, model, flat, "average_precision", ["c"], 0)
    assert json.dumps(again, allow_nan=False) == json.dumps(found, allow_nan=False)


def test_every_metric_is_given_in_its_own_direction(found: dict[str, Any]) -> None:
    rows, model, flat = _rows()
    for metric in METRICS:
        for name, guessed in (("scores", model), ("baseline_scores", flat)):
            estimate = found[name][metric]
            assert estimate["value"] == pytest.approx(sign(metric) * score(metric, rows.labels, guessed))
            assert estimate["low"] <= estimate["value"] <= estimate["high"]
    assert found["score"] == found["scores"]["average_precision"]
    assert found["difference"]["value"] == pytest.approx(found["score"]["value"] - found["baseline"]["value"])
    assert found["difference"]["low"] > 0


def test_slices_part_the_rows_the_largest_first(found: dict[str, Any]) -> None:
    rows, model, _ = _rows()
    slices = found["slices"]["c"]
    assert sum(part["rows"] for part in slices) == found["rows"] == len(rows)
    assert sum(part["positives"] for part in slices) == found["positives"]
    assert [part["rows"] for part in slices] == sorted((part["rows"] for part in slices), reverse=True)
    assert {part["value"] for part in slices} == {"", "AA", "BB", "CC"}
    inside = rows.category("c").codes == 0
    own = next(part for part in slices if part["value"] == "AA")
    assert own["score"]["value"] == pytest.approx(score("average_precision", rows.labels[inside], model[inside]))
    alike = next(part for part in slices if part["value"] == "CC")
    assert alike["score"] is alike["baseline"] is alike["difference"] is None


def test_days_are_scored_one_by_one(found: dict[str, Any]) -> None:
    rows, model, _ = _rows()
    assert [day["day"] for day in found["daily"]][:2] == ["1970-01-01", "1970-01-02"]
    assert sum(day["rows"] for day in found["daily"]) == len(rows)
    first = rows.times == 0
    assert found["daily"][0]["score"] == score("average_precision", rows.labels[first], model[first])


def test_bins_of_calibration_have_equal_rows_and_find_a_liar() -> None:
    random = np.random.default_rng(0)
    probability = random.random(4000)
    labels = (random.random(4000) < probability).astype(np.int8)
    column = Category(np.full(4000, -1, np.int32), ())
    rows = Rows((), ("c",), np.empty((4000, 0), np.float32), (column,), labels,
                np.arange(4000) * (DAY // 200), np.arange(4000))  # fmt: skip
    honest = evaluate(rows, probability, probability, "log_loss", [], 0)["calibration"]
    assert [part["rows"] for part in honest["bins"]] == [400] * 10
    assert honest["ece"] < 0.03
    assert sum(part["low"] <= part["predicted"] <= part["high"] for part in honest["bins"]) >= 8
    liar = evaluate(rows, probability**3, probability, "log_loss", [], 0)["calibration"]
    assert liar["ece"] > 0.2
    assert all(part["observed"] > part["high"] or part["predicted"] < part["low"] for part in liar["bins"][2:8])


def test_few_rows_are_evaluated_too() -> None:
    column = Category(np.array([0, -1, 0], np.int32), ("AA",))
    times = np.array([0, 1, 2])
    rows = Rows((), ("c",), np.empty((3, 0), np.float32), (column,), np.array([0, 1, 1], np.int8), times, times)
    said = evaluate(rows, np.array([0.2, 0.6, 0.4]), np.full(3, 0.5), "roc_auc", ["c"], 0)
    assert said["resampled"]["of"] == "3 rows"
    assert said["score"]["value"] == 1.0
    assert len(said["calibration"]["bins"]) == 3
    json.dumps(said, allow_nan=False)
