"""What a kind of SQL database can do: be asked for its columns and stream rows as frames. One module a kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from noria.core import DataError, DeclarationError, NoriaError, TransientError, redacted, scheme_of

if TYPE_CHECKING:
    import polars as pl
    import pyarrow

ROWS = 131_072
"""How many rows a batch holds, where the library counts rows and not bytes."""


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """A database to be opened: made for one read, and never kept, shown or stored, as it holds the password."""

    source: str
    url: str
    user: str | None
    password: str | None
    seconds: float
    base: str

    @property
    def shown(self) -> str:
        """Where it is, for errors."""
        return redacted(self.url)

    @property
    def path(self) -> str:
        """The file that the URL of an embedded database names; relative ones start in the project's folder."""
        from pathlib import Path

        rest = self.url.split("://", 1)[1].partition("?")[0]
        # As SQLAlchemy has it: three slashes before a relative path, four before an absolute one.
        return str(Path(self.base) / unquote(rest.removeprefix("/")))

    def signed(self, scheme: str | None = None) -> str:
        """The URL with user and password, for a library that takes no other form."""
        parts = urlsplit(self.url)
        user = self.user if self.user is not None else unquote(parts.username) if parts.username else None
        name = "" if user is None else quote(user, safe="")
        if self.password is not None:
            name += ":" + quote(self.password, safe="")
        host = parts.netloc.rpartition("@")[2]
        netloc = f"{name}@{host}" if name else host
        return urlunsplit((scheme or parts.scheme, netloc, parts.path, parts.query, ""))

    def clean(self, text: str) -> str:
        """A library's words without the password, whichever way it is written."""
        for secret in {self.password or "", quote(self.password or "", safe="")} - {""}:
            text = text.replace(secret, "***")
        return re.sub(r"\s+", " ", re.sub(r"://[^/?#\s\"']*@", "://***@", text)).strip()


class Database:
    """One open connection. It is used from one thread at a time, but for `cancel`.

    Calls: the constructor opens it; `types`, then `stream` as often as is needed; `close`.
    """

    quotes: tuple[str, str] = ('"', '"')
    """What stands before and after a name; the second is doubled where it stands in one."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def types(self, subject: str) -> dict[str, str]:
        """The columns of what is read, with their types in the database's own words."""
        raise NotImplementedError

    def item(self, name: str, type: str) -> str:
        """What is selected for a column, so that no value is lost on the way."""
        return self.name(name)

    def stream(self, select: str) -> Iterator[pl.DataFrame]:
        """The rows of a SELECT, some at a time; one frame at least, be it without rows."""
        raise NotImplementedError

    def whole(self, type: str) -> bool:
        """Whether a column of this type holds whole numbers only."""
        return False

    def cancel(self) -> None:
        """Called from another thread: ends what is running, if the library can."""

    def close(self) -> None:
        """Give the connection back."""

    def error(self, error: Exception) -> NoriaError:
        """A library's error in ours, without secrets."""
        return self.wrong(str(error))

    def name(self, name: str) -> str:
        """A name that cannot be anything else, whatever is in it.

        Examples
        --------
        >>> Database(Target("", "x://", None, None, 1, ".")).name('a"; DROP TABLE b; --')
        '"a""; DROP TABLE b; --"'
        """
        if "\0" in name:
            raise DeclarationError("a name holds a NUL", place=self.target.shown, value=name)
        before, after = self.quotes
        return f"{before}{name.replace(after, after + after)}{after}"

    def text(self, value: str) -> str:
        """A text as a literal; backslashes mean themselves."""
        return "'" + value.replace("'", "''") + "'"

    def literal(self, value: Any) -> str:
        """A number, a text, a moment (UTC) or a day as a literal of this dialect."""
        import datetime as dt

        if isinstance(value, bool) or value is None:
            raise DataError("this cannot be a cursor", place=self.target.shown, value=value)
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float):
            return f"CAST({self.text(repr(value))} AS double precision)"
        if isinstance(value, dt.datetime):
            return self.moment(value.astimezone(dt.UTC))
        if isinstance(value, dt.date):
            return f"CAST({self.text(value.isoformat())} AS date)"
        return self.text(str(value))

    def moment(self, value: Any) -> str:
        """A moment in UTC as a literal."""
        return f"CAST({self.text(value.replace(tzinfo=None).isoformat(sep=' '))} AS timestamp)"

    def down(self, words: str) -> TransientError:
        """It does not answer."""
        return TransientError(
            f"source '{self.target.source}': the database does not answer",
            place=self.target.shown,
            value=self.target.clean(words),
            mend="is it up, and is the host right? the read is tried again",
        )

    def refused(self, words: str) -> DeclarationError:
        """It does not let us in."""
        return DeclarationError(
            f"source '{self.target.source}': the database does not let this user in",
            place=self.target.shown,
            value=self.target.clean(words),
            mend="user=…, password=secret(…), and the rights of that user",
        )

    def locked(self, words: str) -> TransientError:
        """Another process has the file."""
        return TransientError(
            f"source '{self.target.source}': another process writes the database",
            place=self.target.shown,
            value=self.target.clean(words),
            mend="run again when it is done",
        )

    def refuse_twice(self, names: Sequence[str]) -> None:
        """Refuse columns of which two have one name."""
        if len(set(names)) < len(names):
            raise self.wrong(f"a column stands twice: {', '.join(names)}")

    def wrong(self, words: str) -> DataError:
        """It answers that it cannot do what it is asked."""
        return DataError(
            f"source '{self.target.source}': the database cannot answer",
            place=self.target.shown,
            value=self.target.clean(words),
            mend="are table, columns and query right?",
        )


def frames_of(reader: pyarrow.RecordBatchReader) -> Iterator[pl.DataFrame]:
    """Arrow's batches as frames; one at least, be it without rows."""
    import polars as pl
    import pyarrow

    empty = True
    for batch in reader:
        if batch.num_rows:
            yield pl.DataFrame(pyarrow.Table.from_batches([batch]))
            empty = False
    if empty:
        yield pl.DataFrame(reader.schema.empty_table())


DATABASES = {
    "postgresql": "noria.sources.postgresql:PostgreSQL",
    "postgres": "noria.sources.postgresql:PostgreSQL",
    "mysql": "noria.sources.mysql:MySQL",
    "mariadb": "noria.sources.mysql:MySQL",
    "sqlite": "noria.sources.sqlite:SQLite",
    "duckdb": "noria.sources.duckdb:DuckDB",
}
"""Of each scheme the kind of database; any other is tried with SQLAlchemy."""


def kind_of(url: str) -> type[Database]:
    """The kind of database that a URL is of."""
    found: type[Database] = resolve_name(DATABASES.get(scheme_of(url), "noria.sources.sqlalchemy:AnyDatabase"))
    return found
