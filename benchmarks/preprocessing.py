"""Preprocessing: learned from and applied to 300,000 rows of 40 features, and what it adds to serving one row."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

import noria as nr
from benchmarks.comparison import Comparison
from noria.models import Category, ModelFeature, Scorer
from noria.training import LogisticRegression
from noria.training.calibration import Calibration
from noria.training.export import export
from noria.training.preprocessing import Pipeline, Prepared
from noria.training.rows import Rows

ROWS, NUMBERS, SIZES = 300_000, 34, (3, 10, 16, 100, 1000, 4000)
CHAIN = (nr.impute("n*", "median", indicator=True), nr.scale("n*", "robust"),
         nr.encode(["c3", "c4", "c5"], "target"), nr.encode("*"))  # fmt: skip


def main() -> None:
    rows = made()
    seconds, (pipeline, ready) = best(lambda: Pipeline.fit(CHAIN, rows), 3)
    theirs, transform = best(lambda: scikit_learn(rows), 3)
    versions = {"scikit-learn": version("scikit-learn")}
    Comparison(
        "impute with indicators, scale, target and one-hot encode 300,000 rows x 40 features: fit and transform",
        "s", seconds, "scikit-learn", theirs, versions=versions,
    ).say()  # fmt: skip

    named = [ModelFeature(name, "number") for name in rows.number_names]
    named += [ModelFeature(name, "category") for name in rows.category_names]
    numbers, texts = rows.numbers[:1], rows.strings()[:1]
    solver = LogisticRegression(iterations=20)
    plain = solver.trainer(rows, rows, "roc_auc", 0)({"strength": 0.01})
    prepared = Prepared(pipeline, solver.trainer(ready, ready, "roc_auc", 0)({"strength": 0.01}))
    before, after = (served(model, rows, named, numbers, texts) for model in (plain, prepared))
    Comparison("logistic regression, one row through the graph, without preprocessing", "ms", before).say()
    one, _ = best(lambda: [transform(numbers, texts) for _ in range(10)], 3)
    Comparison(
        "logistic regression, one row through the graph, with preprocessing", "ms", after, "scikit-learn", one * 100,
        note="scikit-learn: the transforms alone, no model", versions=versions,
    ).say()  # fmt: skip


def made() -> Rows:
    """Numbers of which a tenth is null, and categories of some to many values."""
    random = np.random.default_rng(0)
    numbers = random.normal(size=(ROWS, NUMBERS)).astype(np.float32)
    numbers[random.random(numbers.shape) < 0.1] = np.nan
    columns = tuple(
        Category(random.integers(-1, size, ROWS).astype(np.int32), tuple(f"v{place:04d}" for place in range(size)))
        for size in SIZES
    )
    labels = (random.random(ROWS) < 0.2).astype(np.int8)
    names = tuple(f"n{place}" for place in range(NUMBERS)), tuple(f"c{place}" for place in range(len(SIZES)))
    return Rows(*names, numbers, columns, labels, np.arange(ROWS), np.arange(ROWS))


def scikit_learn(rows: Rows) -> Callable[[Any, Any], Any]:
    """The same by scikit-learn, fitted and applied to the rows; returns what transforms others."""
    from sklearn.impute import SimpleImputer
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, RobustScaler, TargetEncoder

    own = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), RobustScaler())
    target = TargetEncoder(smooth=20.0, cv=StratifiedKFold(5, shuffle=True, random_state=0))
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    texts = rows.strings()
    np.hstack([own.fit_transform(rows.numbers), target.fit_transform(texts[:, 3:], rows.labels),
               one_hot.fit_transform(texts[:, :3])])  # fmt: skip
    return lambda numbers, texts: np.hstack(
        [own.transform(numbers), target.transform(texts[:, 3:]), one_hot.transform(texts[:, :3])]
    )


def served(model: Any, rows: Rows, named: list[ModelFeature], numbers: Any, texts: Any) -> float:
    """Milliseconds a row."""
    scorer = Scorer(export(model, Calibration("none"), rows), named)
    return best(lambda: [scorer.score(numbers, texts) for _ in range(1000)], 7)[0]


def best(work: Callable[[], Any], times: int) -> tuple[float, Any]:
    """The shortest time of some, in seconds, and what was made."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        result = work()
        found.append(time.perf_counter() - began)
    return min(found), result
