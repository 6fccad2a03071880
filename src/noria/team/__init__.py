"""Teamwork: decisions of people about versions."""

from noria.team.approvals import approve, decision

__all__ = ["approve", "decision"]
