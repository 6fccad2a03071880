from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as field

from noria.training.metrics import METRICS, score, skill, weighted

PEERS = {
    "average_precision": field.average_precision_score,
    "roc_auc": field.roc_auc_score,
    "log_loss": lambda y, p, sample_weight: field.log_loss(y, p, labels=[0, 1], sample_weight=sample_weight),
    "brier": field.brier_score_loss,
}
ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9), st.integers(0, 3)), min_size=3, max_size=40)


@given(rows=ROWS)
@pytest.mark.parametrize("metric", METRICS)
def test_weighted_metrics_are_those_of_the_field(metric: str, rows: list[tuple[int, int, int]]) -> None:
    labels, probabilities, weights = (np.array(column) for column in zip(*rows, strict=True))
    probabilities = probabilities / 10  # few values, so that there are ties
    kept = weights > 0
    if len(np.unique(labels[kept])) < 2:
        return
    found = weighted(metric, labels.astype(np.int8), probabilities, weights[None, :].astype(np.float32))
    expected = PEERS[metric](labels, probabilities, sample_weight=weights)
    assert found[0] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_scores_are_better_when_higher() -> None:
    labels = np.array([0, 0, 1, 1], np.int8)
    for metric in METRICS:
        good = score(metric, labels, np.array([0.1, 0.2, 0.8, 0.9]))
        assert good > score(metric, labels, np.array([0.9, 0.1, 0.2, 0.8]))


def test_a_ranking_of_rows_that_are_all_alike_is_not_defined() -> None:
    assert np.isnan(score("roc_auc", np.array([1, 1], np.int8), np.array([0.1, 0.2])))
    assert np.isnan(score("average_precision", np.array([0, 0], np.int8), np.array([0.1, 0.2])))


def test_skill_is_0_for_chance_and_1_for_perfection() -> None:
    labels = np.array([0, 1] * 500, np.int8)
    for metric in METRICS:
        assert skill(metric, score(metric, labels, labels.astype(float)), 0.5) == pytest.approx(1, abs=1e-5)
        assert skill(metric, score(metric, labels, np.full(1000, 0.5)), 0.5) == pytest.approx(0, abs=1e-9)
