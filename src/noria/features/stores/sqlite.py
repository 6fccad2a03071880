"""The online store in a SQLite file: slower than LMDB, and readable with tools that everyone has."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from noria.core import ResourceError


class SqliteStore:
    """``sqlite:///path``: one file with a write-ahead log."""

    def __init__(self, url: str):
        self.path = Path("/" + url.partition("://")[2].lstrip("/"))
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS tiles (view TEXT, key BLOB, value BLOB, PRIMARY KEY (view, key)) WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error) as error:
            raise ResourceError("the online store cannot be opened", place=str(self.path), value=str(error)) from None

    def read(self, view: str, keys: Sequence[bytes]) -> list[bytes | None]:
        with self._lock:
            rows = [
                self._db.execute("SELECT value FROM tiles WHERE view = ? AND key = ?", (view, key)).fetchone()
                for key in keys
            ]
        return [row[0] if row else None for row in rows]

    def write(self, view: str, values: Mapping[bytes, bytes]) -> None:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(
                    "INSERT OR REPLACE INTO tiles VALUES (?, ?, ?)",
                    [(view, key, value) for key, value in values.items()],
                )
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise ResourceError(
                    "the online store cannot be written", place=str(self.path), value=str(error)
                ) from None

    def close(self) -> None:
        self._db.close()
