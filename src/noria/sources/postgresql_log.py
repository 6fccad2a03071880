"""Change capture from PostgreSQL: each insert, update and delete of a table as a version of its row."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from noria.core import DataError, from_micros, scheme_of
from noria.declarations import Secret
from noria.sources.connector import Ask, Batch, Connector, Fingerprint, State
from noria.sources.postgresql_changes import Begin, Change, Decoder, Emptied, End, Relation, Values, series
from noria.sources.retry import retried
from noria.sources.sql_source import Sql, parts_of, table_of_url
from noria.sources.sql_stream import rows_of

if TYPE_CHECKING:
    import polars as pl

    from noria.sources.postgresql import PostgreSQL

_ROWS = 65_536
_NAME = r"^[a-z0-9_]{1,63}$"


class SqlLog(Connector):
    """The change log of a PostgreSQL table: its rows first, then each insert, update and delete.

    A version of a row has all columns of the table, ``change`` (``insert``, ``update``, ``delete``) and ``changed_at``
    (when the transaction was committed). A delete has the columns of the key at least; an update that changes the key
    is a delete and an insert. Versions come in the order of commits.

    Parameters
    ----------
    url : str
        ``postgresql://host/db``, without a password; ``#schema.table`` at its end names the table.
    table : str, optional
        The table.
    slot : str, optional
        The replication slot that keeps the log until it is read; by default ``noria_<source>``. It is made at the
        first read and belongs to this source alone.
    publication : str, optional
        What says which changes are logged; by default as the slot. It is made where it is not there.
    user : str, optional
        Who asks: a user with the right to replicate.
    password : Secret, optional
        By reference: ``nr.secret("NAME")``.

    Examples
    --------
    >>> SqlLog("postgresql://db/shop#sales.orders", user="noria").increments
    'log'
    """

    table: str | None = Field(default=None, min_length=1)
    slot: str | None = Field(default=None, pattern=_NAME)
    publication: str | None = Field(default=None, pattern=_NAME)
    user: str | None = None
    password: Secret | None = None

    _table_of_url = model_validator(mode="before")(table_of_url)

    @model_validator(mode="after")
    def _can_be_read(self) -> SqlLog:
        if scheme_of(self.url) not in ("postgresql", "postgres"):
            raise ValueError("a change log is read of postgresql://")
        if self.table is None:
            raise ValueError("table= says whose changes are read; a URL may end with #schema.table")
        return self

    @property
    def increments(self) -> str:
        """Its log tells what is new."""
        return "log"

    def fingerprint(self, ask: Ask) -> Fingerprint:
        """Only reading tells what the log holds."""
        return Fingerprint("", f"changes of {self.table}")

    def batches(self, ask: Ask, since: State | None = None) -> Iterator[Batch]:
        """At first all rows, at one moment; then what was committed since, up to now.

        The slot keeps the log from before that moment on. What both show is told apart by the numbers of transactions.
        """
        log = retried(lambda: _Log(self, ask), tries=ask.source.tries, extra="sql", say=ask.say)
        with contextlib.closing(log):
            yield from log.rows() if since is None else log.changes(since)

    def committed(self, ask: Ask, state: State) -> None:
        """Let the server forget the log up to there. It is not asked to before rows are committed."""
        log = retried(lambda: _Log(self, ask), tries=ask.source.tries, extra="sql", say=ask.say)
        with contextlib.closing(log):
            log.advance(state["lsn"])

    @property
    def rows_now(self) -> Sql:
        """The table, as what is read by SELECT."""
        return Sql(self.url, table=self.table, user=self.user, password=self.password)


def sql_log(url: str, **fields: Any) -> SqlLog:
    """The change log of a PostgreSQL table, for `noria.Source`; see `noria.sources.postgresql_log.SqlLog`.

    Examples
    --------
    >>> import noria as nr
    >>> orders = nr.Source("orders", nr.sql_log("postgresql://db/shop#orders", user="noria"),
    ...     contract=nr.Contract(key="id"), incremental=nr.Incremental(update="merge", deleted="change = 'delete'"))
    >>> orders.origin.table
    'orders'
    """
    return SqlLog(url, **fields)


class _Log:
    """One read of a log: a connection outside of transactions."""

    def __init__(self, origin: SqlLog, ask: Ask) -> None:
        self.origin, self.ask = origin, ask
        self.place = f"{origin.rows_now.place}, log"
        self.name = f"noria_{ask.source.name.lower()}"[:63]
        self.slot, self.publication = origin.slot or self.name, origin.publication or self.name
        self.target = origin.rows_now.target(ask)
        self.database = self._opened()
        self.text = self.database.text
        self.types: dict[tuple[int, int], str] = {}

    def _opened(self) -> PostgreSQL:
        from noria.sources.postgresql import PostgreSQL

        database = PostgreSQL(self.target, "")
        database.run("SET lc_monetary = 'C'")
        return database

    def close(self) -> None:
        self.database.close()

    def refuse(self, message: str, value: object, mend: str) -> DataError:
        return DataError(f"source '{self.ask.source.name}': {message}", place=self.place, value=value, mend=mend)

    # -- the slot ----------------------------------------------------------------------------------------------------

    def position(self) -> int | None:
        """What the server keeps the log from; None where there is no slot."""
        found = self.database.values(
            "SELECT plugin::text, (confirmed_flush_lsn - '0/0')::text, wal_status FROM pg_replication_slots"
            f" WHERE slot_name = {self.text(self.slot)}"
        )
        if not found:
            return None
        plugin, position, status = found[0]
        if plugin != "pgoutput":
            raise self.refuse("the slot is somebody else's", f"{self.slot}: {plugin}", "another slot=…")
        if status == "lost":
            raise self.refuse("the server has thrown the log away", self.slot, _ANEW.format(slot=self.slot))
        return int(position)

    def advance(self, lsn: int) -> None:
        position = self.position()
        if position is not None and position < lsn:
            self.database.values(
                f"SELECT end_lsn::text FROM pg_replication_slot_advance({self.text(self.slot)}, '{_lsn(lsn)}')"
            )

    def prepare(self) -> int:
        """Make what the log needs where it is not there; the position that the slot begins at."""
        table = _quoted(self.database, self.origin)
        ((level,),) = self.database.values("SELECT current_setting('wal_level')")
        if level != "logical":
            raise self.refuse("the server keeps no log of changes", f"wal_level = {level}",
                              "ALTER SYSTEM SET wal_level = 'logical', and start the server again")  # fmt: skip
        ((identity, key, long),) = self.database.values(
            f"SELECT relreplident::text, (SELECT count(*) FROM pg_index WHERE indrelid = c.oid AND indisprimary),"
            " (SELECT string_agg(attname, ', ') FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0"
            " AND NOT attisdropped AND attstorage IN ('x', 'e')) FROM pg_class c"
            f" WHERE oid = {self.text(table)}::regclass"
        )
        full = f"ALTER TABLE {table} REPLICA IDENTITY FULL"
        if identity == "n" or (identity == "d" and not key):
            # The server would refuse every update and delete of a published table without one.
            raise self.refuse("the table has no key by which updates and deletes are told", table, full)
        if identity != "f" and long:
            raise self.refuse("the log would not hold long values that an update does not change", long, full)
        self._publish(table)
        if (position := self.position()) is None:
            self.database.values(
                f"SELECT lsn::text FROM pg_create_logical_replication_slot({self.text(self.slot)}, 'pgoutput')"
            )
            position = self.position()
        assert position is not None
        return position

    def _publish(self, table: str) -> None:
        name = self.text(self.publication)
        if not self.database.values(f"SELECT 1 FROM pg_publication WHERE pubname = {name}"):
            self.database.run(
                f"CREATE PUBLICATION {self.database.name(self.publication)} FOR TABLE {table}"
                " WITH (publish_via_partition_root = true)"
            )
        elif not self.database.values(
            f"SELECT 1 FROM pg_publication_tables WHERE pubname = {name}"
            f" AND format('%I.%I', schemaname, tablename)::regclass = {self.text(table)}::regclass"
        ):
            mend = f"ALTER PUBLICATION {self.publication} ADD TABLE {table}"
            raise self.refuse("the publication is not of this table", self.publication, mend)

    # -- all rows ----------------------------------------------------------------------------------------------------

    def rows(self) -> Iterator[Batch]:
        """All rows at a moment after the slot's beginning, with what tells which transactions they show."""
        from noria.sources.postgresql import PostgreSQL

        position = self.prepare()
        now, table = PostgreSQL(self.target), _quoted(self.database, self.origin)
        types = now.types(table)
        self.refuse_own_names(tuple(types))
        ((snapshot,),) = now.values("SELECT pg_current_snapshot()::text")
        ((behind,),) = self.database.values("SELECT (pg_current_wal_insert_lsn() - '0/0')::text")
        state = {"lsn": position, "snapshot": snapshot, "until": int(behind)}
        at, first, held = self.ask.clock.now(), 1, None
        items = ", ".join(now.item(name, type) for name, type in types.items())
        with contextlib.closing(rows_of([now], [f"SELECT {items} FROM {table}"])) as found:
            for _, frame in found:
                if held is not None and len(held):
                    yield Batch(held, self.place, first)
                    first += len(held)
                held = _told(frame, "insert", at)
        assert held is not None
        yield Batch(held, self.place, first, state=state)

    def refuse_own_names(self, names: tuple[str, ...]) -> None:
        if own := {"change", "changed_at"} & set(names):
            raise self.refuse("the table has a column of the log's own name", sorted(own)[0],
                              "rename it in the database, or read the table with sql(…)")  # fmt: skip

    # -- what came since ---------------------------------------------------------------------------------------------

    def changes(self, since: State) -> Iterator[Batch]:
        """What was committed since, up to now, in the order of commits."""
        position = self.position()
        if position is None or position > since["lsn"]:
            raise self.refuse(
                "the slot is gone"
                if position is None
                else "somebody else has read on with the slot, and changes are lost",
                self.slot,
                _ANEW.format(slot=self.slot),
            )
        self.advance(since["lsn"])  # rows up to there are committed: perhaps nobody could tell the server
        ((upto,),) = self.database.values("SELECT (pg_current_wal_flush_lsn() - '0/0')::text")
        select = (
            f"SELECT data FROM pg_logical_slot_peek_binary_changes({self.text(self.slot)}, '{_lsn(int(upto))}', NULL,"
            f" 'proto_version', '1', 'publication_names', {self.text(self.database.name(self.publication))})"
        )
        reading = _Changes(self, since)
        with contextlib.closing(rows_of([self._opened()], [select])) as found:
            for _, frame in found:
                for data in frame["data"]:
                    yield from reading.take(data)
        yield reading.last(max(int(upto), reading.lsn))

    def type_of(self, number: int, modifier: int) -> str:
        """The name of a type as `noria.sources.postgresql` has it; of a domain that of what it is made of."""
        from noria.sources.postgresql import type_name

        if (number, modifier) not in self.types:
            found = self.database.values(
                "SELECT typname::text, typbasetype::int8, typtypmod FROM pg_type WHERE oid = " + str(int(number))
            )
            if not found:
                return "text"  # dropped since
            name, base, own = found[0]
            self.types[number, modifier] = self.type_of(base, own) if base else type_name(name, modifier)
        return self.types[number, modifier]


