"""Compare: the period with retraining against the same period without, on the same questions and the same features."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from noria.core import from_micros

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.training import Estimate

    Floats = NDArray[np.float64]

_DRAWS = 300
_DAY = timedelta(days=1) // timedelta(microseconds=1)


def compare(metric: str, times: NDArray[np.int64], labels: Floats, frozen: Floats, live: Floats) -> dict[str, Any]:
    """Scores of both, over the whole period and by day.

    Whole days are drawn for an interval; where there are fewer than five, as in the figures of one day, single rows
    are. So a day's interval says how sure its own rows are, not what another day would have brought.

    Parameters
    ----------
    metric : str
        As in `noria.training.score`.
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

    from noria.training import compare as paired

    asked = int(part.sum())
    part = part & ~np.isnan(labels)
    y, old, new = labels[part].astype(np.int8), frozen[part], live[part]
    facts: dict[str, Any] = {"rows": asked, "answered": len(y), "positives": int(y.sum())}
    if not 0 < y.sum() < len(y):
        return {**facts, "score_frozen": None, "score_retrained": None, "difference": None}
    found = paired(metric, y, new, old, times[part], draws=_DRAWS, seed=0)
    return {
        **facts,
        "score_frozen": _value(found.baseline),
        "score_retrained": _value(found.score),
        "difference": found.to_body()["difference"],
    }


def _value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value
