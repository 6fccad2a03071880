"""Compare: the period with retraining against the same period without, on the same questions and the same features."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from noria.core import from_micros
from noria.monitoring import interval, resampled, score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_RESAMPLES = 300
_DAY = timedelta(days=1) // timedelta(microseconds=1)


def compare(metric: str, times: NDArray[np.int64], labels: Floats, frozen: Floats, live: Floats) -> dict[str, Any]:
    """Scores of both, over the whole period and by day.

    Parameters
    ----------
    metric : str
        As in `noria.monitoring.score`.
    times : array of int64, [N]
        When each question was asked: microseconds since 1970-01-01 UTC.
    labels : array of float64, [N]
        Answers; NaN where there never was one.
    frozen, live : array of float64, [N]
        Probabilities of the version that was there at the start, and those that were answered.

    Returns
    -------
    dict
        ``{"overall": {…}, "days": [{"day": "2013-12-01", …}, …]}`` with ``rows``, ``answered``, ``positives``,
        ``score_frozen``, ``score_retrained`` (null where all answers are the same) and ``difference``:
        ``{"value", "low", "high"}`` by paired bootstrap.
    """
    import numpy as np

    day = times // _DAY
    days = [
        {
            "day": from_micros(int(one) * _DAY).date().isoformat(),
            **_scores(metric, day == one, times, labels, frozen, live),
        }
        for one in np.unique(day)
    ]
    return {"overall": _scores(metric, np.ones(len(times), bool), times, labels, frozen, live), "days": days}


def _scores(
    metric: str, part: NDArray[np.bool_], times: NDArray[np.int64], labels: Floats, frozen: Floats, live: Floats
) -> dict[str, Any]:
    import numpy as np

    asked = int(part.sum())
    part = part & ~np.isnan(labels)
    y, old, new = labels[part], frozen[part], live[part]
    facts: dict[str, Any] = {"rows": asked, "answered": len(y), "positives": int(y.sum())}
    if not 0 < y.sum() < len(y):
        return {**facts, "score_frozen": None, "score_retrained": None, "difference": None}
    before, after = float(score(metric, y, old)[0]), float(score(metric, y, new)[0])
    drawn, _ = resampled(metric, y, (old, new), times[part], resamples=_RESAMPLES)
    low, high = interval(drawn[1] - drawn[0], times[part])
    difference = {"value": after - before, "low": low, "high": high}
    return {**facts, "score_frozen": before, "score_retrained": after, "difference": difference}
