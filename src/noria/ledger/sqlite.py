"""The ledger in one SQLite file: a table that only grows, and a head beside it that remembers how far it had grown."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from noria.core import (
    Clock,
    DeclarationError,
    IntegrityError,
    NoriaError,
    ResourceError,
    canonical,
    path_of,
    without_secrets,
)
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
_MASTER = sorted(
    [
        ("'table'", "'events'", "'events'", "2", f"'{_TABLE}'"),
        *(
            ("'trigger'", f"'{guard.split()[2]}'", "'events'", "0", "'" + guard.replace("'", "''") + "'")
            for guard in _GUARDS
        ),
    ]
)
_TEXTS = ("at", "kind", "subject", "actor", "run", "inputs", "outputs", "body", "previous", "digest")
_TYPES = " || ".join(f"typeof({name})" for name in _TEXTS)
_ADD = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OUTSIDE = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY,
}  # fmt: skip
_MAJOR, _MINOR, _PATCH = sqlite3.sqlite_version_info[:3]
_WRITER = _MAJOR * 1_000_000 + _MINOR * 1_000 + _PATCH


@dataclass(frozen=True, slots=True)
class _Head:
    """How far the chain had grown: its last event's place and digest, and which SQLite wrote it."""

    count: int
    digest: str
    writer: int
    format: int = FORMAT


