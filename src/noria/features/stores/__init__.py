"""Online stores: where the tiles of each entity wait for requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from noria.core import backend_of

BACKENDS = {"lmdb": "noria.features.stores.lmdb:LmdbStore", "sqlite": "noria.features.stores.sqlite:SqliteStore"}


class OnlineStore(Protocol):
    """Values by view and key, both opaque.

    One process writes at a time; any number of threads and processes read. A write is atomic and durable when it returns: a
    reader sees all of it or none. Whoever opens a store closes it.
    """

    def read(self, view: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of some keys, in their order; None where there is none."""

    def write(self, view: str, values: Mapping[bytes, bytes]) -> None:
        """Set the values of some keys, whole."""

    def close(self) -> None:
        """Let go of it."""


def open_store(url: str) -> OnlineStore:
    """The online store at a URL: ``lmdb:///path`` or ``sqlite:///path``."""
    store: OnlineStore = backend_of(url, BACKENDS, group="noria.stores")(url)
    return store
