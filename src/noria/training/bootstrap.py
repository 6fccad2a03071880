"""Bootstrap: how sure a score is.

Rows of one day share its weather and its jams, so they are not independent. Whole days are drawn, with replacement;
an interval from single rows would be too narrow. Where there are too few days to draw from, rows are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noria.training.metrics import by_group, sign

DAY = 86_400_000_000
_FEWEST_DAYS = 5
_CELLS = 1 << 21  # weights held at once: 8 MiB


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
    """Scores of two models under the same draws of the same rows.

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
    """Score a model and the baseline on the same rows, and the difference, each with its 95% interval."""
    groups = _groups(times)
    model, other = (by_group(metric, labels, guessed, groups) for guessed in (probabilities, baseline))
    scores = [(model(counts), other(counts)) for counts in _counts(groups, draws, seed)]
    mine, theirs = (sign(metric) * np.concatenate(part) for part in zip(*scores, strict=True))
    beyond = tail(blocks_of(times))
    return Draws(_estimate(mine, beyond), _estimate(theirs, beyond), _estimate(mine - theirs, beyond))


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


def _counts(groups: NDArray[np.intp], draws: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """How often each group counts: first once each, then `draws` times as drawn, in batches of bounded size."""
    size = int(groups.max()) + 1
    yield np.ones((1, size), np.float32)
    random = np.random.default_rng(seed)
    batch = max(1, _CELLS // len(groups))
    for start in range(0, draws, batch):
        drawn = [
            np.bincount(random.integers(size, size=size), minlength=size) for _ in range(min(batch, draws - start))
        ]
        yield np.array(drawn, np.float32)
