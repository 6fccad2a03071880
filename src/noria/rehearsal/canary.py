"""Canary: a few requests decide whether a new version gets all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_DRAWS = 500


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

    It has passed its gates, so nothing more has to be proven; the canary looks for what gates cannot see. The arms have
    answered different requests, so they are drawn each on its own (unpaired).

    Parameters
    ----------
    metric : str
        As in `noria.training.score`.
    champion, challenger : Arm
        The requests that each version got.
    """
    import numpy as np

    from noria.training import compare_unpaired

    rows = {"champion": len(champion.labels), "challenger": len(challenger.labels)}
    silent = Verdict(True, "too few answers are known to speak against it", {"rows": rows})
    if any(not 0 < arm.labels.sum() < len(arm.labels) for arm in (champion, challenger)):
        return silent
    new, old = ((arm.labels.astype(np.int8), arm.scores, arm.times) for arm in (challenger, champion))
    found = compare_unpaired(metric, new, old, draws=_DRAWS, seed=0)
    if found.score is None or found.baseline is None or found.difference is None:
        return silent
    facts = {
        "rows": rows,
        "champion": found.baseline.value,
        "challenger": found.score.value,
        "difference": found.difference.to_body(),
    }
    promote = not found.difference.high < 0
    text = (
        f"{metric} {found.score.value:.3f} in {rows['challenger']:,} answered requests of the canary, "
        f"{found.baseline.value:.3f} in {rows['champion']:,} others: {'not surely' if promote else 'surely'} worse"
    )
    return Verdict(promote, text, facts)
