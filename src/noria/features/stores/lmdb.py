"""The embedded online store: LMDB, a memory-mapped B-tree; one process writes, any number read, a kill loses no commit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import lmdb

from noria.core import ResourceError

_ROOM = 1 << 36
_LONGEST = 480


class LmdbStore:
    """``lmdb:///path``: a folder of its own. The file grows as it is used; the room is only addresses."""

    def __init__(self, url: str):
        self.path = Path("/" + url.partition("://")[2].lstrip("/"))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._env = lmdb.open(str(self.path), map_size=_ROOM, max_readers=512, metasync=True)
        except (OSError, lmdb.Error) as error:
            raise ResourceError("the online store cannot be opened", place=str(self.path), value=str(error)) from None

    def read(self, view: str, keys: Sequence[bytes]) -> list[bytes | None]:
        with self._env.begin(buffers=False) as transaction:
            return [transaction.get(_address(view, key)) for key in keys]

    def write(self, view: str, values: Mapping[bytes, bytes]) -> None:
        try:
            with self._env.begin(write=True) as transaction:
                for key, value in values.items():
                    transaction.put(_address(view, key), value)
        except lmdb.Error as error:
            raise ResourceError("the online store cannot be written", place=str(self.path), value=str(error)) from None

    def close(self) -> None:
        self._env.close()


def _address(view: str, key: bytes) -> bytes:
    address = view.encode() + b"\0" + key
    return (
        address if len(address) <= _LONGEST else view.encode() + b"\1" + hashlib.blake2b(key, digest_size=32).digest()
    )
