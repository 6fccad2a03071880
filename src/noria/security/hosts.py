"""Which Host headers a server answers: an exact list, against DNS rebinding."""

from __future__ import annotations

from collections.abc import Sequence


def host_allowed(header: str | None, hosts: Sequence[str]) -> bool:
    """Whether a Host header names one of the hosts, with any port.

    Examples
    --------
    >>> [host_allowed(header, ["localhost"]) for header in ("localhost:8080", "evil.example", None)]
    [True, False, False]
    """
    if not header:
        return False
    name = header.lower()
    if name.startswith("["):
        name, bracket, port = name.partition("]")
        name, port = name + bracket, port.removeprefix(":")
    else:
        name, _, port = name.partition(":")
        name = name.removesuffix(".")
    return (port == "" or (port.isascii() and port.isdigit())) and name in {host.lower() for host in hosts}
