"""The embedded online store: LMDB, a memory-mapped B-tree; one process writes, any number read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import lmdb

from noria.core import ResourceError, path_of
from noria.features.stores import Address

_ROOM = 1 << 36
_LONGEST = 500  # LMDB's own limit is 511 bytes
_LONGEST_VIEW = 200


class LmdbStore:
    """``lmdb:///path``: a folder of its own. The file grows as it is used; the room is only addresses."""

    def __init__(self, url: str, *, readonly: bool = False, durable: bool = True):
        self.path = path_of(url)
        with self._said("the online store cannot be opened"):
            if not readonly:
                self.path.mkdir(parents=True, exist_ok=True)
            self._env = lmdb.open(
                str(self.path),
                map_size=_ROOM,
                max_readers=512,
                readonly=readonly,
                create=not readonly,
                sync=durable,
            )

    def read(self, wanted: Sequence[Address]) -> list[bytes | None]:
        try:
            with self._env.begin() as transaction:
                return [transaction.get(_place(view, key)) for view, key in wanted]
        except lmdb.Error as error:
            raise ResourceError("the online store cannot be read", place=str(self.path), value=str(error)) from None

    def write(self, values: Mapping[Address, bytes]) -> None:
        with self._writing() as transaction:
            for (view, key), value in values.items():
                transaction.put(_place(view, key), value)

    def replace(self, view: str, values: Iterable[tuple[bytes, bytes]]) -> None:
        with self._writing() as transaction:
            for prefix in (_prefix(view) + b"\0", _prefix(view) + b"\1"):
                cursor = transaction.cursor()
                there = cursor.set_range(prefix)
                while there and bytes(cursor.key()).startswith(prefix):
                    there = cursor.delete()
            for key, value in values:
                transaction.put(_place(view, key), value)

    def close(self) -> None:
        self._env.close()

    @contextmanager
    def _writing(self) -> Iterator[lmdb.Transaction]:
        with self._said("the online store cannot be written"), self._env.begin(write=True) as transaction:
            yield transaction

    @contextmanager
    def _said(self, message: str) -> Iterator[None]:
        try:
            yield
        except (OSError, lmdb.Error) as error:
            mend = "noria run makes and fills it" if "No such file" in str(error) else None
            raise ResourceError(message, place=str(self.path), value=str(error), mend=mend) from None


def _prefix(view: str) -> bytes:
    name = view.encode()
    return name if len(name) <= _LONGEST_VIEW else hashlib.blake2b(name, digest_size=32).hexdigest().encode()


def _place(view: str, key: bytes) -> bytes:
    prefix = _prefix(view)
    if len(prefix) + 1 + len(key) <= _LONGEST:
        return prefix + b"\0" + key
    return prefix + b"\1" + hashlib.blake2b(key, digest_size=32).digest()
