"""Drift: the features are distributed otherwise than in training."""

from __future__ import annotations

from pydantic import Field

from noria.monitoring.histogram import bins, daily, shift, size_of
from noria.monitoring.watch import Alarm, Watch
from noria.monitoring.window import Window


class Drift(Watch):
    """Some feature has moved far from training, and farther than chance would take any of them.

    Both must hold: the population stability index is over `psi`, and its probability by chance, given how many rows the
    window is worth, is under `alpha` divided by the number of features (Bonferroni).

    Parameters
    ----------
    psi : float
        From where a move matters; 0.25 is usual.
    alpha : float
        How often a check may cry wolf, over all features together.
    rows : int
        Windows with fewer rows are not judged.

    Examples
    --------
    >>> Drift(window="3d", action="retrain").action
    'retrain'
    """

    psi: float = Field(default=0.25, gt=0)
    alpha: float = Field(default=0.01, gt=0, lt=1)
    rows: int = Field(default=500, ge=2)

    def check(self, window: Window) -> Alarm | None:
        references = self._reference(window, "features")
        names = [name for name in references if name in window.columns]
        if window.rows < self.rows or not names:
            return None
        moved = []
        for name in names:
            reference = references[name]
            seen = daily(bins(window.columns[name], reference), window.times, size_of(reference))
            found = shift(seen, reference)
            if found.psi >= self.psi and found.p < self.alpha / len(names):
                moved.append({"feature": name, "psi": found.psi, "p": found.p})
        if not moved:
            return None
        moved.sort(key=lambda feature: -float(feature["psi"]))
        first = ", ".join(f"{feature['feature']} (PSI {feature['psi']:.2f})" for feature in moved[:3])
        text = f"{len(moved)} of {len(names)} features moved away from training: {first}" + ("…" if moved[3:] else "")
        return self._alarm(window, text, {"rows": window.rows, "features": len(names), "moved": moved})
