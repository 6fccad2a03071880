"""Asking for tokens while requests are made. Imported where it is used: it needs the HTTP client."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import httpx2

from noria.core import DeclarationError, TransientError, redacted
from noria.declarations import Secret
from noria.sources.sign_in.http import Keys, refuse_in_the_clear

if TYPE_CHECKING:
    from noria.sources.sign_in.oauth2 import OAuth2

LEEWAY = 30.0
"""Seconds before its end at which a token is no longer used; a tenth of its life where that is shorter."""


class Tokens(httpx2.Auth):
    """Shows a token with each request, and asks for a new one when it ends or is refused. It is not shared by threads.

    Parameters
    ----------
    sign_in : OAuth2
        The declaration.
    keys : Keys
        Its secrets.
    """

    def __init__(self, sign_in: OAuth2, keys: Keys):
        refuse_in_the_clear(sign_in.token_url, sign_in)
        self._sign_in, self._keys = sign_in, keys
        self._token, self._ends = "", 0.0

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        fresh = not self._token or time.monotonic() >= self._ends
        if fresh:
            self._ask()
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == 401 and not fresh:  # it was taken back before its end
            self._ask()
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _ask(self) -> None:
        refresh = self._sign_in.refresh_token
        if refresh is None:
            given = self._given({"grant_type": "client_credentials"})
        else:
            with self._keys.exclusive(refresh):  # a server may take a refresh token only once
                old = self._keys.reveal(refresh)
                given = self._given({"grant_type": "refresh_token", "refresh_token": old})
                new = given.get("refresh_token")
                if isinstance(new, str) and new and new != old:
                    self._keys.keep(refresh, new)
        lives = given.get("expires_in")
        seconds = float(lives) if isinstance(lives, int | float | str) and _is_number(lives) else 300.0
        self._token = str(given["access_token"])
        self._ends = time.monotonic() + seconds - min(LEEWAY, seconds / 10)

    def _given(self, asked: dict[str, str]) -> dict[str, Any]:
        """What the authorisation server gives, through Authlib's client."""
        from authlib.integrations.base_client.errors import OAuthError
        from authlib.integrations.httpx_client import OAuth2Client

        one = self._sign_in
        more = {"scope": one.scope, "audience": one.audience}
        body = {name: value for name, value in {**asked, **more}.items() if value is not None}
        place = redacted(one.token_url)
        client = self._keys.reveal(one.client) if isinstance(one.client, Secret) else one.client
        secret = None if one.secret is None else self._keys.reveal(one.secret)
        method = None if secret is None else f"client_secret_{one.shown}"
        try:
            with OAuth2Client(client, secret, method, timeout=self._keys.timeout, follow_redirects=False) as asking:
                given = asking.fetch_token(one.token_url, **body)
        except OAuthError as error:
            if error.error in ("temporarily_unavailable", "server_error"):
                raise TransientError(f"the authorisation server fails: {error.error}", place=place) from None
            raise DeclarationError(
                "the authorisation server gives no token", place=place, value=_code(error.error), mend=self._mend()
            ) from None
        except httpx2.HTTPStatusError as error:
            status = error.response.status_code
            if status == 429 or status >= 500:
                raise TransientError(f"the authorisation server fails with {status}", place=place) from None
            raise DeclarationError(
                "the authorisation server gives no token", place=place, value=status, mend=self._mend()
            ) from None
        except httpx2.HTTPError as error:
            raise TransientError(
                f"the authorisation server does not answer: {type(error).__name__}", place=place
            ) from None
        except ValueError:
            given = {}
        if not isinstance(given.get("access_token"), str):
            raise DeclarationError("no authorisation server answers there", place=place, mend="token_url is its URL")
        return dict(given)

    def _mend(self) -> str:
        if self._sign_in.refresh_token is not None:
            return "is the refresh token still valid? a person may have to sign in again"
        return "is the client's secret still valid, and may it have this scope?"


def _is_number(value: object) -> bool:
    try:
        return 0 <= float(str(value)) < 1e9
    except ValueError:
        return False


def _code(error: object) -> str:
    """The code of an error: a server may write anything there."""
    text = str(error)
    return text if len(text) < 60 and text.replace("_", "").isalnum() else "an unknown error"
