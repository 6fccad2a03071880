"""BeatsBaseline: the model is better than the simple rule that it replaces, beyond chance."""

from __future__ import annotations

from pydantic import Field

from noria.gates.check import Check, Finding
from noria.gates.evidence import Evidence


class BeatsBaseline(Check):
    """The model beats the baseline on the sealed test, by the interval and not by the point.

    The difference of the two scores is bootstrapped over the same rows (paired), so that what is hard for both cancels;
    the lower end of its 95% interval must be above the margin.

    Parameters
    ----------
    margin : float
        How much better it must be, in units of the search's metric.

    Examples
    --------
    >>> BeatsBaseline(margin=0.01)
    BeatsBaseline(margin=0.01)
    """

    margin: float = Field(default=0.0, kw_only=False, ge=0)

    def check(self, evidence: Evidence) -> Finding:
        difference = evidence.difference
        passed = difference.low > self.margin
        return Finding(
            passed,
            f"{evidence.metric} {evidence.score} against {evidence.baseline} of the baseline: better by {difference}, "
            f"{'surely' if passed else 'not surely'} more than {self.margin:g}",
            {
                "metric": evidence.metric,
                "score": evidence.score.to_body(),
                "baseline": evidence.baseline.to_body(),
                "difference": difference.to_body(),
                "margin": self.margin,
            },
        )
