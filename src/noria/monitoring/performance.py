"""Performance: the score, as the answers become known."""

from __future__ import annotations

from pydantic import Field

from noria.monitoring.watch import Alarm, Watch
from noria.monitoring.window import Window

_DRAWS = 500


class Performance(Watch):
    """The score of the window has surely fallen: the upper end of its 95% interval is below what was expected.

    Without `retrain_below` the skill is watched: the score on a scale where chance is 0 and perfection is 1. In a month
    with more positives the same model has a higher average precision, but not a higher skill.

    Parameters
    ----------
    retrain_below : float, optional
        The lowest score that is good enough, in units of the search's metric.
    drop : float
        Without it: by how much the skill may fall, relative to the sealed test.
    rows : int
        Windows with fewer known answers are not judged.

    Examples
    --------
    >>> Performance(retrain_below=0.3, action="retrain").retrain_below
    0.3
    """

    retrain_below: float | None = Field(default=None, allow_inf_nan=False)
    drop: float = Field(default=0.1, ge=0, lt=1)
    rows: int = Field(default=300, ge=2)

    def check(self, window: Window) -> Alarm | None:
        import numpy as np

        from noria.training import estimate, score

        known = ~np.isnan(window.labels) & ~np.isnan(window.scores)
        labels, scores, times = window.labels[known].astype(np.int8), window.scores[known], window.times[known]
        if len(labels) < self.rows or labels.min() == labels.max():
            return None
        if self.retrain_below is not None:
            name, limit = window.metric, self.retrain_below
        else:
            name, limit = "skill", window.skill * (1 - self.drop)
        found = estimate(window.metric, labels, scores, times, draws=_DRAWS, seed=0, as_skill=name == "skill")
        if found is None or not found.high < limit:
            return None
        facts = {
            "of": name,
            **found.to_body(),
            "limit": limit,
            "rows": len(labels),
            "score": score(window.metric, labels, scores),
            "positive": float(labels.mean()),
        }
        between = f"[{found.low:.3f}, {found.high:.3f}]"
        text = f"{name} {found.value:.3f} {between} over {len(labels):,} known answers is below {limit:.3f}"
        return self._alarm(window, text, facts)
