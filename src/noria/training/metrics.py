"""Metrics: scores of probabilities, of one weighting of the rows or of many at once.

A bootstrap is nothing but many weightings of the same rows, so every metric takes weights ``[b, n]`` and sorts once.
Where whole groups of rows are drawn, all that depends on the rows is summed up by group once, see `by_group`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

METRICS = ("average_precision", "roc_auc", "log_loss", "brier")
"""The first two are better when higher, the last two when lower."""

_LOWER_IS_BETTER = ("log_loss", "brier")
_LEAST = 1e-7
_DENSE = 1 << 23  # cells of groups times rows up to which sums by group are kept: 32 MiB

Weighting = Callable[[NDArray[np.float32]], NDArray[np.float64]]


def sign(metric: str) -> int:
    """1 where higher is better, -1 where lower is."""
    return -1 if metric in _LOWER_IS_BETTER else 1


def score(metric: str, labels: NDArray[np.int8], probabilities: NDArray[np.float64]) -> float:
    """A metric of some rows, in the direction that is maximised (log loss and Brier score negated).

    NaN where it is not defined: a ranking of rows that are all alike.

    Examples
    --------
    >>> labels, probabilities = np.array([0, 1, 1], np.int8), np.array([0.2, 0.8, 0.6])
    >>> score("average_precision", labels, probabilities), round(score("log_loss", labels, probabilities), 4)
    (1.0, -0.319)
    """
    ones = np.ones((1, len(labels)), np.float32)
    return sign(metric) * float(weighted(metric, labels, probabilities, ones)[0])


def weighted(
    metric: str, labels: NDArray[np.int8], probabilities: NDArray[np.float64], weights: NDArray[np.float32]
) -> NDArray[np.float64]:
    """A metric under b weightings, float64 ``[b]``, in its own direction.

    Parameters
    ----------
    labels : int8 [n]
    probabilities : float64 [n]
    weights : float32 [b, n]
        Whole numbers: how often each row counts.
    """
    if metric in _LOWER_IS_BETTER:
        losses = _losses(metric, labels, probabilities)
        return np.asarray((weights @ losses) / weights.sum(axis=1, dtype=np.float64), np.float64)
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # rows of equal probability count as one step
    ordered = weights[:, order]
    positives = np.cumsum(ordered * labels[order], axis=1, dtype=np.float64)[:, last]
    rows = np.cumsum(ordered, axis=1, dtype=np.float64)[:, last]
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric == "average_precision":
            return _area_of_precision(positives, rows)
        return _area_of_ranks(positives, rows - positives)


def _losses(metric: str, labels: NDArray[np.int8], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    if metric == "brier":
        return np.asarray((probabilities - labels) ** 2, np.float64)
    kept = np.clip(probabilities, _LEAST, 1 - _LEAST)
    return np.asarray(-np.where(labels == 1, np.log(kept), np.log1p(-kept)), np.float64)


def _area_of_precision(positives: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = np.diff(positives, axis=1, prepend=0.0)
    precision = np.divide(positives, rows, out=np.zeros_like(positives), where=rows > 0)
    return np.asarray((steps * precision).sum(axis=1) / positives[:, -1], np.float64)


def _area_of_ranks(positives: NDArray[np.float64], negatives: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = np.diff(positives, axis=1, prepend=0.0)
    below = negatives[:, -1:] - negatives + np.diff(negatives, axis=1, prepend=0.0) / 2
    return np.asarray((steps * below).sum(axis=1) / (positives[:, -1] * negatives[:, -1]), np.float64)


def by_group(
    metric: str, labels: NDArray[np.int8], probabilities: NDArray[np.float64], groups: NDArray[np.intp]
) -> Weighting:
    """A metric in its own direction, as a function of how often each group of rows counts.

    The same as `weighted` with the weights of each row's group, but what is done for each weighting is a product with a
    matrix of sums by group.

    Parameters
    ----------
    labels : int8 [n]
    probabilities : float64 [n]
    groups : int [n]
        The group of each row, from 0.

    Returns
    -------
    callable
        From whole numbers, float32 ``[b, groups]``, to float64 ``[b]``.

    Examples
    --------
    >>> labels, probabilities = np.array([0, 1, 1], np.int8), np.array([0.7, 0.8, 0.6])
    >>> by_group("roc_auc", labels, probabilities, np.array([0, 0, 1]))(np.array([[1, 1], [1, 3]], np.float32))
    array([0.5 , 0.25])
    """
    size = int(groups.max()) + 1
    if metric in _LOWER_IS_BETTER:
        return mean_by_group(_losses(metric, labels, probabilities), groups)
    if size * len(labels) > _DENSE:
        return lambda counts: weighted(metric, labels, probabilities, counts[:, groups])
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    step = np.cumsum(np.append(False, ranked[1:] != ranked[:-1]))
    steps = int(step[-1]) + 1
    place = groups[order] * steps + step
    rows = np.bincount(place, minlength=size * steps).reshape(size, steps).astype(np.float64)
    late = np.bincount(place, weights=labels[order], minlength=size * steps)
    hits = late.reshape(size, steps).astype(np.float64)
    if metric == "average_precision":
        return _precision_by_group(hits, rows)
    return _ranks_by_group(hits, rows - hits)


def mean_by_group(values: NDArray[Any], groups: NDArray[np.intp]) -> Weighting:
    """The mean of the rows' values, as a function of how often each group of rows counts, see `by_group`."""
    sums, sizes = np.bincount(groups, weights=values), np.bincount(groups)
    return lambda counts: np.asarray((counts @ sums) / (counts @ sizes), np.float64)


