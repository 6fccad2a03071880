"""SQL databases as a source: a table or a query, streamed as frames, all of it at one moment of the database."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import Field, model_validator

from noria.core import DataError, DeclarationError, redacted, scheme_of
from noria.declarations import Incremental, Names, Secret
from noria.sources.connector import Ask, Batch, Connector, Fingerprint, State
from noria.sources.retry import retried
from noria.sources.sql_cursor import Cursor, cursor_of, floor_of
from noria.sources.sql_database import Database, Target, kind_of
from noria.sources.sql_late import late_of, seen_of
from noria.sources.sql_stream import rows_of

if TYPE_CHECKING:
    import polars as pl


def table_of_url(given: Any) -> Any:
    """What was given to a constructor, with the table that the URL names apart from it.

    Raises
    ------
    DeclarationError
        The URL holds a password, or names another table than was given.
    """
    if not isinstance(given, dict) or not isinstance(given.get("url"), str):
        return given
    _refuse_password(given["url"])
    url, _, table = given["url"].partition("#")
    if table and (given.get("table") or given.get("query")):
        raise ValueError("the URL names a table, and table= or query= says what is read, too")
    return given | {"url": url} | ({"table": unquote(table)} if table else {})


def _refuse_password(url: str) -> None:
    parts = urlsplit(url)
    if parts.password is not None or any("password" in name.lower() for name, _ in parse_qsl(parts.query)):
        raise DeclarationError(
            "a URL of a database holds a password",
            place=redacted(url),
            mend='user="…", password=nr.secret("NAME"): the value then comes from the environment',
        )


class Sql(Connector):
    """A table or a query of a SQL database.

    Rows are streamed in batches of about 16 MB or 131,072 rows, and two batches a connection wait at most: that, and
    no more, is held in memory. All that one read gives is of one moment of the database.

    Parameters
    ----------
    url : str
        ``postgresql://host/db``, ``mysql://host/db``, ``mariadb://host/db``, ``sqlite:///file.db``,
        ``duckdb:///file.db``, or what SQLAlchemy takes. It holds no password. ``#schema.table`` at its end names the
        table.
    table : str, optional
        The table, as ``"name"`` or ``"schema.name"``; a part with a dot in it stands in double quotes.
    query : str, optional
        A SELECT of your own, instead of a table.
    columns : list of str, optional
        Which columns are read; by default all.
    where : str, optional
        Which rows are read, as a condition in the database's own SQL.
    ranges : str, optional
        A column of whole numbers by which the rows are cut into ranges that are read at once: PostgreSQL only, where
        all ranges see the same moment.
    connections : int
        How many ranges are read at once.
    late : bool, optional
        With a cursor: find rows that were committed behind it, by the transaction that wrote them. PostgreSQL tables
        only, and there by default; it reads the whole table on the server, and sends only what is new.
    user : str, optional
        Who asks.
    password : Secret, optional
        By reference: ``nr.secret("NAME")``.

    Examples
    --------
    >>> Sql("postgresql://db/shop#sales.orders").table
    'sales.orders'
    """

    table: str | None = Field(default=None, min_length=1)
    query: str | None = Field(default=None, min_length=1)
    columns: Names = ()
    where: str | None = Field(default=None, min_length=1)
    ranges: str | None = None
    connections: int = Field(default=4, ge=1, le=64)
    late: bool | None = None
    user: str | None = None
    password: Secret | None = None

    _table_of_url = model_validator(mode="before")(table_of_url)

    @model_validator(mode="after")
    def _no_field_in_vain(self) -> Sql:
        if (self.table is None) == (self.query is None):
            raise ValueError("either table= or query= says what is read; a URL may end with #schema.table")
        server = scheme_of(self.url) in ("postgresql", "postgres")
        if self.ranges is not None and not server:
            raise ValueError("ranges= is for postgresql://: no other shows one moment to several connections")
        if self.late and (not server or self.table is None):
            raise ValueError("late=True is for tables of postgresql://: no other tells who wrote a row")
        return self

    @property
    def increments(self) -> str:
        """It filters by a cursor itself."""
        return "cursor"

    def fingerprint(self, ask: Ask) -> Fingerprint:
        """Of a file of SQLite or DuckDB its bytes; of a server nothing: only reading tells what it holds."""
        if scheme_of(self.url) in ("sqlite", "duckdb"):
            from noria.sources.sql_files import file_stamp

            return file_stamp(self.target(ask), ask)
        return Fingerprint("", self.table or "a query")

    def batches(self, ask: Ask, since: State | None = None) -> Iterator[Batch]:
        """The rows; with a cursor those from it on, less the lookback, and those that were committed late.

        What is equal to the cursor is read again, as rows of the same moment may come after it. Until the first rows
        come, a database that does not answer is asked ``Source.tries`` times.
        """
        reading = _Reading(self, ask, since)
        rows, first = retried(reading.start, tries=ask.source.tries, extra="sql", say=ask.say)
        with contextlib.closing(rows):
            if first is None:
                yield Batch(reading.empty, self.place)
                return
            held = [first]
            counts: dict[int, int] = {}
            for one in rows:
                if len(held[0][1]):  # the first may be there for its columns alone
                    yield reading.batch(held[0], counts)
                held[0] = one
            yield reading.batch(held.pop(), counts, last=True)

    def peek(self, ask: Ask) -> pl.DataFrame | None:
        """No row, but the columns and types."""
        reading = _Reading(self, ask, None)
        return retried(reading.peek, tries=ask.source.tries, extra="sql", say=ask.say)

    @property
    def place(self) -> str:
        """What is read, for people."""
        return redacted(self.url) + (f"#{self.table}" if self.table else ", query")

    def target(self, ask: Ask) -> Target:
        """The database, with what it takes to open it."""
        password = ask.reveal(self.password) if self.password is not None else None
        return Target(ask.source.name, self.url, self.user, password, ask.source.timeout / 1e6, str(ask.base))


def sql(url: str, **fields: Any) -> Sql:
    """A table or a query of a SQL database, for `noria.Source`; see `noria.sources.sql_source.Sql` for all parameters.

    Examples
    --------
    >>> import noria as nr
    >>> orders = nr.Source("orders", nr.sql("postgresql://db/shop", table="sales.orders", user="noria",
    ...                                     password=nr.secret("SHOP_PASSWORD")))
    >>> orders.origin.place
    'postgresql://db/shop#sales.orders'
    """
    return Sql(url, **fields)


class _Reading:
    """One read, from when it is opened to the state that it leaves."""

    def __init__(self, origin: Sql, ask: Ask, since: State | None) -> None:
        self.origin, self.ask, self.since = origin, ask, since
        self.incremental: Incremental | None = ask.source.incremental
        self.cursor: Cursor | None = None
        self.greatest: Any = None
        self.seen: Mapping[str, Any] = {}

    def start(self) -> tuple[Generator[tuple[int, pl.DataFrame], None, None], tuple[int, pl.DataFrame] | None]:
        """Open it and wait for the first rows."""
        open_ones = [kind_of(self.origin.url)(self.origin.target(self.ask))]
        try:
            rows = rows_of(open_ones, self.selects(open_ones))
            first = next(rows, None)
        except BaseException:
            for one in open_ones:
                with contextlib.suppress(Exception):
                    one.close()
            raise
        return rows, first

    def peek(self) -> pl.DataFrame | None:
        """No row of it; None where the database does not tell types without values."""
        import polars as pl

        database = kind_of(self.origin.url)(self.origin.target(self.ask))
        with contextlib.closing(database):
            self.learn(database)
            return None if any(dtype == pl.Null for dtype in self.empty.dtypes) else self.empty

    def learn(self, database: Database) -> None:
        """What is there: the columns, how each is selected, and the types that come of that."""
        self.subject = _subject(database, self.origin)
        self.types = database.types(self.subject)
        wanted = self.origin.columns or tuple(self.types)
        cursor = self.incremental.cursor if self.incremental else None
        for name in filter(None, (*wanted, self.origin.ranges, cursor)):
            if name not in self.types:
                raise _no_column(self.ask, self.origin, name, self.types)
        if cursor is not None and cursor not in wanted:
            raise self.origin.refuse(
                "the cursor is not among the columns", field="columns", value=cursor, mend="add it"
            )
        self.items = ", ".join(database.item(name, self.types[name]) for name in wanted)
        empty = next(database.stream(self.select("1 = 0")), None)
        if empty is None:
            raise database.wrong("no columns came")
        self.empty = empty.clear()

    def select(self, condition: str | None = None, order: str | None = None) -> str:
        """The SELECT of all that is asked for, and of no more than a condition says."""
        # A line end after what users write: it may end in a comment.
        conditions = [f"({text}\n)" for text in (self.origin.where, condition) if text]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        # In a subquery names mean the columns themselves, and not what is selected under their names.
        inner = f"(SELECT * FROM {self.subject}{where}) noria_rows"
        return f"SELECT {self.items} FROM {inner}" + (f" ORDER BY {order}" if order else "")

    def selects(self, open_ones: list[Database]) -> list[str]:
        """What each connection is asked; connections are opened as they are needed."""
        database = open_ones[0]
        self.learn(database)
        if self.incremental is not None and (name := self.incremental.cursor) is not None:
            self.cursor = cursor_of(self.ask.source, name, self.empty.schema[name], self.since)
            late = late_of(self.origin, self.subject, database, self.ask, self.since)
            self.seen = seen_of(late) if late else {}
            if self.since is not None:
                quoted = database.name(name)
                floor = database.literal(floor_of(self.cursor, self.since, self.incremental))
                behind = f" OR {late.condition}" if late and late.condition else ""
                # A null would never count as new: it is read to be refused.
                return [self.select(f"{quoted} >= {floor} OR {quoted} IS NULL{behind}", quoted)]
        if self.origin.ranges is not None:
            return [self.select(range) for range in self.ranges(open_ones)]
        return [self.select()]

    def ranges(self, open_ones: list[Database]) -> list[str | None]:
        """One condition a connection; all connections see the moment of the first."""
        from noria.sources.postgresql import PostgreSQL

        database, name = open_ones[0], self.origin.ranges
        assert isinstance(database, PostgreSQL)
        assert name is not None
        if not database.whole(self.types[name]):
            found = f"{name}: {self.types[name]}"
            raise self.origin.refuse("rows are cut by a column of whole numbers", field="ranges", value=found)
        quoted, count = database.name(name), self.origin.connections
        ((least, most),) = database.values(f"SELECT min({quoted})::text, max({quoted})::text FROM {self.subject}")
        if least is None:
            return [None]
        step = (int(most) - int(least)) // count + 1
        starts = list(range(int(least), int(most) + 1, step))
        # The moment is given away only while this transaction is open: until all are read.
        ((moment,),) = database.values("SELECT pg_export_snapshot()")
        for _ in starts[1:]:
            open_ones.append(PostgreSQL(database.target, moment))
        for one in open_ones:
            # Else each would call workers of its own, and rows would come in another order each time.
            assert isinstance(one, PostgreSQL)
            one.run("SET max_parallel_workers_per_gather = 0")
        conditions: list[str | None] = [f"{quoted} >= {start} AND {quoted} < {start + step}" for start in starts]
        conditions[0] = f"{conditions[0]} OR {quoted} IS NULL"
        return conditions

    def batch(self, numbered: tuple[int, pl.DataFrame], counts: dict[int, int], *, last: bool = False) -> Batch:
        number, frame = numbered
        first = counts.get(number, 0) + 1
        counts[number] = first - 1 + len(frame)
        place = self.origin.place + (f", range {number + 1}" if self.origin.ranges else "")
        if self.cursor is not None:
            values = frame[self.cursor.name]
            if not self.cursor.type and len(frame):
                self.cursor = cursor_of(self.ask.source, self.cursor.name, values.dtype, None)
            if values.null_count():
                raise DataError(
                    f"source '{self.ask.source.name}': the cursor is null",
                    place=f"{place}, row {first + int(values.is_null().arg_max() or 0)}",
                    value=self.cursor.name,
                    mend=f"such a row would never be new: where='{self.cursor.name} IS NOT NULL', or another cursor",
                )
            self.greatest = self.cursor.greater(self.greatest, values)
        again = self.since is not None
        return Batch(frame, place, first, state=self.state() if last else None, again=again)

    def state(self) -> State | None:
        """Where to go on: the greatest cursor so far, which never goes back, and what the transactions were."""
        if self.cursor is None or (self.greatest is None and self.since is None):
            return None
        before = self.cursor.restored(self.since) if self.since is not None else None
        known = [value for value in (self.greatest, before) if value is not None]
        return {"cursor": self.cursor.text(max(known)), "type": self.cursor.type, **self.seen}


def _subject(database: Database, origin: Sql) -> str:
    """What stands behind FROM."""
    if origin.query is not None:
        return f"(\n{origin.query.strip().rstrip(';')}\n) noria_query"
    assert origin.table is not None
    return ".".join(database.name(part) for part in parts_of(origin.table))


def parts_of(table: str) -> tuple[str, ...]:
    """Schema and name of a table; what stands in double quotes is one part.

    Examples
    --------
    >>> parts_of('sales.orders'), parts_of('"a.b"."c""d"')
    (('sales', 'orders'), ('a.b', 'c"d'))
    """
    import re

    if not table.startswith('"') and '"' not in table:
        return tuple(table.split("."))
    found = re.findall(r'"((?:[^"]|"")+)"|([^."]+)', table)
    return tuple(quoted.replace('""', '"') or plain for quoted, plain in found)


def _no_column(ask: Ask, origin: Sql, name: str, types: Mapping[str, str]) -> DataError:
    import difflib

    near = difflib.get_close_matches(name, types, n=1)
    return DataError(
        f"source '{ask.source.name}': there is no column '{name}'",
        place=origin.place,
        mend=f"did you mean '{near[0]}'?" if near else "one of " + ", ".join(types),
    )
