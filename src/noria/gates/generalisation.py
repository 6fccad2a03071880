"""GeneralisationGap: what the search saw on its validation rows holds on rows that it never saw."""

from __future__ import annotations

from pydantic import Field

from noria.gates.check import Check, Finding
from noria.gates.evidence import Evidence


class GeneralisationGap(Check):
    """The skill on the sealed test is not much below the skill on the validation rows.

    A search picks what is best on its validation rows, and so a little of what is best by luck there. Skill is the
    score on a scale where chance is 0 and perfection is 1, because the same model has another score where positives
    are rarer: see `noria.training.skill`.

    Parameters
    ----------
    limit : float
        The largest relative drop: 0.2 allows a skill of 0.4 to become 0.32.

    Examples
    --------
    >>> GeneralisationGap(limit=0.1)
    GeneralisationGap(limit=0.1)
    """

    limit: float = Field(default=0.2, kw_only=False, ge=0, le=1)

    def check(self, evidence: Evidence) -> Finding:
        before, after = evidence.validation_skill, evidence.skill
        drop = 1 - after / before if before > 0 else 1.0
        return Finding(
            drop <= self.limit,
            f"skill {before:.3f} on the validation rows, {after:.3f} on the sealed test: "
            + (f"a drop of {drop:.0%}" if drop > 0 else f"no drop ({-drop:+.0%})")
            + f", at most {self.limit:.0%} is allowed",
            {"validation": before, "test": after, "drop": drop, "limit": self.limit, "metric": evidence.metric},
        )
