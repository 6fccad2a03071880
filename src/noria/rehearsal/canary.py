"""Canary: a few requests decide whether a new version gets all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noria.monitoring import interval, resampled, score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Arm:
    """The requests that a version got and whose answers are known.

    Attributes
    ----------
    times : array of int64, [N]
        Microseconds since 1970-01-01 UTC.
    labels, scores : array of float64, [N]
        Answers and probabilities.
    """

    times: NDArray[np.int64]
    labels: Floats
    scores: Floats


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the canary says.

    Attributes
    ----------
    promote : bool
        Whether the new version gets all requests; else it gets none.
    text : str
        Why, in one sentence.
    facts : mapping
        Rows and scores of both arms, and the interval of their difference: plain JSON.
    """

    promote: bool
    text: str
    facts: dict[str, Any]


def decide(metric: str, champion: Arm, challenger: Arm) -> Verdict:
    """Compare two arms: the new version is rolled back where it is surely worse.

    It has passed its gates, so nothing more has to be proven; the canary looks for what gates cannot see.

    Parameters
    ----------
    metric : str
        As in `noria.monitoring.score`.
    champion, challenger : Arm
        The requests that each version got.
    """
    import numpy as np

    rows = {"champion": len(champion.labels), "challenger": len(challenger.labels)}
    if any(not 0 < arm.labels.sum() < len(arm.labels) for arm in (champion, challenger)):
        return Verdict(True, "too few answers are known to speak against it", {"rows": rows})
    scores = [float(score(metric, arm.labels, arm.scores)[0]) for arm in (champion, challenger)]
    drawn = [
        resampled(metric, arm.labels, (arm.scores,), arm.times, seed=seed)[0][0]
        for seed, arm in enumerate((champion, challenger))
    ]
    low, high = interval(drawn[1] - drawn[0], np.concatenate([champion.times, challenger.times]))
    facts = {
        "rows": rows,
        "champion": scores[0],
        "challenger": scores[1],
        "difference": {"value": scores[1] - scores[0], "low": low, "high": high},
    }
    promote = not high < 0
    text = (
        f"{metric} {scores[1]:.3f} in {rows['challenger']:,} answered requests of the canary, {scores[0]:.3f} in "
        f"{rows['champion']:,} others: {'not surely' if promote else 'surely'} worse"
    )
    return Verdict(promote, text, facts)
