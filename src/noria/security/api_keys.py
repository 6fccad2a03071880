"""API keys: random, shown once, kept as hashes."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

from noria.core import DeclarationError, IntegrityError
from noria.workspace import write_atomically


class ApiKeys:
    """The API keys of a workspace, in one file of labels and hashes.

    A key has 256 random bits, so a plain hash of it cannot be searched; it needs no slow one.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    """

    def __init__(self, path: Path):
        self._path = path
        self._hashes = _read(path)

    def __len__(self) -> int:
        return len(self._hashes)

    def labels(self) -> tuple[str, ...]:
        """The labels of all keys."""
        return tuple(sorted(self._hashes))

    def create(self, label: str) -> str:
        """A new key under a label; it is returned once and kept only as a hash."""
        key = "noria_" + secrets.token_urlsafe(32)
        with self._alone():
            if label in self._hashes:
                mend = "revoke it first, or take another label"
                raise DeclarationError("there is a key of that label", value=label, mend=mend)
            self._store({**self._hashes, label: _hash(key)})
        return key

    def revoke(self, label: str) -> None:
        """Forget a key."""
        with self._alone():
            if label not in self._hashes:
                mend = "one of " + (", ".join(self.labels()) or "none")
                raise DeclarationError("no key of that label", value=label, mend=mend)
            self._store({name: value for name, value in self._hashes.items() if name != label})

    def holder(self, key: str) -> str | None:
        """The label of a key, or None; takes the same time for every wrong key."""
        given, found = _hash(key), None
        for label, known in self._hashes.items():
            if hmac.compare_digest(given, known):
                found = label
        return found

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the file against other processes, and see what they have written."""
        import fcntl

        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self._path.with_name(self._path.name + ".lock"), "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._hashes = _read(self._path)
            yield

    def _store(self, hashes: dict[str, str]) -> None:
        write_atomically(self._path, json.dumps(hashes).encode(), mode=0o600)
        self._hashes = hashes


def _read(path: Path) -> dict[str, str]:
    try:
        hashes = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        hashes = None
    if not isinstance(hashes, dict) or not all(isinstance(value, str) for value in hashes.values()):
        mend = "restore it, or make new keys"
        raise IntegrityError("the file of API keys cannot be read", place=str(path), mend=mend)
    return hashes


def _hash(key: str) -> str:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
