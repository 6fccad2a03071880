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


def decide(metric: str, champion: tuple[Floats, Floats], challenger: tuple[Floats, Floats]) -> Verdict:
    """Compare two arms: the new version is rolled back where it is surely worse.

    It has passed its gates, so nothing more has to be proven; the canary looks for what gates cannot see.

    Parameters
    ----------
    metric : str
        As in `noria.monitoring.score`.
    champion, challenger : (array of float64 [N], array of float64 [N])
        Known answers and probabilities of the requests that each version got.
    """
    rows = {"champion": len(champion[0]), "challenger": len(challenger[0])}
    if any(not 0 < labels.sum() < len(labels) for labels, _ in (champion, challenger)):
        return Verdict(True, "too few answers are known to speak against it", {"rows": rows})
    scores = [float(score(metric, *arm)[0]) for arm in (champion, challenger)]
    drawn = [resampled(metric, labels, (values,), seed=seed)[0][0]
             for seed, (labels, values) in enumerate((champion, challenger))]  # fmt: skip
    low, high = interval(drawn[1] - drawn[0])
    facts = {
        "rows": rows, "champion": scores[0], "challenger": scores[1],
        "difference": {"value": scores[1] - scores[0], "low": low, "high": high},
    }
    promote = not high < 0
    text = (
        f"{metric} {scores[1]:.3f} in {rows['challenger']:,} answered requests of the canary, {scores[0]:.3f} in "
        f"{rows['champion']:,} others: {'not surely' if promote else 'surely'} worse"
    )
    return Verdict(promote, text, facts)