def _precision_by_group(positives: NDArray[np.float64], rows: NDArray[np.float64]) -> Weighting:
    kept = positives.any(axis=0)  # a step without a positive adds nothing to the area
    hits, seen = (np.cumsum(part, axis=1)[:, kept].astype(np.float32) for part in (positives, rows))

    def area(counts: NDArray[np.float32]) -> NDArray[np.float64]:
        if not kept.any():
            return np.full(len(counts), np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            return _area_of_precision((counts @ hits).astype(np.float64), (counts @ seen).astype(np.float64))

    return area


def _ranks_by_group(positives: NDArray[np.float64], negatives: NDArray[np.float64]) -> Weighting:
    right = negatives.sum(axis=1, keepdims=True) - np.cumsum(negatives, axis=1) + negatives / 2
    pairs = positives @ right.T  # of a positive of one group above a negative of another
    all_positives, all_negatives = positives.sum(axis=1), negatives.sum(axis=1)

    def area(counts: NDArray[np.float32]) -> NDArray[np.float64]:
        times = counts.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            above = ((times @ pairs) * times).sum(axis=1)
            return np.asarray(above / ((times @ all_positives) * (times @ all_negatives)), np.float64)

    return area


def skill(metric: str, score: ArrayLike, rate: ArrayLike) -> NDArray[np.float64]:
    """A score on a scale where chance is 0 and perfection 1, so that periods with other rates can be compared.

    Parameters
    ----------
    metric : str
        What the score is of.
    score : float or float64 [b]
        In the direction that is maximised: log loss and Brier score negated.
    rate : float or float64 [b]
        The share of positives in the scored rows.

    Returns
    -------
    float64, of the same shape
        NaN where all rows are alike.

    Examples
    --------
    >>> round(float(skill("average_precision", 0.4, 0.2)), 3)
    0.25
    >>> skill("roc_auc", [0.75, 1.0], 0.2).tolist()
    [0.5, 1.0]
    """
    scores, rates = np.asarray(score, np.float64), np.asarray(rate, np.float64)
    if metric == "roc_auc":
        return np.asarray(2 * scores - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric == "average_precision":
            found = (scores - rates) / (1 - rates)
        elif metric == "log_loss":
            found = 1 - scores / (rates * np.log(rates) + (1 - rates) * np.log1p(-rates))
        else:
            found = 1 + scores / (rates * (1 - rates))
    return np.where((rates > 0) & (rates < 1), found, np.nan)
