"""Want: an aggregate of rows that a rule asks for; it is taken in the one pass, and partial results merge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

from noria.expressions import Kind, parse, to_polars, to_sql

if TYPE_CHECKING:
    import polars as pl

How = Literal["rows", "sum", "count", "min", "max", "true"]


@dataclass(frozen=True, slots=True)
class Want:
    """An aggregate of a row expression.

    Attributes
    ----------
    how : str
        ``"rows"`` (all of them), ``"sum"``, ``"count"`` (of values that are not null), ``"min"``, ``"max"``, or
        ``"true"`` (in how many rows it is). NaN is above all numbers.
    text : str
        The row expression.
    place : str
        Where it was written, for errors.

    Examples
    --------
    >>> Want("max", "a + b").merged(None, 3), Want("sum", "a").merged(2, 3)
    (3, 5)
    """

    how: How
    text: str
    place: str = ""

    def kind(self, kinds: Mapping[str, Kind]) -> Kind:
        """The kind of the expression."""
        return parse(self.text, place=self.place).kind(kinds)

    def polars(self, kinds: Mapping[str, Kind]) -> pl.Expr:
        """For a frame."""
        import polars as pl

        if self.how == "rows":
            return pl.len()
        given, kind = to_polars(parse(self.text, place=self.place), kinds), self.kind(kinds)
        if self.how == "sum":
            # Sums of many whole numbers go beyond 64 bits, and Polars would wrap them.
            return (given.cast(pl.Int128) if kind == "int" else given).filter(given.is_not_null()).sum()
        if self.how == "max" and kind == "float":
            return given.nan_max()
        named = {"count": given.count(), "min": given.min(), "max": given.max(), "true": given.sum()}
        return named[self.how]

    def sql(self, kinds: Mapping[str, Kind], dialect: str) -> str:
        """For a database."""
        if self.how == "rows":
            return "COUNT(*)"
        given = to_sql(parse(self.text, place=self.place), kinds, dialect)
        if self.how == "true":
            return f"COUNT(*) FILTER (WHERE {given})"
        return f"COALESCE(SUM({given}), 0)" if self.how == "sum" else f"{self.how.upper()}({given})"

    def merged(self, one: Any, two: Any) -> Any:
        """Of all rows, from parts of them."""
        if one is None or two is None:
            return two if one is None else one
        if self.how in ("min", "max"):
            above = one != one or (two == two and one > two)  # NaN is above all numbers
            return one if above == (self.how == "max") else two
        return one + two


def settled(value: Any) -> Any:
    """A value of an engine as expressions take it: moments have a zone."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def text_of(value: Any) -> str:
    """A value in words."""
    if value is None:
        return "null"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    return f"{value + 0.0:,.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def quoted(column: str) -> str:
    """A column in a row expression."""
    return '"' + column.replace('"', '""') + '"'


def literal(value: bool | int | float | str) -> str:
    """A value in a row expression."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)
