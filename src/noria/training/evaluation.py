"""Evaluation: how good a model is on rows that nothing was chosen by, with intervals, by slice and by day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noria.training.bootstrap import compare, days_of, drawn_by
from noria.training.metrics import METRICS, score, sign, skill
from noria.training.rows import Rows

_DRAWS = 1000
_DRAWS_OF_SLICE = 200
_BINS = 10


def evaluate(
    rows: Rows,
    probabilities: NDArray[np.float64],
    baseline: NDArray[np.float64],
    metric: str,
    slices: Sequence[str],
    seed: int,
) -> dict[str, Any]:
    """Everything that is said about a model's probabilities on some rows, as plain JSON.

    ``score``, ``baseline`` and ``difference`` are of the search's metric in the direction that is maximised (log loss
    negated); ``scores`` has every metric in its own direction. Each is ``{"value", "low", "high"}`` with a 95%
    interval, or null where it is not defined.

    Parameters
    ----------
    rows : Rows
        n rows with their labels.
    probabilities, baseline : float64 [n]
        What the model and the baseline say.
    metric : str
        What the search maximised.
    slices : sequence of str
        Category features.
    seed : int
        Of the bootstrap.
    """
    labels, times = rows.labels, rows.times
    compared = {
        name: compare(name, labels, probabilities, baseline, times, draws=_DRAWS, seed=seed) for name in METRICS
    }
    main, rate = compared[metric], float(labels.mean())
    return {
        "metric": metric,
        "rows": len(rows),
        "positives": int(labels.sum()),
        **main.to_body(),
        "resampled": {"draws": _DRAWS, "of": drawn_by(times), "level": 0.95},
        "skill": float(skill(metric, score(metric, labels, probabilities), rate)),
        "scores": {name: _own_direction(name, compared[name].to_body()["score"]) for name in METRICS},
        "baseline_scores": {name: _own_direction(name, compared[name].to_body()["baseline"]) for name in METRICS},
        "slices": {name: _by_slice(rows, name, probabilities, baseline, metric, seed) for name in slices},
        "calibration": _calibration(labels, probabilities),
        "daily": _by_day(rows, probabilities, baseline, metric) if times.any() else [],  # all 0: rows without time
    }


def _own_direction(metric: str, estimate: dict[str, float] | None) -> dict[str, float] | None:
    if estimate is None or sign(metric) == 1:
        return estimate
    return {"value": -estimate["value"], "low": -estimate["high"], "high": -estimate["low"]}


def _by_slice(
    rows: Rows, name: str, probabilities: NDArray[np.float64], baseline: NDArray[np.float64], metric: str, seed: int
) -> list[dict[str, Any]]:
    """The same rows by the values of a feature, the most frequent first; null is ``""``."""
    column = rows.category(name)
    found = []
    for code in np.unique(column.codes):
        inside = column.codes == code
        labels = rows.labels[inside]
        drawn = compare(
            metric,
            labels,
            probabilities[inside],
            baseline[inside],
            rows.times[inside],
            draws=_DRAWS_OF_SLICE,
            seed=seed,
        )
        value = column.levels[code] if code >= 0 else ""
        body = drawn.to_body()
        if not 0 < labels.sum() < len(labels):
            body = dict.fromkeys(body)
        found.append({"value": value, "rows": len(labels), "positives": int(labels.sum()), **body})
    return sorted(found, key=lambda part: (-part["rows"], part["value"]))


def _calibration(labels: NDArray[np.int8], probabilities: NDArray[np.float64]) -> dict[str, Any]:
    """Bins of equal numbers of rows: the mean probability, how many came true; and their mean distance (ECE)."""
    order = np.argsort(probabilities, kind="stable")
    bins = []
    for part in np.array_split(order, min(_BINS, len(order))):
        guessed, true = float(probabilities[part].mean()), float(labels[part].mean())
        low, high = _wilson(true, len(part))
        bins.append({"rows": len(part), "predicted": guessed, "observed": true, "low": low, "high": high})
    error = sum(part["rows"] * abs(part["predicted"] - part["observed"]) for part in bins) / len(labels)
    return {"bins": bins, "ece": float(error)}


def _wilson(share: float, rows: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson)."""
    z = 1.96
    middle, spread = share + z * z / (2 * rows), z * np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    scale = 1 + z * z / rows
    return float(max((middle - spread) / scale, 0.0)), float(min((middle + spread) / scale, 1.0))


def _by_day(
    rows: Rows, probabilities: NDArray[np.float64], baseline: NDArray[np.float64], metric: str
) -> list[dict[str, Any]]:
    found = []
    days = days_of(rows.times)
    for day in np.unique(days):
        inside = days == day
        labels = rows.labels[inside]
        defined = 0 < labels.sum() < len(labels)
        found.append(
            {
                "day": str(np.datetime64(int(day), "D")),
                "rows": len(labels),
                "positives": int(labels.sum()),
                "score": score(metric, labels, probabilities[inside]) if defined else None,
                "baseline": score(metric, labels, baseline[inside]) if defined else None,
            }
        )
    return found
