"""Check: what every gate can do, and what it finds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from noria.declarations import Gate, Project
from noria.gates.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Finding:
    """What a gate found.

    Attributes
    ----------
    passed : bool
        Whether the version may go on.
    text : str
        Why, in one sentence that a person reads.
    facts : mapping
        The figures behind it: plain JSON. ``{"waiting": True}`` where a person has not decided yet.
    """

    passed: bool
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Check(Gate):
    """A kind of gate: its parameters are its fields, its behaviour is `check`."""

    @abstractmethod
    def check(self, evidence: Evidence) -> Finding:
        """Look at the evidence of one version; never changes anything."""

    def refuse_useless(self, project: Project) -> None:
        """Raise a `DeclarationError` where this gate could never work in `project`; called when it is planned."""
