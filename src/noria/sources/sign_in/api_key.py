"""A key in a header or a parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from noria.declarations import Secret
from noria.sources.sign_in.http import HttpSignIn, Keys, with_secret_params

if TYPE_CHECKING:
    import httpx2


class ApiKey(HttpSignIn):
    """A key, in a header or in a parameter of the address.

    Parameters
    ----------
    key : Secret
        The key.
    header : str, optional
        The header that carries it.
    param : str, optional
        The parameter that carries it, where the server takes it nowhere else.

    Examples
    --------
    >>> from noria import secret
    >>> ApiKey(secret("SHOP_KEY"), header="X-Api-Key").key
    Secret(reference='SHOP_KEY')
    """

    key: Secret = Field(kw_only=False)
    header: str | None = Field(default=None, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
    param: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_place(self) -> ApiKey:
        if (self.header is None) == (self.param is None):
            raise ValueError("a key goes into a header or into a param: name one of them")
        return self

    def auth(self, keys: Keys) -> Callable[[httpx2.Request], httpx2.Request]:
        value = keys.reveal(self.key)

        def show(request: httpx2.Request) -> httpx2.Request:
            if self.header is not None:
                request.headers[self.header] = value
            elif self.param is not None:
                with_secret_params(request, {self.param: value})
            return request

        return show


def api_key(key: Secret, *, header: str | None = None, param: str | None = None) -> ApiKey:
    """Sign in with a key; in the header ``X-Api-Key`` unless another place is named; see `ApiKey`."""
    return ApiKey(key, header="X-Api-Key" if header is None and param is None else header, param=param)
