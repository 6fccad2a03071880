"""A key or a password over SSH, shown only to a host whose key is known."""

from __future__ import annotations

from pydantic import Field, model_validator

from noria.declarations import Secret, SignIn


class Ssh(SignIn):
    """How an SSH server knows who asks, and how we know the server.

    Parameters
    ----------
    user : str
        The user there.
    key : Secret, optional
        A private key, in OpenSSH's form or PEM. Without key and password the agent and the keys in ``~/.ssh`` are
        tried.
    passphrase : Secret, optional
        What the key is encrypted with.
    password : Secret, optional
        The user's password.
    host_key : str, optional
        The server's public key, as ``ssh-keyscan`` prints it: ``"ssh-ed25519 AAAA…"``. Any other is refused.
    known_hosts : str, optional
        A file of host keys, relative to the project's folder; by default ``~/.ssh/known_hosts``.

    Examples
    --------
    >>> from noria import secret
    >>> Ssh("ann", key=secret("file:/run/secrets/ssh"), host_key="ssh-ed25519 AAAA").user
    'ann'
    """

    user: str = Field(kw_only=False, min_length=1)
    key: Secret | None = None
    passphrase: Secret | None = None
    password: Secret | None = None
    host_key: str | None = None
    known_hosts: str | None = None

    @model_validator(mode="after")
    def _no_field_in_vain(self) -> Ssh:
        if self.passphrase is not None and self.key is None:
            raise ValueError("a passphrase says nothing without a key")
        if self.host_key is not None and self.known_hosts is not None:
            raise ValueError("host_key or known_hosts says who the server is, not both")
        return self


def ssh(
    user: str,
    *,
    key: Secret | None = None,
    passphrase: Secret | None = None,
    password: Secret | None = None,
    host_key: str | None = None,
    known_hosts: str | None = None,
) -> Ssh:
    """Sign in over SSH; see `Ssh`."""
    return Ssh(user, key=key, passphrase=passphrase, password=password, host_key=host_key, known_hosts=known_hosts)
