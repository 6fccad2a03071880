from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from noria.core import DeclarationError
from noria.models import Category, ModelFeature, Scorer
from noria.training import Baseline, Learner, LightGBM, LogisticRegression
from noria.training.calibration import Calibration
from noria.training.export import export
from noria.training.metrics import score
from noria.training.rows import Rows

LEARNERS: dict[str, Learner] = {
    "prior": Baseline(),
    "by carrier": Baseline("carrier"),
    "by both": Baseline(["carrier", "dest"]),
    "by number": Baseline(["dest", "whole", "wind"]),
    "line": LogisticRegression(rare=20),
    "trees": LightGBM(rounds=60, rare=20),
}
WAYS = (Calibration("none"), Calibration("platt", (0.8,), -0.3), Calibration("beta", (1.2, 0.7), 0.1))


@pytest.fixture(scope="session", params=LEARNERS)
def fitted(request: pytest.FixtureRequest, parts: tuple[Rows, Rows, Rows]) -> Any:
    learner = LEARNERS[request.param]
    train, validate, _ = parts
    return learner.trainer(train, validate, "average_precision", 0)(learner.first())


def scorer(fitted: Any, calibration: Calibration, rows: Rows) -> Scorer:
    features = [ModelFeature(name, "number") for name in rows.number_names]
    features += [ModelFeature(name, "category") for name in rows.category_names]
    return Scorer(export(fitted, calibration, rows), features)


def strange(rows: Rows, thresholds: list[float]) -> Rows:
    """Rows with values that training never saw, and with every value on, just below and just above a threshold."""
    values = [float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38, 1e-30, 2**24 + 1]
    near = [np.float32(value) for value in thresholds]
    pool = np.array(
        [*values, *near, *np.nextafter(near, np.float32(np.inf)), *np.nextafter(near, np.float32(-np.inf))], np.float32
    )
    random = np.random.default_rng(1)
    count = 4000
    levels = ("AA", "BB", "D1", "D2", "rare", "never seen", "ÜÖ", "a\x00b", "AA ", "\x1f", "𝔘" * 300)
    columns = tuple(Category(random.integers(-1, len(levels), count).astype(np.int32), levels) for _ in rows.categories)
    plain = np.zeros(count, np.int64)
    numbers = random.choice(pool, (count, rows.numbers.shape[1]))
    return replace(rows, numbers=numbers, categories=columns, labels=plain.astype(np.int8), times=plain, ids=plain)


def _thresholds(fitted: Any) -> list[float]:
    import lightgbm

    if not hasattr(fitted, "text"):
        return [1.5]
    frame = lightgbm.Booster(model_str=fitted.text).trees_to_dataframe()
    return [float(value) for value in frame["threshold"].dropna().unique()]


@pytest.mark.parametrize("calibration", WAYS, ids=lambda way: way.way)
def test_the_graph_is_the_trained_model(fitted: Any, calibration: Calibration, parts: tuple[Rows, Rows, Rows]) -> None:
    for rows in (*parts, strange(parts[0], _thresholds(fitted))):
        expected = calibration.probability(fitted.margin(rows))
        found = scorer(fitted, calibration, rows).score(rows.numbers, rows.strings())
        assert np.isfinite(expected).all()
        assert np.abs(found - expected).max() <= 1e-6


def test_a_row_alone_and_by_name_is_answered_as_among_others(fitted: Any, parts: tuple[Rows, Rows, Rows]) -> None:
    rows = parts[2]
    graph = scorer(fitted, WAYS[0], rows)
    all_ = graph.score(rows.numbers, rows.strings())
    strings = rows.strings()
    for place in (0, 1, len(rows) - 1):
        named: dict[str, Any] = {
            name: rows.numbers[place : place + 1, column] for column, name in enumerate(rows.number_names)
        }
        named |= {name: [strings[place, column] or None] for column, name in enumerate(rows.category_names)}
        assert graph.predict(named)[0] == pytest.approx(all_[place], abs=1e-7)
    assert graph.score(rows.numbers[:0], strings[:0]).shape == (0,)


