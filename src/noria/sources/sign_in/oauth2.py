"""OAuth 2: a token that a server of its own gives, for client credentials or for a refresh token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from noria.core import require
from noria.declarations import Secret
from noria.sources.sign_in.http import HttpSignIn, Keys

if TYPE_CHECKING:
    import httpx2


class OAuth2(HttpSignIn):
    """A token from an authorisation server; a new one is asked for when it ends, also in the middle of reading.

    Parameters
    ----------
    token_url : str
        Where tokens are given.
    client : str or Secret
        The id of the client.
    secret : Secret, optional
        The client's secret.
    refresh_token : Secret, optional
        What a token is asked for with; without it, the client's own credentials. Where the server replaces it with each
        use, the new one is written back, so it must be kept where that can be done: in a file or a keyring.
    scope : str, optional
        What the token is for, as the server names it.
    audience : str, optional
        The API that the token is for, where the server asks for that.
    shown : str
        How the client shows its secret: ``"basic"``: in a header; ``"post"``: in the body.

    Examples
    --------
    >>> from noria import secret
    >>> OAuth2("https://id.example/token", "loader", secret("LOADER_SECRET"), scope="orders").shown
    'basic'
    """

    token_url: str = Field(kw_only=False, min_length=1)
    client: str | Secret = Field(kw_only=False)
    secret: Secret | None = Field(default=None, kw_only=False)
    refresh_token: Secret | None = None
    scope: str | None = None
    audience: str | None = None
    shown: Literal["basic", "post"] = "basic"

    @model_validator(mode="after")
    def _something_secret(self) -> OAuth2:
        if self.secret is None and self.refresh_token is None:
            raise ValueError("a token is given for the client's secret, for a refresh_token, or for both")
        return self

    def auth(self, keys: Keys) -> httpx2.Auth:
        for library in ("httpx2", "authlib"):
            require(library, extra="rest")
        from noria.sources.sign_in.oauth2_flow import Tokens

        return Tokens(self, keys)


def oauth2(
    token_url: str,
    client: str | Secret,
    secret: Secret | None = None,
    *,
    refresh_token: Secret | None = None,
    scope: str | None = None,
    audience: str | None = None,
    shown: str = "basic",
) -> OAuth2:
    """Sign in with OAuth 2: client credentials, or a refresh token; see `OAuth2`."""
    return OAuth2(token_url, client, secret, refresh_token=refresh_token, scope=scope, audience=audience, shown=shown)
