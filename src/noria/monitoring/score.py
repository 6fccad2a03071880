"""Scores with intervals in plain numpy: what a monitor works out every day without a heavy import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_DAY = 86_400_000_000
_FEWEST_DAYS = 5
_CELLS = 2_000_000  # of one chunk of bootstrap weights: 16 MB


def score(metric: str, labels: Floats, scores: Floats, weights: Floats | None = None) -> Floats:
    """The score of predictions; NaN where all answers are the same (log loss is then defined, and given).

    Parameters
    ----------
    metric : str
        ``average_precision``, ``roc_auc`` or ``log_loss`` (negated, so that more is better), as scikit-learn has them.
    labels, scores : array of float64, [N]
        Answers (0 or 1) and probabilities.
    weights : array of float64, [B, N], optional
        How often each row counts in each of B resamples.

    Returns
    -------
    array of float64, [B]
        One score a resample; one score without weights.

    Examples
    --------
    >>> import numpy as np
    >>> score("average_precision", np.array([0.0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])).round(4).tolist()
    [0.8333]
    """
    import numpy as np

    counts = np.ones((1, len(labels))) if weights is None else weights
    if metric == "log_loss":
        safe = np.clip(scores, 1e-15, 1 - 1e-15)
        losses = labels * np.log(safe) + (1 - labels) * np.log1p(-safe)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(counts @ losses / counts.sum(axis=1))
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True)) if len(order) else np.empty(0, np.intp)
    sorted_counts = counts[:, order]
    hits = np.cumsum(sorted_counts * labels[order], axis=1)[:, last]
    seen = np.cumsum(sorted_counts, axis=1)[:, last]
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric == "average_precision":
            precision = np.where(seen > 0, hits / seen, 0.0)
            return np.asarray((np.diff(hits, axis=1, prepend=0.0) * precision).sum(axis=1) / hits[:, -1])
        misses = seen - hits
        middle = (misses + np.concatenate([np.zeros((len(misses), 1)), misses[:, :-1]], axis=1)) / 2
        above = (np.diff(hits, axis=1, prepend=0.0) * (misses[:, -1:] - middle)).sum(axis=1)
        return np.asarray(above / (hits[:, -1] * misses[:, -1]))


def skill(metric: str, value: Floats, positive: Floats) -> Floats:
    """A score on the scale where chance is 0 and perfection 1, so that months with more or fewer positives compare.

    Parameters
    ----------
    metric : str
        As in `score`.
    value : array of float64, [B]
        Scores.
    positive : array of float64, [B]
        Share of positives among the rows of each score.

    Examples
    --------
    >>> import numpy as np
    >>> skill("average_precision", np.array([0.6]), np.array([0.2])).round(2).tolist()
    [0.5]
    """
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        if metric == "log_loss":
            chance = positive * np.log(positive) + (1 - positive) * np.log1p(-positive)
        else:
            chance = positive if metric == "average_precision" else np.full_like(positive, 0.5)
        return np.asarray((value - chance) / ((0.0 if metric == "log_loss" else 1.0) - chance))


def resampled(
    metric: str,
    labels: Floats,
    scores: tuple[Floats, ...],
    times: NDArray[np.int64],
    *,
    resamples: int = 500,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Scores of several predictions of the same rows over bootstrap resamples of these rows (paired).

    Rows of one day share its weather, so whole days are drawn; where there are fewer than five, single rows are.

    Parameters
    ----------
    metric, labels, scores
        As in `score`, with several predictions.
    times : array of int64, [N]
        When each row was asked: microseconds since 1970-01-01 UTC.

    Returns
    -------
    scores : array of float64, [P, B]
        One row a prediction.
    positive : array of float64, [B]
        Share of positives in each resample.
    """
    import numpy as np

    from noria.training import by_group

    rng = np.random.default_rng(seed)
    days, group = np.unique(times // _DAY, return_inverse=True)
    if len(days) < _FEWEST_DAYS:
        days, group = np.arange(len(times)), np.arange(len(times))
    size = len(days)
    answers = labels.astype(np.int8)
    direction = -1 if metric == "log_loss" else 1
    metrics = [by_group(metric, answers, one, group) for one in scores]
    rows, positives = np.bincount(group), np.bincount(group, weights=labels)
    chunk = max(1, _CELLS // max(len(labels), 1))
    found: list[Floats] = []
    shares: list[Floats] = []
    for start in range(0, resamples, chunk):
        count = min(chunk, resamples - start)
        drawn = rng.integers(0, size, (count, size)) + np.arange(count)[:, None] * size
        counts = np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size).astype(np.float32)
        found.append(np.stack([direction * one(counts) for one in metrics]))
        shares.append((counts @ positives) / (counts @ rows))
    return np.concatenate(found, axis=1), np.concatenate(shares)


def interval(values: Floats, times: NDArray[np.int64] | None = None) -> tuple[float, float]:
    """The 95% interval of resampled values; NaN where there are none.

    Parameters
    ----------
    values : array of float64, [B]
        One a resample.
    times : array of int64, [N], optional
        Of the rows that were resampled: few days make it wider, see `noria.training.tail`.
    """
    import numpy as np

    from noria.training import blocks_of, tail

    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    beyond = 0.025 if times is None else tail(blocks_of(times))
    low, high = np.quantile(values, [beyond, 1 - beyond])
    return float(low), float(high)
