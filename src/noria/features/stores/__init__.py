"""Online stores: where the states of each entity wait for requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from noria.core import backend_of

BACKENDS = {"lmdb": "noria.features.stores.lmdb:LmdbStore", "sqlite": "noria.features.stores.sqlite:SqliteStore"}

Address = tuple[str, bytes]
"""View and key."""


class OnlineStore(Protocol):
    """Values by view and key, both opaque; a view is a short text without NUL, a key any bytes of any length.

    One process writes at a time; any number of threads and processes read. Each call is one transaction: what is
    written is durable when it returns, and a reader sees all of it or none. Whoever opens a store closes it; any call
    on a store that is closed or broken raises a ResourceError.

    A backend is opened by its URL; by ``readonly=True`` where nothing will be written: then the store must exist; by
    ``durable=False`` for what can be made again: a kill loses nothing, but a power cut may lose the store.
    """

    def read(self, wanted: Sequence[Address]) -> list[bytes | None]:
        """Values in the order in which they are wanted, all of one moment; None where there is none."""

    def write(self, values: Mapping[Address, bytes]) -> None:
        """Set values, whole."""

    def replace(self, view: str, values: Iterable[tuple[bytes, bytes]]) -> None:
        """Make these keys and values all that a view holds; each key comes once."""

    def close(self) -> None:
        """Let go of it; closing twice is no error."""


def open_store(url: str, *, readonly: bool = False, durable: bool = True) -> OnlineStore:
    """The online store at a URL: ``lmdb:///path`` or ``sqlite:///path``.

    LMDB may not be opened twice in one process: share the store instead.

    Raises
    ------
    ResourceError
        It cannot be opened, or is to be read only and does not exist.
    """
    store: OnlineStore = backend_of(url, BACKENDS, group="noria.stores")(url, readonly=readonly, durable=durable)
    return store


def temporary_url(folder: Path | str) -> str:
    """The URL of an online store of the default kind in a folder, for whoever needs one for a while.

    Examples
    --------
    >>> temporary_url("/tmp/x")
    'lmdb:///tmp/x/online'
    """
    return f"lmdb://{Path(folder).absolute()}/online"
