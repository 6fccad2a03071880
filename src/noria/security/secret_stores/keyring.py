"""``keyring:service/user``: the keyring of the user's desktop or system, through the library of that name."""

from __future__ import annotations

from pathlib import Path

from noria.core import DeclarationError, require


def look_up(reference: str, base: Path) -> str:
    """The password of a service's user.

    Raises
    ------
    DeclarationError
        There is none, there is no keyring, or it is locked.
    """
    service, slash, user = reference.rpartition("/")
    if not (service and slash and user):
        raise DeclarationError("a keyring has services and users", value=f"keyring:{reference}",
                               mend="keyring:service/user")  # fmt: skip
    keyring = require("keyring", extra="keyring")
    try:
        value: str | None = keyring.get_password(service, user)
    except keyring.errors.KeyringError as error:
        raise DeclarationError(
            "the keyring does not answer",
            place=f"keyring:{reference}",
            value=type(error).__name__,
            mend="unlock it; where there is no desktop, keep the secret in a file: file:/run/secrets/name",
        ) from None
    if value is None:
        raise DeclarationError(
            "there is no such secret", value=f"keyring:{reference}", mend=f"keyring set {service} {user}"
        )
    return value


def keep(reference: str, value: str, base: Path) -> None:
    """Replace the password of a service's user."""
    keyring = require("keyring", extra="keyring")
    service, _, user = reference.rpartition("/")
    try:
        keyring.set_password(service, user, value)
    except keyring.errors.KeyringError as error:
        raise DeclarationError(
            "a server has replaced this secret, and the keyring does not take the new one",
            place=f"keyring:{reference}",
            value=type(error).__name__,
            mend="unlock it",
        ) from None
