"""DuckDB files: read-only, streamed as Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from noria.core import NoriaError, require
from noria.sources.sql_database import ROWS, Database, Target, frames_of
from noria.sources.sql_files import refuse_missing

if TYPE_CHECKING:
    import polars as pl

_NATIVE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT",
           "DOUBLE", "BOOLEAN", "VARCHAR", "BLOB", "DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS",
           "TIMESTAMP WITH TIME ZONE")  # fmt: skip


class DuckDB(Database):
    """A file; decimals as doubles, or as texts where they are whole and have more than 18 digits; the rest as texts."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        duckdb = require("duckdb", extra="sql")
        refuse_missing(target)
        try:
            self.connection = duckdb.connect(target.path, read_only=True)
            self.connection.execute("SET TimeZone = 'UTC'")
            self.connection.execute("BEGIN")
        except Exception as error:
            raise self.error(error) from None

    def types(self, subject: str) -> dict[str, str]:
        try:
            found = self.connection.execute(f"DESCRIBE SELECT * FROM {subject}").fetchall()
        except Exception as error:
            raise self.error(error) from None
        return {str(row[0]): str(row[1]) for row in found}

    def item(self, name: str, type: str) -> str:
        quoted = self.name(name)
        if type.startswith("DECIMAL("):
            digits, scale = (int(part) for part in type[8:-1].split(","))
            cast = "DOUBLE" if scale else "BIGINT" if digits <= 18 else "VARCHAR"
        else:
            cast = "" if type in _NATIVE else "VARCHAR"
        return f"CAST({quoted} AS {cast}) AS {quoted}" if cast else quoted

    def stream(self, select: str) -> Iterator[pl.DataFrame]:
        try:
            yield from frames_of(self.connection.sql(select).to_arrow_reader(ROWS))
        except Exception as error:
            raise self.error(error) from None

    def cancel(self) -> None:
        self.connection.interrupt()

    def close(self) -> None:
        self.connection.close()

    def error(self, error: Exception) -> NoriaError:
        if "lock" in str(error).lower():
            return self.locked(str(error))
        return self.wrong(str(error))
