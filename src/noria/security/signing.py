"""Ed25519 signatures of packages (RFC 8032, by the cryptography library)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from noria.core import IntegrityError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_PRIVATE, _PUBLIC = "signing.key", "signing.pub"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key; its representation shows nothing of it."""

    _key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def load_or_create(cls, folder: Path) -> SigningKey:
        """The key in a folder, made where there is none; of two processes that make one at once, one wins for both.

        Its public key lies beside it, for whoever only verifies: see `public_key`.

        Raises
        ------
        IntegrityError
            The file is not a key, or the public key beside it is another's.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        path = folder / _PRIVATE
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_once(path, Ed25519PrivateKey.generate().private_bytes_raw(), 0o600)
        raw = path.read_bytes()
        if len(raw) != 32:
            raise IntegrityError(
                "the signing key is not a key", place=str(path), mend="restore it, or remove it to make a new one"
            )
        key = cls(Ed25519PrivateKey.from_private_bytes(raw))
        beside = folder / _PUBLIC
        if not beside.exists():
            _write_once(beside, key.public, 0o644)
        if beside.read_bytes() != key.public:
            mend = "restore the two that belong together; or remove signing.pub, and it is made anew"
            raise IntegrityError("signing.pub is not the public key of signing.key", place=str(folder), mend=mend)
        return key

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """The signature of some bytes, 64 bytes."""
        return self._key.sign(data)


def public_key(folder: Path) -> bytes:
    """The public key of a folder of keys, 32 bytes: all that verifying takes.

    Where there is only the private key, the public one is written beside it.

    Raises
    ------
    IntegrityError
        There is neither, or the file is not a key.
    """
    path = folder / _PUBLIC
    if not path.exists():
        if not (folder / _PRIVATE).exists():
            mend = "noria run makes a key when it signs; elsewhere, copy signing.pub from where packages are signed"
            raise IntegrityError("there is no key to verify signatures with", place=str(path), mend=mend)
        return SigningKey.load_or_create(folder).public
    raw = path.read_bytes()
    if len(raw) != 32:
        mend = "restore it; where signing.key is, remove it to make it anew"
        raise IntegrityError("the public key is not a key", place=str(path), mend=mend)
    return raw


def copy_signing_key(folder: Path, target: Path) -> None:
    """Copy the signing key of a folder of keys, and nothing else from there, into another.

    Raises
    ------
    IntegrityError
        There is none.
    """
    if not (folder / _PRIVATE).exists():
        raise IntegrityError("there is no signing key", place=str(folder / _PRIVATE), mend="noria run makes one")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_once(target / _PRIVATE, (folder / _PRIVATE).read_bytes(), 0o600)


def _write_once(path: Path, data: bytes, mode: int) -> None:
    """Write a file whole, unless another process was first."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def verify(public: bytes, signature: bytes, data: bytes) -> None:
    """Check a signature.

    Raises
    ------
    IntegrityError
        It is not this key's signature of these bytes.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        raise IntegrityError(
            "the signature is wrong", mend="the package was changed, or another key signed it"
        ) from None
