"""PostgreSQL through ADBC: rows come as binary COPY, straight into Arrow, some 16 MB at a time.

Values keep their meaning. Whole numerics of up to 18 digits are whole numbers, longer ones texts (as doubles two keys
would become one), all others doubles. Days and moments outside of the years 1 to 9999, ``infinity`` too, are the first
and the last of these. What frames have no type for (arrays, JSON, UUID, intervals, ranges, enumerations, times of day,
your own types) is its text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from noria.core import NoriaError, require
from noria.sources.sql_database import Database, Target, frames_of

if TYPE_CHECKING:
    import polars as pl

_BYTES = "16777216"
_NATIVE = {"bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar", "bytea", "date"}
_NATIVE |= {"timestamp", "timestamptz"}
_LAST, _FIRST = datetime(9999, 12, 31, 23, 59, 59, 999999), datetime(1, 1, 1)
_UNIX = date(1970, 1, 1).toordinal()
_DAY_FIRST, _DAY_LAST = _FIRST.toordinal() - _UNIX, _LAST.toordinal() - _UNIX
_MOMENT_FIRST = _DAY_FIRST * 86_400_000_000
_MOMENT_LAST = (_DAY_LAST + 1) * 86_400_000_000 - 1
# The server counts from the year 2000. The driver moves that to 1970 without a look at infinity, the greatest number,
# which wraps round: what is less than minus infinity is more than can be said.
_MOMENT_WRAPPED = -(2**63) + 10_957 * 86_400_000_000
_DAY_WRAPPED = -(2**31) + 10_957
_PASSES = ("08", "53", "57", "40", "55P03", "58", "25P")
_REFUSED = ("28", "3D", "42501")


class PostgreSQL(Database):
    """A connection in one read-only transaction, in which the database stands still."""

    def __init__(self, target: Target, moment: str | None = None) -> None:
        super().__init__(target)
        driver = require("adbc_driver_postgresql", extra="sql")
        manager = require("adbc_driver_manager.dbapi", extra="sql")
        try:
            self.connection = manager.connect(
                driver._driver_path(), db_kwargs={"uri": _uri(target)}, autocommit=moment == ""
            )
        except Exception as error:
            raise self.error(error) from None
        try:
            self.run("SET TIME ZONE 'UTC'")
            self.run("SET datestyle = 'ISO'")
            self.run("SET intervalstyle = 'postgres'")
            self.run("SET extra_float_digits = 1")
            self.run("SET bytea_output = 'hex'")
            self.run("SET synchronize_seqscans = off")  # else rows come in the order in which others read them
            self.run(f"SET lock_timeout = {max(1, int(target.seconds * 1000))}")
            if moment != "":
                self.connection.commit()  # the settings stay, and a transaction begins
                self.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            if moment:
                self.run(f"SET TRANSACTION SNAPSHOT {self.text(moment)}")
        except BaseException:
            self.connection.close()
            raise

    def run(self, command: str) -> None:
        """Run what gives no rows."""
        try:
            with self.connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
                cursor.execute(command)
        except Exception as error:
            raise self.error(error) from None

    def values(self, select: str) -> list[tuple[Any, ...]]:
        """A few rows as Python values."""
        try:
            with self.connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
                cursor.execute(select)
                found: list[tuple[Any, ...]] = cursor.fetchall()
                return found
        except Exception as error:
            raise self.error(error) from None

    def types(self, subject: str) -> dict[str, str]:
        try:
            with self.connection.cursor() as cursor:
                schema = cursor.adbc_execute_schema(f"SELECT * FROM {subject} LIMIT 0")
        except Exception as error:
            raise self.error(error) from None
        self.refuse_twice(schema.names)
        return {field.name: _type(field.metadata or {}) for field in schema}

    def item(self, name: str, type: str) -> str:
        quoted, (kind, _, size) = self.name(name), type.partition("/")
        cast = None
        if kind == "numeric":
            cast = {"0": "::int8", "text": "::text"}.get(size, "::float8")
        elif kind == "money":
            cast = "::numeric::float8"
        elif kind in ("oid", "xid", "cid"):
            cast = "::text::int8"
        elif kind == "inet":
            return f"abbrev({quoted}) AS {quoted}"  # as it is printed: a cast adds the size of the network
        elif kind not in _NATIVE:
            cast = "::text"
        return f"{quoted}{cast} AS {quoted}" if cast else quoted

    def whole(self, type: str) -> bool:
        return type in ("int2", "int4", "int8", "numeric/0")

    def stream(self, select: str) -> Iterator[pl.DataFrame]:
        try:
            with self.connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": _BYTES})
                cursor.execute(select)
                yield from map(_finite, frames_of(cursor.fetch_record_batch()))
        except Exception as error:
            raise self.error(error) from None

    def moment(self, value: datetime) -> str:
        return f"TIMESTAMPTZ {self.text(value.isoformat(sep=' '))}"

    def cancel(self) -> None:
        self.connection.adbc_cancel()

    def close(self) -> None:
        self.connection.close()

    def error(self, error: Exception) -> NoriaError:
        state, words = getattr(error, "sqlstate", None) or "", str(error)
        if state.startswith(_REFUSED):
            return self.refused(words)
        if state.startswith(_PASSES) and "conflict with recovery" not in words:
            return self.down(words)
        if state:
            return self.wrong(words)
        # Before the connection stands the library has no code to tell.
        if "authentication failed" in words or "no password supplied" in words or "does not exist" in words:
            return self.refused(words)
        if "no pg_hba.conf entry" in words or "not permitted to log in" in words or "permission denied" in words:
            return self.refused(words)
        if "invalid" in words and "connection" not in words:
            return self.wrong(words)
        return self.down(words)


def _uri(target: Target) -> str:
    parts = urlsplit(target.signed("postgresql"))
    wait = max(2, round(target.seconds))
    options = {
        "connect_timeout": str(wait), "keepalives_idle": str(wait), "keepalives_interval": "5", "keepalives_count": "3",
        "tcp_user_timeout": str(wait * 1000), "client_encoding": "UTF8", "application_name": "noria",
    } | dict(parse_qsl(parts.query))  # fmt: skip
    return urlunsplit((*parts[:3], urlencode(options), ""))


def _type(told: Mapping[bytes, bytes]) -> str:
    """The server's name of a type; of whole numerics also whether they fit 64 bits (0), or are kept as texts."""
    return type_name(told.get(b"POSTGRESQL:type", b"").decode(), int(told.get(b"POSTGRESQL:typmod", b"-1")))


