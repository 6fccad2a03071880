import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from noria.monitoring.score import interval, resampled, score, skill

rows = st.lists(st.tuples(st.booleans(), st.sampled_from([0.05, 0.1, 0.3, 0.5, 0.7, 0.95])), min_size=2, max_size=40)


@given(rows)
def test_scores_are_those_of_scikit_learn(rows):
    labels = np.array([label for label, _ in rows], np.float64)
    scores = np.array([value for _, value in rows])
    assert score("log_loss", labels, scores)[0] == pytest.approx(-log_loss(labels, scores, labels=[0, 1]))
    if 0 < labels.sum() < len(labels):
        assert score("average_precision", labels, scores)[0] == pytest.approx(average_precision_score(labels, scores))
        assert score("roc_auc", labels, scores)[0] == pytest.approx(roc_auc_score(labels, scores))


@given(rows, st.randoms(use_true_random=False))
def test_a_weight_is_a_row_that_often(rows, random):
    labels = np.array([label for label, _ in rows], np.float64)
    scores = np.array([value for _, value in rows])
    times = np.array([random.randrange(4) for _ in rows])
    for metric in ("average_precision", "roc_auc", "log_loss"):
        weighted = score(metric, labels, scores, times[None].astype(np.float64))[0]
        repeated = np.repeat(labels, times)
        if 0 < repeated.sum() < len(repeated):
            assert weighted == pytest.approx(score(metric, repeated, np.repeat(scores, times))[0])


@pytest.mark.parametrize("metric", ["average_precision", "roc_auc", "log_loss"])
def test_skill_is_zero_by_chance_and_one_when_perfect(metric):
    rng = np.random.default_rng(0)
    labels = (rng.random(20_000) < 0.2).astype(np.float64)
    share = labels.mean(keepdims=True)
    chance = np.full_like(labels, share[0]) if metric == "log_loss" else rng.random(20_000)
    assert skill(metric, score(metric, labels, chance), share)[0] == pytest.approx(0, abs=0.02)
    assert skill(metric, score(metric, labels, labels), share)[0] == pytest.approx(1)


def test_resamples_are_paired_and_repeatable():
    rng = np.random.default_rng(0)
    labels = (rng.random(500) < 0.3).astype(np.float64)
    scores, times = rng.random(500), np.arange(500)
    found, shares = resampled("roc_auc", labels, (scores, scores), times, resamples=50)
    assert (found[0] == found[1]).all()
    assert found.shape == (2, 50)
    again, _ = resampled("roc_auc", labels, (scores, scores), times, resamples=50)
    assert (found == again).all()
    assert abs(shares.mean() - labels.mean()) < 0.02
    low, high = interval(found[0])
    assert low < score("roc_auc", labels, scores)[0] < high


def test_whole_days_are_drawn_where_there_are_enough():
    rng = np.random.default_rng(0)
    day = np.repeat(np.arange(10), 100)
    labels = (rng.random(1000) < np.where(day % 2, 0.6, 0.1)).astype(np.float64)  # good days and bad days
    _, by_day = resampled("log_loss", labels, (np.full(1000, 0.3),), day * 86_400_000_000)
    _, by_row = resampled("log_loss", labels, (np.full(1000, 0.3),), day)
    assert by_day.std() > 3 * by_row.std()