_ANEW = "SELECT pg_drop_replication_slot('{slot}'), and read the source anew under another name"


class _Changes:
    """Messages become batches: of one table each, as it was at that time."""

    def __init__(self, log: _Log, since: State) -> None:
        self.log, self.since, self.lsn = log, since, int(since["lsn"])
        self.decoder = Decoder()
        self.relation: Relation | None = None
        self.rows: list[Values] = []
        self.kinds: list[str] = []
        self.times: list[int] = []
        self.begun = Begin(0, 0, 0)
        self.skipped = False
        self.first = 1
        parts = str(since.get("snapshot", "")).split(":")
        self.shown = (int(parts[0]), int(parts[1]), {int(n) for n in parts[2].split(",") if n}) if parts[0] else None
        self.key = self._key()

    def _key(self) -> tuple[str, ...]:
        found = self.log.database.values(
            "SELECT attname::text FROM pg_index i JOIN pg_attribute a ON attrelid = indrelid AND attnum = ANY(indkey)"
            f" WHERE indisprimary AND indrelid = {self.log.text(_quoted(self.log.database, self.log.origin))}::regclass"
        )
        return tuple(name for (name,) in found)

    def take(self, data: bytes) -> Iterator[Batch]:
        """One message, and the rows that are enough for a batch by now."""
        message = self.decoder.read(data)
        if isinstance(message, Change):
            if not self.skipped and self._is_ours(message.relation):
                yield from self._change(message)
        elif isinstance(message, Begin):
            self.begun = message
            self.skipped = message.commit < self.lsn or self._is_shown(message)
        elif isinstance(message, End):
            self.lsn = max(self.lsn, message.lsn)
        elif isinstance(message, Emptied) and not self.skipped and any(map(self._is_ours, message.relations)):
            raise self.log.refuse("the table was truncated, and a log does not tell of which rows",
                                  str(from_micros(self.begun.at)), _ANEW.format(slot=self.log.slot))  # fmt: skip

    def _is_ours(self, relation: Relation) -> bool:
        assert self.log.origin.table is not None
        parts = parts_of(self.log.origin.table)
        return relation.name == parts[-1] and (len(parts) == 1 or relation.schema == parts[-2])

    def _is_shown(self, begun: Begin) -> bool:
        """Whether the rows that were read at first show this transaction."""
        if self.shown is None or begun.commit > self.since["until"]:
            return False
        oldest, following, open_ones = self.shown
        # Numbers on the log have 32 bits; it is the one that is near.
        number = following + ((begun.number - following + (1 << 31)) % (1 << 32)) - (1 << 31)
        return number < oldest or (number < following and number not in open_ones)

    def _change(self, change: Change) -> Iterator[Batch]:
        if self.relation is not None and self.relation != change.relation:
            yield from self._batch(None)
            self.log.refuse_own_names(change.relation.columns)
        self.relation = change.relation
        if change.new is None:
            assert change.old is not None
            self._add("delete", change.old)
        else:
            new = self._whole(change)
            moved = change.kind == "update" and change.old is not None and self._moved(change.old, new)
            if moved:
                assert change.old is not None
                self._add("delete", change.old)
            self._add("insert" if moved else change.kind, new)
        if len(self.rows) >= _ROWS:
            yield from self._batch(None)

    def _add(self, kind: str, row: Values) -> None:
        self.kinds.append(kind)
        self.times.append(self.begun.at)
        self.rows.append(row)

    def _moved(self, old: Values, new: Values) -> bool:
        assert self.relation is not None
        places = [self.relation.columns.index(name) for name in self.key if name in self.relation.columns]
        return any(old[place] != new[place] for place in places)

    def _whole(self, change: Change) -> Values:
        """The row with the long values that did not change and so were not sent."""
        assert change.new is not None
        if True not in change.new:
            return change.new
        old = change.old or (True,) * len(change.new)
        whole = tuple(b if a is True else a for a, b in zip(change.new, old, strict=True))
        if True in whole:
            column = change.relation.columns[whole.index(True)]
            mend = "ALTER TABLE … REPLICA IDENTITY FULL; then " + _ANEW.format(slot=self.log.slot)
            raise self.log.refuse("the log does not hold a long value that an update did not change", column, mend)
        return whole

    def _batch(self, state: State | None) -> Iterator[Batch]:
        if self.relation is None or not self.rows:
            return
        import polars as pl

        columns: list[Any] = list(zip(*self.rows, strict=True))
        relation = self.relation
        types = [self.log.type_of(*pair) for pair in zip(relation.types, relation.modifiers, strict=True)]
        frame = pl.DataFrame(
            [series(name, type, values) for name, type, values in zip(relation.columns, types, columns, strict=True)]
        ).with_columns(
            pl.Series("change", self.kinds, pl.String),
            pl.Series("changed_at", self.times, pl.Int64).cast(pl.Datetime("us", "UTC")),
        )
        yield Batch(frame, self.log.place, self.first, state=state)
        self.first += len(frame)
        self.rows, self.kinds, self.times = [], [], []

    def last(self, lsn: int) -> Batch:
        """The last rows, with where to go on: they may be none, and the server may forget the log all the same."""
        keep = self.shown is not None and lsn <= self.since["until"]
        state = {"lsn": lsn} | ({name: self.since[name] for name in ("snapshot", "until")} if keep else {})
        for batch in self._batch(state):
            return batch
        empty = self.log.origin.rows_now.peek(self.log.ask)
        assert empty is not None
        return Batch(_told(empty, "insert", self.log.ask.clock.now()), self.log.place, self.first, state=state)


def _told(frame: pl.DataFrame, change: str, at: datetime) -> pl.DataFrame:
    import polars as pl

    return frame.with_columns(
        pl.lit(change, pl.String).alias("change"), pl.lit(at).cast(pl.Datetime("us", "UTC")).alias("changed_at")
    )


def _quoted(database: PostgreSQL, origin: SqlLog) -> str:
    assert origin.table is not None
    return ".".join(database.name(part) for part in parts_of(origin.table))


def _lsn(number: int) -> str:
    return f"{number >> 32:X}/{number & 0xFFFFFFFF:X}"
