"""Who is answered at all: checks on every request, before its path is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from noria.security import ApiKeys, host_allowed
from noria.serving.answer import Refusal

_REMEMBERED = 64
_KEY_CHARACTERS = 256


class Guard:
    """Lets a request through or refuses it: by Host, by where a browser sends it from, by API key.

    Parameters
    ----------
    hosts : sequence of str
        Names that the server answers to.
    keys : Path, optional
        The file of API keys. Where it holds one, every request needs one.

    Notes
    -----
    Belongs to the server's one thread.
    """

    def __init__(self, hosts: Sequence[str], keys: Path | None):
        self._hosts = tuple(hosts)
        self._path = keys
        self._known: dict[str | None, bool] = {}
        self._state: object = None
        self._keys: ApiKeys | None = None
        self.reload()

    @property
    def needs_key(self) -> bool:
        """Whether requests need an API key."""
        return self._keys is not None

    def reload(self) -> None:
        """Read the keys again if the file changed, so that a revoked key is refused within a moment.

        A file of keys that vanishes or loses its last key closes the server instead of opening it.
        """
        if self._path is None:
            return
        try:
            status = self._path.stat()
            state: object = (status.st_mtime_ns, status.st_ino, status.st_size)
        except FileNotFoundError:
            state = None
        if state != self._state:
            keys = ApiKeys(self._path)
            if len(keys) or self._keys is not None:
                self._keys = keys
            self._state = state

    def check(self, headers: Any) -> None:
        """Refuse a request that must not be answered.

        Raises
        ------
        Refusal
            421 another Host or more than one, 403 sent by a page of another site, 401 without a valid key.
        """
        get = headers.get
        hosts = headers.get_all("host")
        host = hosts[0] if len(hosts) == 1 else None
        allowed = self._known.get(host)
        if not (self._judge(host) if allowed is None else allowed):
            raise Refusal(421, "this server does not answer to that host name")
        if (origin := get("origin")) is not None and not host_allowed(_host_of(origin), self._hosts):
            raise Refusal(403, "requests from pages of other sites are refused")
        if get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Refusal(403, "requests from pages of other sites are refused")
        if self._keys is not None:
            self._check_key(get("authorization"), self._keys)

    def _judge(self, host: str | None) -> bool:
        allowed = host_allowed(host, self._hosts)
        if len(self._known) < _REMEMBERED:
            self._known[host] = allowed
        return allowed

    @staticmethod
    def _check_key(header: str | None, keys: ApiKeys) -> None:
        scheme, _, key = (header or "").partition(" ")
        if scheme.lower() != "bearer" or len(key) > _KEY_CHARACTERS or keys.holder(key.strip()) is None:
            raise Refusal(401, "a valid API key is needed", ("www-authenticate", 'Bearer realm="noria"'))


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
