"""Ed25519 signatures of packages (RFC 8032, by the cryptography library)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from noria.core import IntegrityError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key; its representation shows nothing of it."""

    _key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def load_or_create(cls, folder: Path) -> SigningKey:
        """The key in a folder, made where there is none; of two processes that make one at once, one wins for both.

        Raises
        ------
        IntegrityError
            The file is not a key.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        path = folder / "signing.key"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = folder / f"signing.key.{os.getpid()}"
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(Ed25519PrivateKey.generate().private_bytes_raw())
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(fresh, path)  # fails where another process was first
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        raw = path.read_bytes()
        if len(raw) != 32:
            raise IntegrityError(
                "the signing key is not a key", place=str(path), mend="restore it, or remove it to make a new one"
            )
        return cls(Ed25519PrivateKey.from_private_bytes(raw))

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """The signature of some bytes, 64 bytes."""
        return self._key.sign(data)


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
