"""The online store in a SQLite file: slower than LMDB, and readable with tools that everyone has."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import quote

from noria.core import ResourceError, path_of
from noria.features.stores import Address

_TABLE = (
    "CREATE TABLE IF NOT EXISTS states (view TEXT, key BLOB, value BLOB, PRIMARY KEY (view, key)) STRICT, WITHOUT ROWID"
)
_PUT = "INSERT OR REPLACE INTO states VALUES (?, ?, ?)"


class SqliteStore:
    """``sqlite:///path``: one file with a write-ahead log."""

    def __init__(self, url: str, *, readonly: bool = False, durable: bool = True):
        self.path = path_of(url)
        self._lock = threading.Lock()
        with self._said("the online store cannot be opened"):
            if not readonly:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                f"file:{quote(str(self.path))}?mode={'ro' if readonly else 'rwc'}",
                uri=True, timeout=30, isolation_level=None, check_same_thread=False,
            )  # fmt: skip
            if not readonly:
                self._db.execute("PRAGMA journal_mode = WAL")
                # With NORMAL, the default of a write-ahead log, a power cut may lose the last writes.
                self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
                self._db.execute(_TABLE)

    def read(self, wanted: Sequence[Address]) -> list[bytes | None]:
        found: list[bytes | None] = []
        with self._transaction("the online store cannot be read", "BEGIN"):
            for address in wanted:
                row = self._db.execute("SELECT value FROM states WHERE view = ? AND key = ?", address).fetchone()
                found.append(row[0] if row else None)
        return found

    def write(self, values: Mapping[Address, bytes]) -> None:
        with self._transaction("the online store cannot be written", "BEGIN IMMEDIATE"):
            self._db.executemany(_PUT, ((view, key, value) for (view, key), value in values.items()))

    def replace(self, view: str, values: Iterable[tuple[bytes, bytes]]) -> None:
        with self._transaction("the online store cannot be written", "BEGIN IMMEDIATE"):
            self._db.execute("DELETE FROM states WHERE view = ?", (view,))
            self._db.executemany(_PUT, ((view, key, value) for key, value in values))

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self, message: str, begin: str) -> Iterator[None]:
        with self._lock, self._said(message):
            self._db.execute(begin)
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    @contextmanager
    def _said(self, message: str) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            mend = "noria run makes and fills it" if "unable to open" in str(error) else None
            raise ResourceError(message, place=str(self.path), value=str(error), mend=mend) from None