@pytest.mark.parametrize("name", ["line", "trees"])
def test_the_same_rows_give_the_same_bytes(name: str, parts: tuple[Rows, Rows, Rows]) -> None:
    learner = LEARNERS[name]
    trainer = learner.trainer(parts[0], parts[1], "average_precision", 7)
    trainer({**learner.first()})  # what was trained before must not matter
    anew = learner.trainer(parts[0], parts[1], "average_precision", 7)
    assert export(trainer(learner.first()), WAYS[0], parts[0]) == export(anew(learner.first()), WAYS[0], parts[0])


@pytest.mark.parametrize("name", ["line", "trees"])
def test_it_learns_and_says_from_what(name: str, parts: tuple[Rows, Rows, Rows]) -> None:
    train, validate, test = parts
    learner = LEARNERS[name]
    fitted = learner.trainer(train, validate, "average_precision", 0)(learner.first())
    assert score("roc_auc", test.labels, fitted.margin(test)) > 0.75
    shares = fitted.importances()
    assert sum(shares.values()) == pytest.approx(1)
    assert max(shares, key=lambda feature: shares[feature]) == "delay"


def test_the_baseline_is_a_rate_drawn_to_the_overall_one(parts: tuple[Rows, Rows, Rows]) -> None:
    train = parts[0]
    rates = Baseline("carrier").trainer(train, train, "roc_auc", 0)({})
    guessed = 1 / (1 + np.exp(-rates.margin(train)))
    codes, levels = train.category("carrier").codes, train.category("carrier").levels
    inside = codes == levels.index("BB")
    prior, own, rows = train.labels.mean(), train.labels[inside].mean(), inside.sum()
    assert guessed[inside] == pytest.approx((own * rows + prior * 20) / (rows + 20))


def test_a_number_counts_by_its_whole_part(parts: tuple[Rows, Rows, Rows]) -> None:
    train = parts[0]
    rates = Baseline("wind").trainer(train, train, "roc_auc", 0)({})
    wind = train.numbers[:, train.number_names.index("wind")]
    margin = rates.margin(train)
    same = np.floor(wind) == 3
    assert len(np.unique(margin[same])) == 1
    assert len(np.unique(margin[np.isnan(wind)])) == 1  # what is missing has a rate of its own
    assert margin[same][0] != margin[np.isnan(wind)][0]
    changed = np.where(np.isnan(train.numbers), np.nan, np.floor(train.numbers)).astype(np.float32)
    assert (rates.margin(replace(train, numbers=changed)) == margin).all()


def test_a_baseline_by_something_unknown_is_refused(parts: tuple[Rows, Rows, Rows]) -> None:
    with pytest.raises(DeclarationError, match="goes by features only") as caught:
        Baseline("hour").trainer(parts[0], parts[1], "roc_auc", 0)
    assert "carrier" in str(caught.value.mend)


@pytest.mark.parametrize(
    "learner", [LogisticRegression(), LightGBM(rounds=5)], ids=lambda learner: type(learner).__name__
)
@pytest.mark.parametrize("kept", ["number", "category"])
def test_features_of_one_kind_are_enough(learner: Learner, kept: str, parts: tuple[Rows, Rows, Rows]) -> None:
    train, validate, test = (_only(rows, kept) for rows in parts)
    fitted = learner.trainer(train, validate, "log_loss", 0)(learner.first())
    found = scorer(fitted, WAYS[0], test).score(test.numbers, test.strings())
    assert found == pytest.approx(WAYS[0].probability(fitted.margin(test)), abs=1e-6)


@pytest.mark.parametrize(
    ("given", "spins"), [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "")]
)
def test_threads_of_trees_do_not_spin_unless_somebody_says_so(given: dict[str, str], spins: str) -> None:
    code = (
        "import os, sys\nfrom noria.training.candidates.lightgbm import _library\n"
        "assert 'lightgbm' not in sys.modules\n_library()\nprint(os.environ.get('GOMP_SPINCOUNT', ''))"
    )
    kept = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=kept | given, check=True)
    assert done.stdout.strip() == spins


def _only(rows: Rows, kind: str) -> Rows:
    if kind == "number":
        return replace(rows, category_names=(), categories=())
    return replace(rows, number_names=(), numbers=np.empty((len(rows), 0), np.float32))
