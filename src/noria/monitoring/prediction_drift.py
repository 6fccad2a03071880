"""PredictionDrift: the answers are distributed otherwise than in training."""

from __future__ import annotations

from pydantic import Field

from noria.monitoring.histogram import bins, daily, shift, size_of
from noria.monitoring.watch import Alarm, Watch
from noria.monitoring.window import Window


class PredictionDrift(Watch):
    """The probabilities have moved far from those on the validation rows, and farther than chance would take them.

    It needs no labels, so it speaks before `Performance` can.

    Parameters
    ----------
    psi : float
        From where a move matters; 0.25 is usual.
    alpha : float
        How often a check may cry wolf.
    rows : int
        Windows with fewer rows are not judged.

    Examples
    --------
    >>> PredictionDrift(psi=0.1).psi
    0.1
    """

    psi: float = Field(default=0.25, gt=0)
    alpha: float = Field(default=0.01, gt=0, lt=1)
    rows: int = Field(default=500, ge=2)

    def check(self, window: Window) -> Alarm | None:
        reference = {"nulls": 0, **self._reference(window, "scores")}
        if window.rows < self.rows:
            return None
        found = shift(daily(bins(window.scores, reference), window.times, size_of(reference)), reference)
        if found.psi < self.psi or found.p >= self.alpha:
            return None
        answered = window.scores[window.scores == window.scores]
        mean = float(answered.mean()) if len(answered) else None
        text = f"the answers moved away from training (PSI {found.psi:.2f}); " + (
            "there is none" if mean is None else f"their mean is {mean:.3f}"
        )
        return self._alarm(window, text, {"rows": window.rows, "psi": found.psi, "p": found.p, "mean": mean})
