"""Expression: a parsed row expression, and its compilers to Polars, SQL and Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from noria.core import DeclarationError
from noria.expressions.tree import Call, Column, Constant, Kind, Node, Refusal, columns_of, kind_of, tree_of

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Expression:
    """A row expression: an SQL scalar expression over the columns of one row.

    Attributes
    ----------
    text : str
        As it was written.
    place : str
        Where, for errors.

    Examples
    --------
    >>> late = parse("arr_delay > 15")
    >>> sorted(late.columns), late.kind({"arr_delay": "int"})
    (['arr_delay'], 'bool')
    >>> to_python(late, {"arr_delay": "int"})({"arr_delay": 20})
    True
    """

    text: str
    place: str = field(default="", compare=False)

    @property
    def tree(self) -> Node:
        """The parsed form."""
        return tree_of(self.text, self.place)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads."""
        return frozenset(columns_of(self.tree))

    def kind(self, schema: Mapping[str, Kind]) -> Kind:
        """The kind of its value.

        Raises
        ------
        DeclarationError
            A column or function is unknown, or a function does not take these kinds.
        """
        return kind_of(self.tree, schema, Refusal(self.text, self.place))


def parse(text: str, *, place: str = "") -> Expression:
    """Read a row expression; a `DeclarationError` says what is wrong with it."""
    expression = Expression(text, place)
    _ = expression.tree
    return expression


def to_polars(expression: Expression, schema: Mapping[str, Kind]) -> pl.Expr:
    """A Polars expression over a frame with these columns; its kind is checked first."""
    import polars as pl

    from noria.expressions.functions import FUNCTIONS

    refuse = Refusal(expression.text, expression.place)
    types = {"int": pl.Int64, "float": pl.Float64, "timestamp": pl.Datetime("us", "UTC"), "interval": pl.Duration("us")}

    def build(node: Node) -> pl.Expr:
        if isinstance(node, Column):
            kind = schema[node.name]
            return pl.col(node.name).cast(types[kind]) if kind in types else pl.col(node.name)
        if isinstance(node, Constant):
            return pl.lit(node.value, types.get(node.kind))
        kinds = tuple(kind_of(arg, schema, refuse) for arg in node.args)
        return FUNCTIONS[node.function].polars([build(arg) for arg in node.args], kinds, node.option)  # type: ignore[no-any-return]

    kind = expression.kind(schema)
    built = build(expression.tree)
    return built.cast(types[kind]) if kind in types else built


def to_sql(expression: Expression, schema: Mapping[str, Kind], dialect: str) -> str:
    """The expression in a dialect's SQL: ``duckdb``, ``spark`` or ``flink``."""
    import sqlglot

    from noria.expressions.functions import FUNCTIONS, quoted

    if dialect not in ("duckdb", "spark", "flink"):
        raise DeclarationError("no such SQL dialect", value=dialect, mend="duckdb, spark or flink")
    refuse = Refusal(expression.text, expression.place)

    def build(node: Node) -> str:
        if isinstance(node, Column):
            return '"' + node.name.replace('"', '""') + '"'
        if isinstance(node, Constant):
            return _sql_literal(node.value, quoted)
        kinds = tuple(kind_of(arg, schema, refuse) for arg in node.args)
        return FUNCTIONS[node.function].sql([build(arg) for arg in node.args], kinds, node.option)

    expression.kind(schema)
    text = build(expression.tree)
    # Flink's own dialect is not known to sqlglot; its scalar syntax is that of Spark.
    return text if dialect == "duckdb" else sqlglot.transpile(text, read="duckdb", write="spark")[0]


def _sql_literal(value: Any, quoted: Callable[[str], str]) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, timedelta):
        return f"INTERVAL '{value // timedelta(microseconds=1)}' MICROSECOND"
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ {quoted(value.isoformat())}"
    if isinstance(value, date):
        return f"DATE {quoted(value.isoformat())}"
    if isinstance(value, float):
        return f"CAST({value!r} AS DOUBLE)"
    return quoted(value) if isinstance(value, str) else f"CAST({value} AS BIGINT)"


def to_python(expression: Expression, schema: Mapping[str, Kind]) -> Callable[[Mapping[str, Any]], Any]:
    """A function of one row: the request path, with no frame library.

    The row maps columns to None, bool, int, float, str, date, aware datetime or timedelta. A column that the row lacks is null.
    """
    from noria.expressions.functions import FUNCTIONS

    refuse = Refusal(expression.text, expression.place)

    def build(node: Node) -> Callable[[Mapping[str, Any]], Any]:
        if isinstance(node, Column):
            name = node.name
            if schema[name] == "float":
                return lambda row: None if (value := row.get(name)) is None else float(value)
            return lambda row: row.get(name)
        if isinstance(node, Constant):
            value = node.value
            return lambda row: value
        kinds = tuple(kind_of(arg, schema, refuse) for arg in node.args)
        entry = FUNCTIONS[node.function]
        return _applied(entry.python(kinds, node.option), [build(arg) for arg in node.args], entry.nulls)

    kind = expression.kind(schema)
    built = build(expression.tree)
    if kind == "float":
        return lambda row: None if (value := built(row)) is None else float(value)
    return built


def _applied(
    function: Callable[..., Any], args: list[Callable[[Mapping[str, Any]], Any]], nulls: bool
) -> Callable[[Mapping[str, Any]], Any]:
    if nulls:
        return lambda row: function(*[arg(row) for arg in args])
    if len(args) == 1:
        only = args[0]
        return lambda row: None if (value := only(row)) is None else function(value)

    def call(row: Mapping[str, Any]) -> Any:
        values = [arg(row) for arg in args]
        return None if None in values else function(*values)

    return call


def polars_kinds(schema: pl.Schema) -> dict[str, Kind]:
    """The kinds of a frame's columns; a column that no expression can read, such as a list, is left out."""
    import polars as pl

    found: dict[str, Kind] = {}
    for name, dtype in schema.items():
        if dtype.is_integer():
            found[name] = "int"
        elif dtype.is_float() or dtype.is_decimal():
            found[name] = "float"
        elif dtype in (pl.String, pl.Categorical, pl.Enum):
            found[name] = "string"
        elif dtype == pl.Boolean:
            found[name] = "bool"
        elif dtype == pl.Date:
            found[name] = "date"
        elif dtype == pl.Datetime:
            found[name] = "timestamp"
        elif dtype == pl.Duration:
            found[name] = "interval"
        elif dtype == pl.Null:
            found[name] = "null"
    return found
