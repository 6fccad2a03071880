"""A token that whoever bears it may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import Field

from noria.declarations import Secret
from noria.sources.sign_in.http import HttpSignIn, Keys

if TYPE_CHECKING:
    import httpx2


class Bearer(HttpSignIn):
    """A token in the header ``Authorization``.

    Parameters
    ----------
    token : Secret
        The token.
    scheme : str
        The word before it.

    Examples
    --------
    >>> from noria import secret
    >>> Bearer(secret("SHOP_TOKEN")).scheme
    'Bearer'
    """

    token: Secret = Field(kw_only=False)
    scheme: str = Field(default="Bearer", pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

    def auth(self, keys: Keys) -> Callable[[httpx2.Request], httpx2.Request]:
        value = f"{self.scheme} {keys.reveal(self.token)}"

        def show(request: httpx2.Request) -> httpx2.Request:
            request.headers["Authorization"] = value
            return request

        return show


def bearer(token: Secret, *, scheme: str = "Bearer") -> Bearer:
    """Sign in with a token; see `Bearer`."""
    return Bearer(token, scheme=scheme)
