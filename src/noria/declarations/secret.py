"""Secret: a password, key or token by reference; the value is looked up where it is used and kept nowhere."""

from __future__ import annotations

from pydantic import Field

from noria.declarations.declaration import Declaration


class Secret(Declaration):
    """A reference to a secret.

    What is hashed, stored and shown is the reference. `noria.security.reveal` looks the value up.

    Parameters
    ----------
    reference : str
        ``"NAME"`` or ``"env:NAME"``: an environment variable; ``"file:/run/secrets/name"``: a file's text;
        ``"keyring:service/user"``; ``"vault:mount/path#field"``; ``"aws:name#field"``.
    """

    reference: str = Field(kw_only=False, min_length=1)


def secret(reference: str) -> Secret:
    """A reference to a secret, for a password, key or token in a declaration.

    Examples
    --------
    >>> secret("SHOP_PASSWORD")
    Secret(reference='SHOP_PASSWORD')
    """
    return Secret(reference)
