"""Any database that SQLAlchemy knows: rows come through a server's cursor and become frames, which is slower."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from noria.core import DeclarationError, NoriaError, require
from noria.sources.sql_database import Database, Target

if TYPE_CHECKING:
    import polars as pl

_ROWS = 32_768


class AnyDatabase(Database):
    """A connection of SQLAlchemy, in one transaction of the strongest kind that the database has by default."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        alchemy = require("sqlalchemy", extra="sql")
        self.alchemy = alchemy
        try:
            url = alchemy.make_url(target.url)
            url = url.set(username=target.user) if target.user is not None else url
            url = url.set(password=target.password) if target.password is not None else url
            self.engine = alchemy.create_engine(url, poolclass=alchemy.NullPool, hide_parameters=True)
        except (alchemy.exc.ArgumentError, ImportError) as error:
            raise DeclarationError(
                f"source '{target.source}': SQLAlchemy cannot open this URL",
                place=target.shown,
                value=target.clean(str(error)),
                mend="install the driver that it names, or use postgresql://, mysql://, sqlite://, duckdb://",
            ) from None
        try:
            self.connection = self.engine.connect().execution_options(stream_results=True, max_row_buffer=_ROWS)
        except Exception as error:
            raise self.error(error) from None
        self.cast: dict[str, Any] = {}

    def name(self, name: str) -> str:
        if "\0" in name:
            return super().name(name)
        quoted: str = self.engine.dialect.identifier_preparer.quote_identifier(name)
        return quoted

    def literal(self, value: Any) -> str:
        import datetime as dt

        if isinstance(value, dt.datetime):
            value = value.astimezone(dt.UTC).replace(tzinfo=None)
        made = self.alchemy.literal(value).compile(dialect=self.engine.dialect, compile_kwargs={"literal_binds": True})
        return str(made)

    def types(self, subject: str) -> dict[str, str]:
        try:
            found = self.connection.execute(self._text(f"SELECT * FROM {subject} WHERE 1 = 0"))
        except Exception as error:
            raise self.error(error) from None
        names = list(found.keys())
        found.close()
        self.refuse_twice(names)
        return dict.fromkeys(names, "")

    def _text(self, select: str) -> Any:
        # Nothing in it is a parameter: a colon is a colon.
        return self.alchemy.text(select.replace(":", "\\:"))

    def stream(self, select: str) -> Iterator[pl.DataFrame]:
        import polars as pl

        try:
            found = self.connection.execute(self._text(select))
            names = list(found.keys())
            yield pl.DataFrame({name: pl.Series(name, [], pl.Null) for name in names})
            for rows in found.partitions(_ROWS):
                columns = zip(*rows, strict=True)
                yield pl.DataFrame([_column(name, values) for name, values in zip(names, columns, strict=True)])
        except NoriaError:
            raise
        except Exception as error:
            raise self.error(error) from None

    def cancel(self) -> None:
        self.connection.invalidate()

    def close(self) -> None:
        self.connection.close()
        self.engine.dispose()

    def error(self, error: Exception) -> NoriaError:
        words = str(getattr(error, "orig", None) or error)
        passes = getattr(error, "connection_invalidated", False) or isinstance(
            error, self.alchemy.exc.OperationalError | self.alchemy.exc.InterfaceError | self.alchemy.exc.TimeoutError
        )
        return self.down(words) if passes else self.wrong(words)


def _column(name: str, values: tuple[Any, ...]) -> pl.Series:
    """Values as what frames have a type for: decimals as doubles, what is mixed or unknown as texts."""
    import datetime as dt
    from decimal import Decimal

    import polars as pl

    kinds = {type(value) for value in values} - {type(None)}
    if kinds and kinds <= {int, float, Decimal} and kinds != {int}:
        return pl.Series(name, [None if value is None else float(value) for value in values], pl.Float64)
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pl.Series(name, values, pl.Int64)
    if not kinds or kinds in ({bool}, {str}, {bytes}, {dt.date}):
        return pl.Series(name, values)
    if kinds == {dt.datetime}:
        zoned = {value.tzinfo is not None for value in values if value is not None}
        if zoned == {True}:
            return pl.Series(name, [value and value.astimezone(dt.UTC) for value in values], pl.Datetime("us", "UTC"))
        if zoned == {False}:
            return pl.Series(name, values, pl.Datetime("us"))
    return pl.Series(name, [None if value is None else str(value) for value in values], pl.String)
