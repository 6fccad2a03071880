"""MySQL and MariaDB through connectorx, which decodes the protocol into Arrow: there is no ADBC driver for them.

PyMySQL makes a Python object of each value. What connectorx cannot decode is selected in another form: a zero date or a
date with a zero in it, which no calendar has, is null; times of day, geometries and sets are texts; bits are whole
numbers; decimals are doubles, or texts where they are whole and have more than 18 digits.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from noria.core import NoriaError, require
from noria.sources.sql_database import ROWS, Database, Target, frames_of

if TYPE_CHECKING:
    import polars as pl

_PASSES = ("1040", "1053", "1077", "1079", "1129", "1158", "1159", "1160", "1161", "1205", "1213", "1317", "1927",
           "1969", "3024")  # fmt: skip
_REFUSED = ("1044", "1045", "1049", "1142", "1227", "1251", "1698")
_BEFORE = ("SET time_zone = '+00:00'", "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'")


class MySQL(Database):
    """A server; each SELECT has a connection of its own and sees one moment."""

    quotes = ("`", "`")

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        # It prints what Rust panics with, with the whole stack, unless told otherwise before it is loaded.
        os.environ.setdefault("RUST_BACKTRACE", "0")
        self.library = require("connectorx", extra="sql")
        parts = urlsplit(target.url)
        try:
            # It would try for half a minute, and say why on stderr. A server greets first; a tunnel to none does not.
            with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 3306), target.seconds) as one:
                if not one.recv(1):
                    raise OSError("it ends the connection at once")
        except OSError as error:
            raise self.down(str(error)) from None

    def types(self, subject: str) -> dict[str, str]:
        # The protocol tells a query's types to nobody but the library, so the server is asked about a table of them.
        if subject.startswith("("):
            found = self._arrow(f"SELECT * FROM {subject} LIMIT 0").schema
            return {field.name: str(field.type) for field in found}
        table = self._arrow(f"SHOW COLUMNS FROM {subject}")
        return {str(row["Field"]): _text(row["Type"]).lower() for row in table.to_pylist()}

    def item(self, name: str, type: str) -> str:
        quoted, kind = self.name(name), type.partition("(")[0].partition(" ")[0]
        made = None
        if kind in ("date", "datetime", "timestamp", "date32[day]", "timestamp[us]") or kind.startswith("timestamp["):
            real = f"{quoted} >= '0001-01-01' AND MONTH({quoted}) > 0 AND DAY({quoted}) > 0"
            made = f"IF({real}, {quoted}, NULL)"
        elif kind in ("time", "set") or kind.startswith("time64"):
            made = f"CAST({quoted} AS CHAR)"
        elif kind == "bit":
            made = f"CAST({quoted} + 0 AS UNSIGNED)"
        elif kind in ("decimal", "numeric", "decimal128"):
            digits, _, scale = type.partition("(")[2].partition(")")[0].partition(",")
            whole = scale.strip() in ("", "0")
            big = f"CAST({quoted} AS {'SIGNED' if int(digits or 10) <= 18 else 'CHAR'})"
            made = big if whole else f"CAST({quoted} AS DOUBLE)"
        elif kind in ("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
                      "geometrycollection"):  # fmt: skip
            made = f"ST_AsText({quoted})"
        elif kind in ("uuid", "inet4", "inet6", "vector"):
            made = f"CAST({quoted} AS CHAR)"
        return f"{made} AS {quoted}" if made else quoted

    def _arrow(self, select: str) -> Any:
        try:
            return self.library.read_sql(self._url, select, return_type="arrow", pre_execution_query=list(_BEFORE))
        except BaseException as error:
            raise self._told(error) from None

    @property
    def _url(self) -> str:
        url = self.target.signed("mysql")
        if "prefer_socket=" in url:
            return url
        # It would leave a tunnel for the socket that the far server names, which here is another server's or nobody's.
        return f"{url}{'&' if urlsplit(url).query else '?'}prefer_socket=false"

    def stream(self, select: str) -> Iterator[pl.DataFrame]:
        try:
            reader = self.library.read_sql(
                self._url, select, return_type="arrow_stream", batch_size=ROWS, pre_execution_query=list(_BEFORE)
            )
            yield from frames_of(reader)
        except GeneratorExit:
            raise
        except BaseException as error:
            raise self._told(error) from None

    def _told(self, error: BaseException) -> BaseException:
        if isinstance(error, KeyboardInterrupt | SystemExit | NoriaError):
            return error
        return self.error(Exception(str(error)))

    def literal(self, value: object) -> str:
        return repr(value) if isinstance(value, float) else super().literal(value)

    def moment(self, value: datetime) -> str:
        return f"TIMESTAMP {self.text(value.replace(tzinfo=None).isoformat(sep=' '))}"

    def error(self, error: Exception) -> NoriaError:
        words = str(error)
        if any(f"ERROR {code} " in words for code in _REFUSED):
            return self.refused(words)
        if any(f"ERROR {code} " in words for code in _PASSES):
            return self.down(words)
        wrong = any(sign in words for sign in ("ERROR ", "convert", "implement"))
        return self.wrong(words) if wrong else self.down(words)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
