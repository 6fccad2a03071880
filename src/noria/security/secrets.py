"""The values of secrets, looked up where they are used."""

from __future__ import annotations

import difflib
import fcntl
import hashlib
import importlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from noria.core import DeclarationError
from noria.declarations import Secret

STORES = {
    "env": "noria.security.secret_stores.environment",
    "file": "noria.security.secret_stores.file",
    "keyring": "noria.security.secret_stores.keyring",
    "vault": "noria.security.secret_stores.vault",
    "aws": "noria.security.secret_stores.aws",
}
"""Of each kind of reference the module whose ``look_up`` gives the value, and whose ``keep``, if any, writes it."""
FRESH = 60.0
"""Seconds that what a server or a keyring answered is kept, in memory alone. Variables and files are always read."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_answers: dict[tuple[str, Path], tuple[float, str]] = {}
_lock = threading.Lock()


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
        There is no such secret, or it may not be read; the error names the reference only.
    TransientError
        The server that keeps it does not answer.
    """
    kind, rest = _kind_of(secret)
    if kind in ("env", "file"):
        value = _look_up(kind, rest, base)
    else:
        with _lock:
            when, value = _answers.get((secret.reference, base), (0.0, ""))
            if not value or time.monotonic() - when > FRESH:
                value = _look_up(kind, rest, base)
                _answers[secret.reference, base] = (time.monotonic(), value)
    if not value:
        raise DeclarationError("this secret is empty", value=secret.reference, mend="give it a value")
    return value


def forget(secret: Secret, base: Path) -> None:
    """Look a secret up anew when it is next asked for: it was refused, so it may have been replaced."""
    with _lock:
        _answers.pop((secret.reference, base), None)


def keep(secret: Secret, value: str, base: Path) -> None:
    """Write the value of a secret that a server has replaced, such as a refresh token, to where it is kept.

    Raises
    ------
    DeclarationError
        This kind of secret cannot be written.
    """
    kind, rest = _kind_of(secret)
    module = importlib.import_module(STORES[kind])
    if not hasattr(module, "keep"):
        raise DeclarationError(
            "a server has replaced this secret, and the new one cannot be kept there",
            value=secret.reference,
            mend="keep it in a file or a keyring: file:…, keyring:…",
        )
    forget(secret, base)
    module.keep(rest, value, base)


@contextmanager
def exclusive(secret: Secret, base: Path) -> Iterator[None]:
    """While this is held, nobody else on this machine holds it for the same secret; what it is is looked up anew."""
    name = hashlib.blake2b(f"{base}\0{secret.reference}".encode(), digest_size=16).hexdigest()
    folder = Path(tempfile.gettempdir()) / f"noria-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        raise DeclarationError(
            "this folder is somebody else's", place=str(folder), mend="set TMPDIR to one of your own"
        )
    with open(folder / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        forget(secret, base)
        yield


def _kind_of(secret: Secret) -> tuple[str, str]:
    kind, colon, rest = secret.reference.partition(":")
    if not colon:
        kind, rest = "env", secret.reference
    if kind == "env" and not _NAME.fullmatch(rest):
        # It may be the secret itself, so it is not shown.
        raise DeclarationError(
            "a secret is given by a reference, and this is none",
            place=secret.written_at or None,
            mend='secret("NAME") for the variable NAME, "file:…", "keyring:…", "vault:…" or "aws:…"; never the value',
        )
    if kind not in STORES:
        near = difflib.get_close_matches(kind, STORES, n=1)
        raise DeclarationError(
            "there is no such kind of secret",
            place=secret.written_at or None,
            mend=(f"did you mean '{near[0]}:'? " if near else "") + "one of " + ", ".join(f"{one}:" for one in STORES),
        )
    return kind, rest


def _look_up(kind: str, rest: str, base: Path) -> str:
    value: str = importlib.import_module(STORES[kind]).look_up(rest, base)
    return value
