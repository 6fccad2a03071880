from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as field

from noria.training.metrics import METRICS, by_group, mean_by_group, score, sign, skill, weighted

PEERS = {
    "average_precision": field.average_precision_score,
    "roc_auc": field.roc_auc_score,
    "log_loss": lambda y, p, sample_weight: field.log_loss(y, p, labels=[0, 1], sample_weight=sample_weight),
    "brier": lambda y, p, sample_weight: field.brier_score_loss(y, p, pos_label=1, sample_weight=sample_weight),
}
ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9), st.integers(0, 3)), min_size=3, max_size=40)


@given(rows=ROWS)
@pytest.mark.parametrize("metric", METRICS)
def test_weighted_metrics_are_those_of_the_field(metric: str, rows: list[tuple[int, int, int]]) -> None:
    labels, probabilities, weights = (np.array(column) for column in zip(*rows, strict=True))
    probabilities = probabilities / 10  # few values, so that there are ties
    kept = weights > 0
    needed = 1 if metric in ("log_loss", "brier") else 2  # a loss of rows that are all alike is defined, and given
    if len(np.unique(labels[kept])) < needed:
        return
    found = weighted(metric, labels.astype(np.int8), probabilities, weights[None, :].astype(np.float32))
    expected = PEERS[metric](labels, probabilities, sample_weight=weights)
    assert found[0] == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(rows=ROWS)
@pytest.mark.parametrize("metric", METRICS)
def test_a_weight_is_a_row_that_often(metric: str, rows: list[tuple[int, int, int]]) -> None:
    labels, probabilities, times = (np.array(column) for column in zip(*rows, strict=True))
    labels, probabilities = labels.astype(np.int8), probabilities / 10
    repeated = np.repeat(labels, times)
    if 0 < repeated.sum() < len(repeated):
        found = sign(metric) * weighted(metric, labels, probabilities, times[None, :].astype(np.float32))[0]
        assert found == pytest.approx(score(metric, repeated, np.repeat(probabilities, times)), rel=1e-6)


@given(rows=ROWS, counts=st.lists(st.lists(st.integers(0, 4), min_size=4, max_size=4), min_size=1, max_size=4))
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dense", [True, False])
def test_weights_by_group_are_weights_of_their_rows(
    metric: str, dense: bool, rows: list[tuple[int, int, int]], counts: list[list[int]]
) -> None:
    labels, probabilities, groups = (np.array(column) for column in zip(*rows, strict=True))
    given = np.array(counts, np.float32)[:, : groups.max() + 1]
    with pytest.MonkeyPatch.context() as patch, np.errstate(invalid="ignore"):
        if not dense:
            patch.setattr("noria.training.metrics._DENSE", 0)
        found = by_group(metric, labels.astype(np.int8), probabilities / 10, groups)(given)
        expected = weighted(metric, labels.astype(np.int8), probabilities / 10, given[:, groups])
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


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


@pytest.mark.parametrize("metric", METRICS)
def test_skill_is_0_by_chance_also_where_positives_are_rare(metric: str) -> None:
    random = np.random.default_rng(0)
    labels = (random.random(20_000) < 0.2).astype(np.int8)
    rate = labels.mean()
    chance = np.full(len(labels), rate) if metric in ("log_loss", "brier") else random.random(20_000)
    assert skill(metric, score(metric, labels, chance), rate) == pytest.approx(0, abs=0.02)
    assert skill(metric, score(metric, labels, labels.astype(float)), rate) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_many_skills_are_those_of_each_score(metric: str) -> None:
    scores, rates = np.array([-0.4, 0.3, 0.8]), np.array([0.1, 0.2, 0.6])
    found = skill(metric, scores, rates)
    assert found.tolist() == [float(skill(metric, *one)) for one in zip(scores, rates, strict=True)]
    assert np.isnan(skill(metric, np.array([np.nan, np.nan]), np.array([0.0, 1.0]))).all()


def test_the_mean_by_group_is_that_of_the_rows_that_count() -> None:
    labels, groups = np.array([0, 1, 1, 1], np.int8), np.array([0, 0, 1, 1])
    found = mean_by_group(labels, groups)(np.array([[1, 1], [3, 0], [2, 1]], np.float32))
    assert found == pytest.approx([3 / 4, 1 / 2, 4 / 6])
