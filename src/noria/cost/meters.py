"""Meters: what a piece of work took."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Meters:
    """What a piece of work took.

    Attributes
    ----------
    wall_seconds, cpu_seconds : float
        By the clock, and of all processors together.
    peak_bytes : int
        The most memory that it held at once.
    read_bytes, written_bytes : int
        From and to storage.
    stored_bytes : int
        Of what it wrote, what it left: scratch files come and go.
    """

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    stored_bytes: int = 0

    def to_body(self) -> dict[str, float]:
        """As plain JSON for an event."""
        return asdict(self)
