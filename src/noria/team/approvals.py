"""Approvals: a person in a role says yes or no to a version, and the ledger keeps it."""

from __future__ import annotations

from noria.core import DeclarationError, GateError
from noria.declarations import Team
from noria.ledger import Event, Ledger
from noria.security import current_actor


def approve(
    ledger: Ledger, team: Team, role: str, version: str, because: str, *, refuse: bool = False, actor: str | None = None
) -> Event:
    """Write a decision about a version, given whole or by at least four of its first digits, into the ledger.

    Raises
    ------
    GateError
        The actor does not have the role.
    DeclarationError
        The version is unknown or more than one begins so, the reason is empty, or the person already said the same.
    """
    actor = actor or current_actor()
    if not because.strip():
        raise DeclarationError("a decision needs a reason", mend="--because '…'")
    holders = [member.name for member in team.members if role in member.roles]
    if actor not in holders:
        raise GateError(
            f"'{actor}' does not have the role '{role}'",
            value=actor,
            mend=f"ask {', '.join(holders)}"
            if holders
            else f"add nr.Member('{actor}', '{role}') to the project's team",
        )
    packaged = _packaged(ledger, version)
    version = packaged.body["version"]
    kind = "approval.refused" if refuse else "approval.given"
    last = decision(ledger, role, version)
    if last is not None and last.actor == actor and last.kind == kind:
        raise DeclarationError("you already said so", value=f"{kind} at {last.at:%Y-%m-%d %H:%M}")
    return ledger.append(kind, packaged.subject, actor=actor, body={"version": version, "role": role, "text": because})


def _packaged(ledger: Ledger, version: str) -> Event:
    made = {str(event.body["version"]): event for event in ledger.events(kind="version.packaged")}
    found = [name for name in made if name == version or (len(version) >= 4 and name.startswith(version))]
    if len(found) > 1:
        raise DeclarationError("more than one version begins so", value=version, mend="one of " + ", ".join(found))
    if not found:
        raise DeclarationError("no such version", value=version, mend="noria log --kind 'version.*' lists them")
    return made[found[0]]


def decision(ledger: Ledger, role: str, version: str) -> Event | None:
    """The last decision of a role about a version."""
    for event in ledger.events(kind="approval.*", newest_first=True):
        if event.body["role"] == role and event.body["version"] == version:
            return event
    return None
