"""The values of secrets, looked up where they are used."""

from __future__ import annotations

import os
from pathlib import Path

from noria.core import DeclarationError
from noria.declarations import Secret


def reveal(secret: Secret, base: Path) -> str:
    """The value of a secret; see `noria.declarations.Secret` for what a reference may be.

    Parameters
    ----------
    secret : Secret
        The reference.
    base : Path
        The project's folder: relative paths start there.

    Raises
    ------
    DeclarationError
        There is no such secret; the error names the reference only.
    """
    name = secret.reference.removeprefix("env:")
    if name not in os.environ:
        raise DeclarationError("there is no such secret", value=secret.reference, mend=f"set the variable {name}")
    return os.environ[name]
