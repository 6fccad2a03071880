from __future__ import annotations

import numpy as np
import pytest

from noria.training.bootstrap import DAY, blocks_of, compare, compare_unpaired, drawn_by, estimate, tail
from noria.training.metrics import METRICS, score, skill


def _rows(days: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    times = np.repeat(np.arange(days), 50) * DAY + 7
    labels = (random.random(len(times)) < 0.3).astype(np.int8)
    return labels, np.clip(0.3 + 0.3 * labels + random.normal(0, 0.2, len(times)), 0.01, 0.99), times


def test_the_same_seed_draws_the_same_interval_and_it_holds_the_value() -> None:
    labels, guessed, times = _rows(30)
    flat = np.full(len(labels), 0.3)
    one = compare("average_precision", labels, guessed, flat, times, draws=300, seed=1)
    assert one == compare("average_precision", labels, guessed, flat, times, draws=300, seed=1)
    assert one.score is not None
    assert one.difference is not None
    assert one.score.low < one.score.value < one.score.high
    assert one.difference.low > 0


def test_a_model_does_not_differ_from_itself() -> None:
    labels, guessed, times = _rows(10)
    same = compare("roc_auc", labels, guessed, guessed, times, draws=50, seed=0).difference
    assert same is not None
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_log_loss_is_negated_so_that_a_better_model_has_a_positive_difference() -> None:
    labels, guessed, times = _rows(10)
    found = compare("log_loss", labels, guessed, np.full(len(labels), 0.01), times, draws=50, seed=0)
    assert found.score is not None
    assert found.difference is not None
    assert found.score.value < 0 < found.difference.low


def test_rows_with_one_answer_have_no_ranking() -> None:
    _, guessed, times = _rows(10)
    found = compare("roc_auc", np.zeros(len(times), np.int8), guessed, guessed, times, draws=20, seed=0)
    assert found.score is None


def test_days_that_resemble_themselves_widen_the_interval() -> None:
    # Every row of a day has the same answer, so 20 days are 20 facts and not 1,000.
    times = np.repeat(np.arange(20), 50) * DAY
    labels = np.repeat(np.arange(20) % 2, 50).astype(np.int8)
    guessed = np.full(len(times), 0.5)
    by_day = compare("average_precision", labels, guessed, guessed, times, draws=400, seed=0).score
    one_day = compare("average_precision", labels, guessed, guessed, np.zeros_like(times), draws=400, seed=0).score
    assert by_day is not None
    assert one_day is not None
    assert by_day.high - by_day.low > 3 * (one_day.high - one_day.low)
    assert (drawn_by(times), drawn_by(np.zeros_like(times))) == ("20 days", "1000 rows")


def test_few_days_make_wider_intervals() -> None:
    assert tail(2) < tail(5) < tail(7) < tail(30) < tail(1000) < 0.025
    assert tail(1) == 0.0
    times = np.repeat(np.arange(7), 50) * DAY
    assert (blocks_of(times), blocks_of(times % DAY)) == (7, 350)
    labels, guessed, long = _rows(60)
    week = compare("roc_auc", labels[:350], guessed[:350], guessed[:350], times, draws=600, seed=0).score
    rows = compare("roc_auc", labels[:350], guessed[:350], guessed[:350], times % DAY, draws=600, seed=0).score
    assert week is not None
    assert rows is not None
    assert week.low <= week.value <= week.high
    assert drawn_by(long) == "60 days"


def test_the_interval_of_a_week_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    for seed in range(300):
        labels, guessed, times = _rows(7, seed)
        found = compare("roc_auc", labels, guessed, guessed, times, draws=200, seed=seed).score
        assert found is not None
        held += found.low <= 0.8556 <= found.high  # P(N(0.3, 0.2 sqrt 2) > 0), a little less for what was cut off
    assert 0.92 <= held / 300 <= 0.99


@pytest.mark.parametrize("metric", METRICS)
def test_one_model_is_scored_as_in_a_comparison(metric: str) -> None:
    labels, guessed, times = _rows(10)
    found = estimate(metric, labels, guessed, times, draws=100, seed=3)
    assert found is not None
    assert found == compare(metric, labels, guessed, 1 - guessed, times, draws=100, seed=3).score
    assert found.value == pytest.approx(score(metric, labels, guessed))


def test_days_that_resemble_themselves_widen_the_interval_of_a_loss() -> None:
    random = np.random.default_rng(0)
    day = np.repeat(np.arange(10), 100)
    labels = (random.random(1000) < np.where(day % 2, 0.6, 0.1)).astype(np.int8)  # good days and bad days
    flat = np.full(1000, 0.3)
    by_day, by_row = (estimate("log_loss", labels, flat, times, draws=400, seed=0) for times in (day * DAY, day))
    assert by_day is not None
    assert by_row is not None
    assert by_day.high - by_day.low > 3 * (by_row.high - by_row.low)


@pytest.mark.parametrize("metric", METRICS)
def test_a_skill_is_of_the_score_and_the_positives_of_the_same_draw(metric: str) -> None:
    # Good days and bad days: a score that is all chance changes with the positives that are drawn, its skill does not.
    random = np.random.default_rng(0)
    day = np.repeat(np.arange(20), 100)
    labels = (random.random(2000) < np.where(day % 2, 0.6, 0.1)).astype(np.int8)
    guessed = np.full(2000, labels.mean())
    found = estimate(metric, labels, guessed, day * DAY, draws=300, seed=0, as_skill=True)
    plain = estimate(metric, labels, guessed, day * DAY, draws=300, seed=0)
    assert found is not None
    assert plain is not None
    assert found.value == pytest.approx(float(skill(metric, plain.value, labels.mean())), abs=1e-9)
    assert found.low <= found.value + 1e-9
    if metric in ("average_precision", "roc_auc"):  # equal probabilities rank nothing, in whichever draw
        assert (found.low, found.high) == pytest.approx((0, 0), abs=1e-6)


def test_rows_with_one_answer_have_no_skill() -> None:
    _, guessed, times = _rows(10)
    for metric in METRICS:
        assert estimate(metric, np.ones(len(times), np.int8), guessed, times, draws=20, seed=0, as_skill=True) is None


def test_rows_of_their_own_are_drawn_on_their_own() -> None:
    first, second = _rows(10), _rows(10, seed=1)
    same = compare_unpaired("roc_auc", first, first, draws=400, seed=0)
    assert same.score is not None
    assert same.baseline is not None
    assert same.difference is not None
    # Variances of independent draws add up, where paired draws of the same model would leave nothing.
    width = np.hypot(same.score.high - same.score.low, same.baseline.high - same.baseline.low)
    assert same.difference.value == 0
    assert same.difference.high - same.difference.low == pytest.approx(width, rel=0.2)
    one = compare_unpaired("roc_auc", first, second, draws=100, seed=0)
    assert one == compare_unpaired("roc_auc", first, second, draws=100, seed=0)
    assert one.score == estimate("roc_auc", *first, draws=100, seed=1)
    assert one.baseline == estimate("roc_auc", *second, draws=100, seed=0)
    assert one.difference is not None
    assert one.difference.value == pytest.approx(one.score.value - one.baseline.value)


def test_rows_of_their_own_with_one_answer_leave_no_difference() -> None:
    (labels, guessed, times), other = _rows(10), _rows(10, seed=1)
    found = compare_unpaired("roc_auc", (np.zeros_like(labels), guessed, times), other, draws=20, seed=0)
    assert found.score is found.difference is None
    assert found.baseline is not None


def test_the_difference_of_a_week_from_a_month_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    for seed in range(300):
        found = compare_unpaired("roc_auc", _rows(7, seed), _rows(30, 1000 + seed), draws=200, seed=seed).difference
        assert found is not None
        held += found.low <= 0 <= found.high
    assert 0.92 <= held / 300 <= 0.995


def test_a_difference_is_as_unsure_as_the_rows_of_the_fewer_days() -> None:
    labels, _, times = _rows(60)
    perfect = (labels, labels.astype(float), times)  # the same score in each draw, so that only the week varies
    week = _rows(7)
    for rows, other in ((week, perfect), (perfect, week)):
        found = compare_unpaired("roc_auc", rows, other, draws=400, seed=0)
        varied = found.score if rows is week else found.baseline
        assert found.difference is not None
        assert varied is not None
        assert found.difference.high - found.difference.low == pytest.approx(varied.high - varied.low)
