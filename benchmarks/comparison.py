"""Comparison: one thing measured, for Noria and for a peer. What a benchmark prints and the runner reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Comparison:
    """One thing measured.

    Attributes
    ----------
    what : str
        What is done, with its size: "one row over HTTP, 8 connections".
    unit : str
        ``"s"``, ``"ms"`` (smaller is better) or ``"/s"`` (more is better).
    noria : float
        Noria's figure.
    peer : str
        Who it is compared with; empty for a figure that stands alone.
    theirs : float, optional
        The peer's figure.
    goal : str
        What was to be reached: ``"< 1 s"``, ``"6x"``.
    note : str
        What a reader must know to judge it.
    versions : dict
        Of the peer's libraries.
    """

    what: str
    unit: str
    noria: float
    peer: str = ""
    theirs: float | None = None
    goal: str = ""
    note: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """How many times better Noria is; below 1 the peer is."""
        if self.theirs is None:
            return None
        return self.noria / self.theirs if self.unit.endswith("/s") else self.theirs / self.noria

    def say(self) -> None:
        """Print it, for the runner and for people."""
        print("comparison: " + json.dumps(asdict(self)), flush=True)

    @classmethod
    def heard(cls, line: str) -> Comparison | None:
        """What `say` printed, from a line of output."""
        head, _, rest = line.partition("comparison: ")
        return cls(**json.loads(rest)) if not head and rest else None
