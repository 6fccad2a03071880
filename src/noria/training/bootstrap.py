"""Bootstrap: how sure a score is.

Rows of one day share its weather and its jams, so they are not independent. Whole days are drawn, with replacement;
an interval from single rows would be too narrow. Where there are fewer than five days, single rows are drawn: of one
or two days whole days would say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noria.training.metrics import Weighting, by_group, mean_by_group, sign, skill

DAY = 86_400_000_000
_FEWEST_DAYS = 5
_CELLS = 1 << 21  # weights held at once: 8 MiB

Scored = tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.int64]]
"""Labels, probabilities and times of the same rows: ``[n]`` each."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score with its 95% interval."""

    value: float
    low: float
    high: float

    def to_body(self) -> dict[str, float]:
        """As plain JSON."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Draws:
    """Scores of two models under the same draws of the same rows, or of rows of their own.

    Attributes
    ----------
    score, baseline, difference : Estimate, optional
        In the direction that is maximised; None where a score is not defined, as for rows with one answer only.
    """

    score: Estimate | None
    baseline: Estimate | None
    difference: Estimate | None

    def to_body(self) -> dict[str, Any]:
        """As plain JSON."""
        named = {"score": self.score, "baseline": self.baseline, "difference": self.difference}
        return {name: None if estimate is None else estimate.to_body() for name, estimate in named.items()}


def days_of(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """The UTC day of each time, as days since 1970."""
    return times // DAY


def drawn_by(times: NDArray[np.int64]) -> str:
    """What is drawn of these rows, in words: ``"30 days"`` or ``"120 rows"``."""
    days = len(np.unique(days_of(times)))
    return f"{days} days" if days >= _FEWEST_DAYS else f"{len(times)} rows"


def blocks_of(times: NDArray[np.int64]) -> int:
    """How many things are drawn of these rows: days, or rows where there are too few days."""
    days = len(np.unique(days_of(times)))
    return days if days >= _FEWEST_DAYS else len(times)


def tail(blocks: int) -> float:
    """The share of draws beyond each end of a 95% interval.

    Percentiles of few blocks are too narrow: 2.5% is right for many, and of 7 days it leaves out the truth three times
    as often as it says. This is the expanded percentile interval of T. Hesterberg, "What Teachers Should Know About the
    Bootstrap", The American Statistician 69 (2015): as much wider as Student's t is, and as the variance of a sample is
    smaller than the population's.

    Examples
    --------
    >>> [round(tail(blocks), 4) for blocks in (7, 30, 10**6)]
    [0.0041, 0.0188, 0.025]
    """
    from scipy.special import ndtr, stdtrit

    if blocks < 2:
        return 0.0
    return float(ndtr(np.sqrt(blocks / (blocks - 1)) * stdtrit(blocks - 1, 0.025)))


def estimate(
    metric: str,
    labels: NDArray[np.int8],
    probabilities: NDArray[np.float64],
    times: NDArray[np.int64],
    *,
    draws: int,
    seed: int,
    as_skill: bool = False,
) -> Estimate | None:
    """Score a model on some rows, with a 95% interval.

    Parameters
    ----------
    metric : str
        One of `METRICS`.
    labels : int8 [n]
    probabilities : float64 [n]
    times : int64 [n]
        Microseconds since 1970-01-01 UTC: which rows are of one day.
    draws, seed : int
        Of the bootstrap.
    as_skill : bool
        Give the skill: each draw's score against the positives that were drawn, see `skill`.

    Returns
    -------
    Estimate, optional
        In the direction that is maximised; None where the score is not defined.

    Examples
    --------
    >>> labels, probabilities = np.array([0, 1] * 50, np.int8), np.array([0.2, 0.8, 0.6, 0.4] * 25)
    >>> found = estimate("roc_auc", labels, probabilities, np.arange(100), draws=200, seed=0)
    >>> found.value, found.low < 0.75 < found.high
    (0.75, True)
    """
    groups = _groups(times)
    ways = (by_group(metric, labels, probabilities, groups), mean_by_group(labels, groups))
    values, rates = _drawn(ways, groups, draws, seed)
    values = sign(metric) * values
    return _estimate(skill(metric, values, rates) if as_skill else values, tail(blocks_of(times)))


def compare(
    metric: str,
    labels: NDArray[np.int8],
    probabilities: NDArray[np.float64],
    baseline: NDArray[np.float64],
    times: NDArray[np.int64],
    *,
    draws: int,
    seed: int,
) -> Draws:
    """Score a model and the baseline on the same rows, and the difference, each with its 95% interval.

    Both are scored under the same draws (paired), so that what is hard for both cancels in the difference.

    Parameters
    ----------
    metric, labels, probabilities, times, draws, seed
        As in `estimate`.
    baseline : float64 [n]
        What the other model says of the same rows.

    Examples
    --------
    >>> labels, probabilities = np.array([0, 1] * 50, np.int8), np.array([0.2, 0.8, 0.6, 0.4] * 25)
    >>> compare("roc_auc", labels, probabilities, probabilities, np.arange(100), draws=200, seed=0).difference
    Estimate(value=0.0, low=0.0, high=0.0)
    """
    groups = _groups(times)
    ways = [by_group(metric, labels, guessed, groups) for guessed in (probabilities, baseline)]
    mine, theirs = (sign(metric) * values for values in _drawn(ways, groups, draws, seed))
    beyond = tail(blocks_of(times))
    return Draws(_estimate(mine, beyond), _estimate(theirs, beyond), _estimate(mine - theirs, beyond))


def compare_unpaired(metric: str, rows: Scored, baseline: Scored, *, draws: int, seed: int) -> Draws:
    """Score a model on some rows and the baseline on others, and the difference, each with its 95% interval.

    Each is drawn on its own. The difference has the tail of the one with fewer days: the degrees of freedom of a
    difference are at least those of its smaller sample (B. L. Welch, "The Significance of the Difference Between Two
    Means When the Population Variances Are Unequal", Biometrika 29, 1938).

    Parameters
    ----------
    metric, draws, seed
        As in `estimate`.
    rows, baseline : (labels, probabilities, times)
        The rows that each has answered, as in `estimate`.

    Examples
    --------
    >>> labels, probabilities = np.array([0, 1] * 50, np.int8), np.array([0.2, 0.8, 0.6, 0.4] * 25)
    >>> rows = (labels, probabilities, np.arange(100))
    >>> found = compare_unpaired("roc_auc", rows, rows, draws=200, seed=0).difference
    >>> found.value, found.low < 0 < found.high
    (0.0, True)
    """
    values, beyond = [], []
    for place, (labels, probabilities, times) in enumerate((baseline, rows)):
        groups = _groups(times)
        [one] = _drawn([by_group(metric, labels, probabilities, groups)], groups, draws, seed + place)
        values.append(sign(metric) * one)
        beyond.append(tail(blocks_of(times)))
    theirs, mine = values
    return Draws(_estimate(mine, beyond[1]), _estimate(theirs, beyond[0]), _estimate(mine - theirs, min(beyond)))


def _estimate(values: NDArray[np.float64], beyond: float) -> Estimate | None:
    """The first value with the interval of the others; draws in which the score is not defined say nothing."""
    drawn = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or not len(drawn):
        return None
    low, high = np.quantile(drawn, (beyond, 1 - beyond))
    return Estimate(float(values[0]), float(low), float(high))


def _groups(times: NDArray[np.int64]) -> NDArray[np.intp]:
    """What each row is drawn with, from 0: its day, or itself."""
    days, groups = np.unique(days_of(times), return_inverse=True)
    return groups if len(days) >= _FEWEST_DAYS else np.arange(len(times))


def _drawn(ways: Sequence[Weighting], groups: NDArray[np.intp], draws: int, seed: int) -> list[NDArray[np.float64]]:
    """What each way says, ``[1 + draws]``: of the rows as they are, then of each draw, the same for all ways."""
    found = [[way(counts) for way in ways] for counts in _counts(groups, draws, seed)]
    return [np.concatenate(part) for part in zip(*found, strict=True)]


def _counts(groups: NDArray[np.intp], draws: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """How often each group counts: first once each, then `draws` times as drawn, in batches of bounded size."""
    size = int(groups.max()) + 1
    yield np.ones((1, size), np.float32)
    random = np.random.default_rng(seed)
    batch = max(1, _CELLS // len(groups))
    for start in range(0, draws, batch):
        some = min(batch, draws - start)
        drawn = random.integers(size, size=(some, size)) + np.arange(some)[:, None] * size
        yield np.bincount(drawn.ravel(), minlength=some * size).reshape(some, size).astype(np.float32)
