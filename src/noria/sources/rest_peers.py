"""Which machines are talked to: the peer that a connection really has, not what its name once meant."""

from __future__ import annotations

import ipaddress
from typing import Any

from noria.core import DataError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_METADATA = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "100.100.100.200", "fd00:ec2::254")))


class Peers:
    """Judges each connection once it is open, before a byte is sent over it.

    Where clouds keep the credentials of machines nobody may lead us, nor from the open internet into a network: a name
    may mean another address with each look-up.

    Parameters
    ----------
    place : str
        What is read, for errors.
    """

    def __init__(self, place: str):
        self._place = place
        self._outside = False

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """What the HTTP client tells while it works; see httpcore's extension ``trace``."""
        if event != "connection.connect_tcp.complete":
            return
        stream = info["return_value"]
        try:
            self.check(stream.get_extra_info("server_addr")[0])
        except DataError:
            stream.close()
            raise

    def check(self, address: str) -> None:
        """Refuse an address.

        Raises
        ------
        DataError
            It is one that no source is read from, or it lies inside a network where an earlier one did not.
        """
        peer = real(address)
        if peer in _METADATA or peer.is_link_local or peer.is_multicast or peer.is_unspecified or _is_reserved(peer):
            raise DataError(
                "no source is read from such an address", place=self._place, value=str(peer),
                mend="where does the server's name lead?",
            )  # fmt: skip
        if peer.is_global:
            self._outside = True
        elif self._outside:
            raise DataError(
                "the server's name led to the internet before, and leads inside now", place=self._place,
                value=str(peer), mend="where does the server's name lead?",
            )  # fmt: skip


def real(address: str) -> Address:
    """The address that is meant: IPv4 where it is wrapped into IPv6.

    Examples
    --------
    >>> [str(real(one)) for one in ("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "::a00:1", "fe80::1%eth0")]
    ['10.0.0.1', '10.0.0.1', '10.0.0.1', '10.0.0.1', 'fe80::1']
    """
    peer = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(peer, ipaddress.IPv4Address):
        return peer
    if peer in _NAT64 or 1 < int(peer) < 1 << 32:
        return ipaddress.IPv4Address(int(peer) & 0xFFFFFFFF)
    teredo = peer.teredo
    return peer.ipv4_mapped or peer.sixtofour or (teredo[1] if teredo else peer)


def _is_reserved(peer: Address) -> bool:
    return isinstance(peer, ipaddress.IPv4Address) and peer.is_reserved
