"""A user and a password, in HTTP's basic scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from noria.core import require
from noria.declarations import Secret
from noria.sources.sign_in.http import HttpSignIn, Keys

if TYPE_CHECKING:
    import httpx2


class Basic(HttpSignIn):
    """A user and a password.

    Parameters
    ----------
    user : str or Secret
        The user.
    password : Secret
        The password.

    Examples
    --------
    >>> from noria import secret
    >>> Basic("ann", secret("SHOP_PASSWORD")).user
    'ann'
    """

    user: str | Secret = Field(kw_only=False)
    password: Secret = Field(kw_only=False)

    def auth(self, keys: Keys) -> httpx2.Auth:
        user = keys.reveal(self.user) if isinstance(self.user, Secret) else self.user
        made: httpx2.Auth = require("httpx2", extra="rest").BasicAuth(user, keys.reveal(self.password))
        return made


def basic(user: str | Secret, password: Secret) -> Basic:
    """Sign in with a user and a password; see `Basic`."""
    return Basic(user, password)