class SqliteLedger:
    """A `Ledger` in a file, ``sqlite:///path``. Safe for threads and processes at once; a write waits 30 s for another.

    It keeps SQLite's rollback journal: with a write-ahead log, events would lie in a second file for a while.
    """

    def __init__(self, url: str, clock: Clock):
        self.path = path_of(url)
        self._clock = clock
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise self._refused(error) from None
        except OSError as error:
            raise ResourceError("the ledger cannot be opened", place=str(self.path), value=str(error)) from None

    def _prepare(self) -> None:
        self._db.execute("PRAGMA secure_delete = ON")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == FORMAT:
            return
        self._db.execute("BEGIN IMMEDIATE")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0 and not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            self._refuse_lost()
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
        if version == 0:
            self._remember()

    def _refuse_lost(self) -> None:
        """A new ledger must not take the place of one that somebody removed."""
        known = self._known()
        if known is not None and known.count:
            self._db.execute("ROLLBACK")
            mend = f"restore it from a copy; to begin anew, remove {self._head.name} too"
            raise IntegrityError(f"the ledger is gone, with {known.count} events", place=str(self.path), mend=mend)

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
                    shown = _shown(subject, actor or current_actor(), run, inputs, outputs, body or {})
                    event = _sealed(Event(last[0] + 1, self._clock.now(), kind, *shown, previous=last[1]))
                    self._db.execute(_ADD, _row(event))
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:  # SQLite has rolled back itself where the disk was full
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.DatabaseError as error:
                raise self._refused(error) from None
            self._remember()
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
            raise self._refused(error) from None

    def verify(self) -> list[str]:
        """What is wrong: the chain, the file's structure and unused bytes, and the head that was left beside it.

        All of it is seen at one moment, whoever appends meanwhile. The whole file is held in memory.
        """
        faults: list[str] = []
        place, digest, known = 0, "", self._known()
        try:
            with contextlib.closing(
                sqlite3.connect(f"file:{quote(str(self.path))}?mode=ro", uri=True, timeout=30)
            ) as db:
                db.isolation_level, db.text_factory = None, bytes
                db.execute("BEGIN")
                master = (
                    "SELECT quote(type), quote(name), quote(tbl_name), quote(rootpage), quote(sql) FROM sqlite_master"
                )
                if sorted(tuple(map(_text, row)) for row in db.execute(master)) != _MASTER:
                    return ["the ledger's own tables are not as they were made"]
                for row in db.execute(f"SELECT *, {_TYPES} FROM events ORDER BY seq"):
                    faults += _faults_of_row(row, place + 1, digest)
                    place, digest = row[0], _text(row[10])
                    if known is not None and place == known.count and digest != known.digest:
                        faults.append(f"{_name(row)} is not the one that the head file names")
                checked = (_text(text) for (text,) in db.execute("PRAGMA integrity_check"))
                faults += [f"the file's structure: {' '.join(text.split())}" for text in checked if text != "ok"]
                # Not by opening the file: closing it again would let go of SQLite's locks.
                image = db.serialize()
                faults += faults_of_file(image, APPLICATION, known.writer if known and known.count == place else None)
                if self.path.stat().st_size != len(image):
                    faults.append("the file is longer than its pages")
        except (sqlite3.Error, OSError, ValueError) as error:  # ValueError: SQLite's own words are broken
            if isinstance(refused := self._refused(error), ResourceError):
                raise refused from None
            faults.append(f"event {place + 1} or later cannot be read: {error}")
        return faults + self._faults_at_end(place, known)

    def _faults_at_end(self, last: int, known: _Head | None) -> list[str]:
        if known is None:
            missing = "the head file cannot be read: events at the end may have been removed"
            return [missing] if last or self._head.exists() else []
        if last < known.count:
            return [f"events {last + 1} to {known.count} are missing at the end"]
        return []

    @property
    def _head(self) -> Path:
        return self.path.with_name(self.path.name + ".head")

    def _known(self) -> _Head | None:
        try:
            return _Head(**json.loads(self._head.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def _remember(self) -> None:
        """Write down beside the file how far the chain has grown. After a kill the head lags; it never leads."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                count, digest = self._last()
                fresh = self._head.with_name(f"{self._head.name}.{os.getpid()}")
                with open(fresh, "wb") as file:
                    file.write(canonical(asdict(_Head(count, digest, _WRITER))))
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(fresh, self._head)
            finally:
                self._db.execute("ROLLBACK")
        except (sqlite3.Error, OSError):
            pass  # the head is a help; the chain itself is durable already

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._db.close()

    def _refused(self, error: Exception) -> NoriaError:
        """What SQLite says, as a fault of this machine or of the file."""
        place = str(self.path)
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _OUTSIDE:
            mend = "see to disk space and permissions, or end the process that holds it"
            return ResourceError("the ledger cannot be used", place=place, value=str(error), mend=mend)
        mend = "noria verify says what is wrong; restore the file from a copy"
        return IntegrityError("the ledger cannot be read", place=place, value=str(error), mend=mend)


def _shown(
    subject: str, actor: str, run: str, inputs: Sequence[str], outputs: Sequence[str], body: Mapping[str, Any]
) -> tuple[str, str, str, tuple[str, ...], tuple[str, ...], Mapping[str, Any]]:
    """Fields of an event as they may be kept: plain JSON, and no URL with its user and password."""
    plain = canonical([subject, actor, run, list(inputs), list(outputs), dict(body)]).decode()
    subject, actor, run, inputs, outputs, body = json.loads(without_secrets(plain))
    # Names may hold bytes that are no UTF-8; SQLite keeps none of those, JSON escapes them.
    subject, actor, run = (name.encode(errors="backslashreplace").decode() for name in (subject, actor, run))
    return subject, actor, run, tuple(inputs), tuple(outputs), body


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
        inputs=tuple(json.loads(row[6])), outputs=tuple(json.loads(row[7])), body=json.loads(row[8]),
        previous=row[9], digest=row[10],
    )  # fmt: skip


def _faults_of_row(row: tuple[Any, ...], place: int, previous: str) -> list[str]:
    """What is wrong with a row, its texts as bytes, that should be the event at `place`."""
    faults = []
    if row[0] != place:
        gap = f"event {place} is" if row[0] == place + 1 else f"events {place} to {row[0] - 1} are"
        faults.append(f"{gap} missing before {_name(row)}" if row[0] > place else f"{_name(row)} is out of place")
    if _text(row[11]) != "text" * len(_TEXTS):
        return [*faults, f"{_name(row)} was changed"]
    try:
        told = [row[0], *(part.decode() for part in row[1:11])]
    except UnicodeDecodeError:
        return [*faults, f"{_name(row)} was changed"]
    if hashlib.blake2b(canonical(told[:10]), digest_size=32).hexdigest() != told[10]:
        return [*faults, f"{_name(row)} was changed"]
    if told[9] != previous and not faults:
        faults.append(f"{_name(row)} does not follow the event before it")
    return faults


def _name(row: tuple[Any, ...]) -> str:
    return f"event {row[0]} ({_text(row[2])}, {_text(row[3])})"


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
