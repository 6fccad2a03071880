"""The ledger in one SQLite file: a table that only grows, and a head beside it that remembers how far it had grown."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from noria.core import Clock, DeclarationError, IntegrityError, ResourceError, canonical
from noria.ledger.event import KINDS, Event
from noria.ledger.sqlite_file import faults_of_file
from noria.security import current_actor

FORMAT = 1
APPLICATION = 0x4E4F5249  # "NORI"
_TABLE = (
    "CREATE TABLE events (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, "
    "actor TEXT NOT NULL, run TEXT NOT NULL, inputs TEXT NOT NULL, outputs TEXT NOT NULL, body TEXT NOT NULL, "
    "previous TEXT NOT NULL, digest TEXT NOT NULL)"
)
_GUARDS = tuple(
    f"CREATE TRIGGER no_{verb} BEFORE {verb} ON events BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END"
    for verb in ("UPDATE", "DELETE")
)
_SCHEMA = (_TABLE, *_GUARDS)
_MASTER = [
    ("table", "events", "events", _TABLE),
    *(("trigger", guard.split()[2], "events", guard) for guard in _GUARDS),
]
_ADD = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class SqliteLedger:
    """A `Ledger` in a file, ``sqlite:///path``. Safe for threads and processes at once; a write waits 30 s for another."""

    def __init__(self, url: str, clock: Clock):
        parts = urlsplit(url)
        if parts.netloc:
            raise DeclarationError("a SQLite URL has three slashes", value=url, mend="sqlite:///path/to/ledger.db")
        self.path = Path(parts.path[1:] if parts.path.startswith("//") else parts.path)
        self._clock = clock
        self._lock = threading.Lock()
        self._written = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from None
        except OSError as error:
            raise ResourceError("the ledger cannot be opened", place=str(self.path), value=str(error)) from None

    def _prepare(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == FORMAT:
            return
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute("BEGIN IMMEDIATE")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0 and not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in _SCHEMA:
                self._db.execute(statement)
            self._db.execute(f"PRAGMA application_id = {APPLICATION}")
            self._db.execute(f"PRAGMA user_version = {FORMAT}")
        elif version != FORMAT:
            self._db.execute("ROLLBACK")
            raise IntegrityError(
                "not a ledger that this version of Noria reads", place=str(self.path), value=f"format {version}"
            )
        self._db.execute("COMMIT")

    def append(
        self,
        kind: str,
        subject: str,
        *,
        run: str = "",
        actor: str | None = None,
        inputs: tuple[str, ...] = (),
        outputs: tuple[str, ...] = (),
        body: Mapping[str, Any] | None = None,
    ) -> Event:
        if kind not in KINDS:
            raise DeclarationError("no such kind of event", value=kind, mend="one of " + ", ".join(KINDS))
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    last = self._last()
                    event = _sealed(Event(
                        seq=last[0] + 1, at=self._clock.now(), kind=kind, subject=subject, actor=actor or current_actor(), run=run,
                        inputs=tuple(inputs), outputs=tuple(outputs), body=json.loads(canonical(body or {})), previous=last[1],
                    ))  # fmt: skip
                    self._db.execute(_ADD, _row(event))
                    self._db.execute("COMMIT")
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
            except sqlite3.OperationalError as error:
                raise ResourceError(
                    "the ledger cannot be written",
                    place=str(self.path),
                    value=str(error),
                    mend="free disk space, or end the process that holds it",
                ) from None
            except sqlite3.DatabaseError as error:
                raise self._unreadable(error) from None
            self._written = True
            return event

    def _last(self) -> tuple[int, str]:
        row = self._db.execute("SELECT seq, digest FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        return (row[0], row[1]) if row else (0, "")

    def events(
        self,
        *,
        kind: str | None = None,
        subject: str | None = None,
        run: str | None = None,
        after: int = 0,
        newest_first: bool = False,
    ) -> Iterator[Event]:
        wanted = [("kind GLOB ?", kind), ("subject = ?", subject), ("run = ?", run), ("seq > ?", after or None)]
        given = [(test, value) for test, value in wanted if value is not None]
        where = " WHERE " + " AND ".join(test for test, _ in given) if given else ""
        order = "DESC" if newest_first else "ASC"
        try:
            for row in self._db.execute(
                f"SELECT * FROM events{where} ORDER BY seq {order}", [value for _, value in given]
            ):
                yield _event(row)
        except (sqlite3.DatabaseError, ValueError, TypeError) as error:
            raise self._unreadable(error) from None

    def verify(self) -> list[str]:
        """What is wrong: the chain, the file's structure and unused bytes, and the head that was left beside it."""
        faults: list[str] = []
        previous, count = "", 0
        try:
            for row in self._db.execute("SELECT * FROM events ORDER BY seq"):
                count += 1
                faults += _faults_of_row(row, count, previous)
                previous = row[10]
            stored = self._db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid").fetchall()
            if stored != _MASTER:
                faults.append("the ledger's own tables are not as they were made")
            faults += [
                f"the file's structure: {text}"
                for (text,) in self._db.execute("PRAGMA integrity_check")
                if text != "ok"
            ]
        except (sqlite3.DatabaseError, UnicodeDecodeError, ValueError, TypeError) as error:
            faults.append(f"event {count + 1} or later cannot be read: {error}")
        return faults + faults_of_file(self.path) + self._faults_of_head(count, previous)

    def _faults_of_head(self, count: int, digest: str) -> list[str]:
        try:
            head = json.loads(self._head.read_bytes())
            known, known_digest, header = int(head["count"]), str(head["digest"]), str(head["header"])
        except FileNotFoundError:
            return (
                []
                if count == 0 or self._written
                else ["the head file is missing: events at the end may have been removed"]
            )
        except (ValueError, KeyError, TypeError):
            return ["the head file cannot be read"]
        if count < known:
            return [f"events {count + 1} to {known} are missing at the end"]
        if count == known and digest != known_digest:
            return [f"event {count} is not the one that the head file names"]
        if count == known and header != _header(self.path):
            return ["the first 100 bytes of the file were changed"]
        return []

    @property
    def _head(self) -> Path:
        return self.path.with_name(self.path.name + ".head")

    def close(self) -> None:
        """Remember how far the chain had grown, and let go. After a kill the head lags; it never leads."""
        with self._lock:
            try:
                if self._written:
                    self._db.execute("BEGIN IMMEDIATE")
                    count, digest = self._last()
                    fresh = self._head.with_name(f"{self._head.name}.{os.getpid()}")
                    fresh.write_bytes(canonical({"count": count, "digest": digest, "header": _header(self.path)}))
                    os.replace(fresh, self._head)
                    self._db.execute("ROLLBACK")
            except (sqlite3.DatabaseError, OSError):
                pass  # the head is a help; the chain itself is durable already
            finally:
                self._db.close()

    def _unreadable(self, error: Exception) -> IntegrityError:
        return IntegrityError(
            "the ledger cannot be read",
            place=str(self.path),
            value=str(error),
            mend="noria verify says what is wrong; restore the file from a copy",
        )


def _header(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.blake2b(file.read(100), digest_size=16).hexdigest()


def _sealed(event: Event) -> Event:
    row = _row(event)
    digest = hashlib.blake2b(canonical(row[:10]), digest_size=32).hexdigest()
    return Event(**{name: getattr(event, name) for name in event.__slots__ if name != "digest"}, digest=digest)


def _row(event: Event) -> tuple[Any, ...]:
    texts = (canonical(part).decode() for part in (event.inputs, event.outputs, event.body))
    return (
        event.seq,
        event.at.isoformat(),
        event.kind,
        event.subject,
        event.actor,
        event.run,
        *texts,
        event.previous,
        event.digest,
    )


def _event(row: tuple[Any, ...]) -> Event:
    return Event(
        seq=row[0], at=datetime.fromisoformat(row[1]), kind=row[2], subject=row[3], actor=row[4], run=row[5],
        inputs=tuple(json.loads(row[6])), outputs=tuple(json.loads(row[7])), body=json.loads(row[8]), previous=row[9], digest=row[10],
    )  # fmt: skip


def _faults_of_row(row: tuple[Any, ...], position: int, previous: str) -> list[str]:
    name = f"event {row[0]} ({row[2]}, {row[3]})"
    if row[0] != position:
        return [f"event {position} is missing; {name} stands in its place"]
    if hashlib.blake2b(canonical(row[:10]), digest_size=32).hexdigest() != row[10]:
        return [f"{name} was changed"]
    return [f"{name} does not follow the event before it"] if row[9] != previous else []
