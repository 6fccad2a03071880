"""SQLite files through ADBC: read-only, streamed as Arrow.

A column of SQLite holds values of any type, whatever it was declared as. So what it is is found by one look at all its
values: whole numbers, numbers, bytes, else texts. Times are texts there, and are typed by the contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from noria.core import NoriaError, require
from noria.sources.sql_database import Database, Target
from noria.sources.sql_files import refuse_missing

if TYPE_CHECKING:
    import polars as pl

_ROWS = 65_536
_EXAMPLES = {"integer": "1", "real": "1.5", "text": "''", "blob": "x'00'", "mixed": "''"}


class SQLite(Database):
    """A file, in one read transaction."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.kinds: dict[str, str] = {}
        driver = require("adbc_driver_sqlite", extra="sql")
        manager = require("adbc_driver_manager.dbapi", extra="sql")
        refuse_missing(target)
        try:
            # Not immutable: others may write, and this sees the moment at which it began.
            uri = Path(target.path).absolute().as_uri() + "?mode=ro"
            self.connection = manager.connect(driver._driver_path(), db_kwargs={"uri": uri}, autocommit=False)
            self._values(f"PRAGMA busy_timeout = {int(target.seconds * 1000)}")
        except Exception as error:
            raise self.error(error) from None

    def _values(self, select: str) -> list[tuple[object, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(select)
            found: list[tuple[object, ...]] = cursor.fetchall()
            return found

    def types(self, subject: str) -> dict[str, str]:
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(f"SELECT * FROM {subject} LIMIT 0")
                names = [column[0] for column in cursor.description]
            self.refuse_twice(names)
            # As bits, so that one row tells which types a column holds.
            bits = (f"CASE typeof({self.name(name)}) WHEN 'integer' THEN 1 WHEN 'real' THEN 2 WHEN 'text' THEN 4 "
                    "WHEN 'blob' THEN 8 ELSE 0 END" for name in names)  # fmt: skip
            sums = ", ".join(f"max(({bit}) & 1), max(({bit}) & 2), max(({bit}) & 4), max(({bit}) & 8)" for bit in bits)
            (found,) = self._values(f"SELECT {sums} FROM {subject}")
        except NoriaError:
            raise
        except Exception as error:
            raise self.error(error) from None
        held = [sum(int(bit or 0) for bit in found[4 * i : 4 * i + 4]) for i in range(len(names))]  # type: ignore[call-overload]
        kinds = {0: "text", 1: "integer", 2: "real", 3: "real", 8: "blob"}
        self.kinds |= {
            name: kinds.get(bits, "mixed" if bits & 8 else "text") for name, bits in zip(names, held, strict=True)
        }
        return {name: self.kinds[name] for name in names}

    def item(self, name: str, type: str) -> str:
        quoted = self.name(name)
        if type == "mixed":
            return f"CASE typeof({quoted}) WHEN 'blob' THEN hex({quoted}) ELSE CAST({quoted} AS text) END AS {quoted}"
        return f"CAST({quoted} AS {type}) AS {quoted}"

    def stream(self, select: str) -> Iterator[pl.DataFrame]:
        import polars as pl
        import pyarrow

        # The driver takes a column's type from its first values, and fails at a later one of another: so the first
        # row is an example of each.
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(f"SELECT * FROM ({select}) LIMIT 0")
                titles = [column[0] for column in cursor.description]
            examples = ", ".join(_EXAMPLES[self.kinds[title]] for title in titles)
            with self.connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(_ROWS)})
                cursor.execute(f"SELECT {examples} UNION ALL SELECT * FROM ({select})")
                first = 1
                for batch in cursor.fetch_record_batch():
                    batch.validate(full=True)  # texts that are not UTF-8 would be taken as they are
                    yield pl.DataFrame(pyarrow.Table.from_batches([batch]).slice(first).rename_columns(titles))
                    first = 0
        except Exception as error:
            raise self.error(error) from None

    def cancel(self) -> None:
        self.connection.adbc_cancel()

    def close(self) -> None:
        self.connection.close()

    def error(self, error: Exception) -> NoriaError:
        if "locked" in str(error) or "busy" in str(error).lower():
            return self.locked(str(error))
        return self.wrong(str(error))
