"""A certificate of our own, shown while a TLS connection is opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import Field

from noria.core import DeclarationError
from noria.declarations import Secret
from noria.sources.sign_in.http import HttpSignIn, Keys

if TYPE_CHECKING:
    import ssl

    import httpx2


class MutualTls(HttpSignIn):
    """A client certificate and its key.

    Parameters
    ----------
    certificate : str
        The PEM file of the certificate, and of those between it and its authority.
    key : Secret
        The key, as PEM.
    password : Secret, optional
        What the key is encrypted with.
    authority : str, optional
        The PEM file of the authority that the server's certificate comes from, where the system does not know it.
    beside : HttpSignIn, optional
        What the server is shown beside the certificate.

    Examples
    --------
    >>> from noria import secret
    >>> MutualTls("client.pem", secret("file:client.key"), authority="ca.pem").certificate
    'client.pem'
    """

    certificate: str = Field(kw_only=False, min_length=1)
    key: Secret = Field(kw_only=False)
    password: Secret | None = None
    authority: str | None = None
    beside: HttpSignIn | None = None

    def auth(self, keys: Keys) -> httpx2.Auth | Callable[[httpx2.Request], httpx2.Request] | None:
        return None if self.beside is None else self.beside.auth(keys)

    def trust(self, keys: Keys) -> ssl.SSLContext:
        """The context that shows the certificate; the key touches no disk where the system has files in memory."""
        import ssl

        password = None if self.password is None else keys.reveal(self.password)
        try:
            context = ssl.create_default_context(
                cafile=None if self.authority is None else str(keys.base / self.authority)
            )
            with _as_file(keys.reveal(self.key)) as key:
                # An empty password where there is none: else OpenSSL would ask at the terminal.
                context.load_cert_chain(keys.base / self.certificate, key, password=password or "")
        except (OSError, ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
            raise DeclarationError(
                "the client certificate cannot be used",
                place=self.written_at or None,
                value=f"{self.certificate}: {reason}",
                mend="a PEM file with the certificate, its key as PEM, the key's password where it has one",
            ) from None
        return context


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A path that leads to a text for a moment: OpenSSL reads keys from files alone."""
    import tempfile

    if hasattr(os, "memfd_create"):
        opened = os.memfd_create("key")
        try:
            os.write(opened, text.encode())
            yield f"/proc/self/fd/{opened}"
        finally:
            os.close(opened)
    else:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:  # only its user may read it
            file.write(text)
            file.flush()
            yield file.name


def mutual_tls(
    certificate: str,
    key: Secret,
    *,
    password: Secret | None = None,
    authority: str | None = None,
    beside: HttpSignIn | None = None,
) -> MutualTls:
    """Sign in with a client certificate; see `MutualTls`."""
    return MutualTls(certificate, key, password=password, authority=authority, beside=beside)
