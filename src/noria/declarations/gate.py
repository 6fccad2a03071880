"""Gate: a check with evidence that a version must pass to be promoted."""

from __future__ import annotations

from noria.declarations.declaration import Declaration


class Gate(Declaration):
    """A check with evidence. Kinds and their behaviour live in `noria.gates`, one file each."""
