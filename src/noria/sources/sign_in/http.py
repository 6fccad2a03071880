"""What a server over HTTP is shown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.core import is_in_the_clear, redacted
from noria.declarations import Declaration, Secret, SignIn

if TYPE_CHECKING:
    import ssl

    import httpx2

SECRET_PARAMS = "noria.secret_params"
"""The extension of a request that holds parameters whose values are secret: they join its address on the wire alone,
so that neither a log nor an error of the client shows them."""


class Keys:
    """What a sign-in may ask for while it is used.

    Parameters
    ----------
    reveal : callable
        Gives the value of a secret.
    base : Path
        The project's folder.
    timeout : float
        Seconds to wait for an answer.
    """

    def __init__(self, reveal: Callable[[Secret], str], base: Path, timeout: float = 30.0):
        self.reveal, self.base, self.timeout = reveal, base, timeout

    def keep(self, secret: Secret, value: str) -> None:
        """Write a secret that a server has replaced to where it is kept."""
        from noria.security import keep

        keep(secret, value, self.base)

    def exclusive(self, secret: Secret) -> AbstractContextManager[None]:
        """While this is held, no other process of this machine uses the secret under it."""
        from noria.security import exclusive

        return exclusive(secret, self.base)


class HttpSignIn(SignIn):
    """How a server over HTTP knows who asks; one or both methods say so."""

    def auth(self, keys: Keys) -> httpx2.Auth | Callable[[httpx2.Request], httpx2.Request] | None:
        """What makes a request one of who asks."""
        return None

    def trust(self, keys: Keys) -> ssl.SSLContext | None:
        """What a TLS connection is opened with; None: the system's certificates, and none of our own."""
        return None


def with_secret_params(request: Any, params: dict[str, str]) -> Any:
    """A request with parameters whose values are secret."""
    request.extensions = {**request.extensions, SECRET_PARAMS: {**request.extensions.get(SECRET_PARAMS, {}), **params}}
    return request


def refuse_in_the_clear(url: str, declared: Declaration) -> None:
    """Refuse to sign in where everybody on the way could read along: TLS, or this machine.

    Raises
    ------
    DeclarationError
        The URL is neither ``https://`` nor of this machine.
    """
    if is_in_the_clear(url):
        raise declared.refuse("secrets would travel in the clear", value=redacted(url), mend="an https:// URL")
