"""``NAME`` or ``env:NAME``: a variable of the environment."""

from __future__ import annotations

import os
from pathlib import Path

from noria.core import DeclarationError


def look_up(name: str, base: Path) -> str:
    """The value of a variable."""
    if name not in os.environ:
        raise DeclarationError("there is no such secret", value=name, mend=f"set the variable {name}")
    return os.environ[name]
