"""Who is acting: the name that ledger events carry."""

from __future__ import annotations

import getpass
import os


def current_actor() -> str:
    """``NORIA_ACTOR`` where it is set, else the user of the operating system."""
    named = os.environ.get("NORIA_ACTOR", "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
