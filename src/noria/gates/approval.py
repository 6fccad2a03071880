"""Approval: a person in a role has decided."""

from __future__ import annotations

from pydantic import Field

from noria.declarations import Project
from noria.gates.check import Check, Finding
from noria.gates.evidence import Evidence


class Approval(Check):
    """Somebody with a role has approved this version; or the project says why evidence alone decides.

    Parameters
    ----------
    role : str
        Who must approve: a role of `Team` members. ``noria approve`` records it.
    waived : str, optional
        Why nobody has to: the gate passes, and these words are its evidence.
    four_eyes : bool
        Whoever packaged the version may not be the one who approves it; no by default.

    Examples
    --------
    >>> Approval("domain expert").role
    'domain expert'
    """

    role: str = Field(kw_only=False, min_length=1)
    waived: str | None = Field(default=None, min_length=1)
    four_eyes: bool = False

    def refuse_useless(self, project: Project) -> None:
        if self.waived is None and not any(self.role in member.roles for member in project.team.members):
            raise self.refuse(
                "nobody in the team has this role, so nothing could ever be promoted",
                field="role",
                value=self.role,
                mend=f'Team(members=[Member("name", roles=["{self.role}"])]), or say why not: Approval(…, waived="…")',
            )

    def check(self, evidence: Evidence) -> Finding:
        if self.waived is not None:
            return Finding(True, f"waived by the project: {self.waived}", {"role": self.role, "waived": self.waived})
        from noria.team import decision

        event = decision(evidence.ledger, self.role, evidence.version)
        if event is None:
            text = f"waits for a {self.role}: noria approve {evidence.version} --role '{self.role}' --because '…'"
            return Finding(False, text, {"role": self.role, "waiting": True})
        passed = event.kind == "approval.given"
        if passed and self.four_eyes and event.actor in _makers(evidence):
            text = f"{event.actor} packaged this version, so another {self.role} must approve it"
            return Finding(False, text, {"role": self.role, "waiting": True, "actor": event.actor, "event": event.seq})
        because = str(event.body.get("text", ""))
        said = ("approved" if passed else "refused") + (f": {because}" if because else "")
        return Finding(
            passed,
            f"{event.actor} ({self.role}) {said}",
            {"role": self.role, "actor": event.actor, "because": because, "event": event.seq},
        )


def _makers(evidence: Evidence) -> set[str]:
    """Who packaged the version; more than one where it was made again."""
    packaged = evidence.ledger.events(kind="version.packaged")
    return {event.actor for event in packaged if event.body["version"] == evidence.version}