def type_name(kind: str, modifier: int) -> str:
    """The name of a type; of whole numerics also whether they fit 64 bits (0), or are kept as texts.

    Examples
    --------
    >>> type_name("int4", -1), type_name("numeric", (18 << 16) + 4), type_name("numeric", (20 << 16) + 4)
    ('int4', 'numeric/0', 'numeric/text')
    """
    if kind != "numeric" or modifier < 4:
        return kind
    digits, scale = (modifier - 4) >> 16, (modifier - 4) & 0x7FF
    scale -= 0x800 if scale & 0x400 else 0
    if scale == 0:
        return "numeric/0" if digits <= 18 else "numeric/text"
    return "numeric"


def _finite(frame: pl.DataFrame) -> pl.DataFrame:
    """Days and moments outside of the years 1 to 9999, infinity too, as the first and the last of these."""
    import polars as pl

    for name, dtype in frame.schema.items():
        if dtype == pl.Date:
            frame = _between(frame, name, _DAY_FIRST, _DAY_LAST, _DAY_WRAPPED)
        elif isinstance(dtype, pl.Datetime):
            frame = _between(frame, name, _MOMENT_FIRST, _MOMENT_LAST, _MOMENT_WRAPPED)
    return frame


def _between(frame: pl.DataFrame, name: str, first: int, last: int, wrapped: int) -> pl.DataFrame:
    import polars as pl

    numbers = frame[name].to_physical()
    least: Any = numbers.min()
    most: Any = numbers.max()
    if least is None or (first <= least and most <= last):
        return frame
    column = pl.col(name).to_physical()
    kept = pl.when((column > last) | (column < wrapped)).then(last).when(column < first).then(first).otherwise(column)
    return frame.with_columns(kept.cast(numbers.dtype).cast(frame.schema[name]).alias(name))
