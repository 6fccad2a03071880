"""The table's rows on CAST: what cannot be converted is null, so CAST and TRY_CAST are one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from noria.core import UTC
from noria.expressions.function import Form, Overload, Sql, Table
from noria.expressions.numbers import FITS, bounded
from noria.expressions.polars_types import dtype_of
from noria.expressions.sql_types import SQL_TYPES
from noria.expressions.times import bounded_micros, within_sql
from noria.expressions.tree import Type

if TYPE_CHECKING:
    import polars as pl

_TRUE = ("true", "t", "yes", "y", "1")
_FALSE = ("false", "f", "no", "n", "0")
_INT = "[+-]?[0-9]+"
_FLOAT = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_NOT_FINITE = "([nN][aA][nN]|[+-]?[iI][nN][fF]([iI][nN][iI][tT][yY])?)"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MOMENT = _DAY + r"([ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?)?"
# One form for every engine's parser: 2013-01-01T05:00:00[.5]+00:00
_NORMAL = (
    (" ", "T"),
    ("^(.{10})$", r"\1T00:00:00"),
    ("Z$", "+00:00"),
    (r"^(.{10}T[0-9]{2}:[0-9]{2})([+-]|$)", r"\1:00\2"),
    (r"^(.{19}(?:\.[0-9]+)?)$", r"\1+00:00"),
)


def _matching(pattern: str, convert: Callable[[str], Any]) -> Callable[[str], Any]:
    match = re.compile(pattern).fullmatch
    return lambda text: convert(text) if match(text) else None


def _to_int(text: str) -> int | None:
    # 19 digits fit 64 bits; a longer text may have leading zeros, and a huge one would be slow to convert.
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    digits = digits.lstrip("0") or "0"
    return bounded(int(sign + digits)) if len(digits) <= 19 else None


def _to_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _to_moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


to_date = _matching(_DAY, _to_date)
"""A text as a date, None where it is not one."""
to_moment = _matching(_MOMENT, _to_moment)
"""A text as a UTC timestamp, None where it is not one."""


def _to_bool(text: str) -> bool | None:
    word = text.lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _where(pattern: str, convert: Callable[[pl.Expr], pl.Expr]) -> Callable[[pl.Expr], pl.Expr]:
    def build(x: pl.Expr) -> pl.Expr:
        import polars as pl

        return convert(pl.when(x.str.contains(rf"^(?:{pattern})\z")).then(x))

    return build


def _as(kind: Type) -> Callable[[pl.Expr], pl.Expr]:
    return lambda x: x.cast(dtype_of(kind), strict=False)


def _float_polars(x: pl.Expr) -> pl.Expr:
    import polars as pl

    word = x.str.to_lowercase().str.strip_prefix("+")
    return (
        pl.when(word == "nan").then(math.nan)
        .when(word.is_in(["inf", "infinity"])).then(math.inf)
        .when(word.is_in(["-inf", "-infinity"])).then(-math.inf)
        .otherwise(x.cast(pl.Float64, strict=False))
    )  # fmt: skip


def _bool_polars(x: pl.Expr) -> pl.Expr:
    import polars as pl

    word = x.str.to_lowercase()
    return pl.when(word.is_in(_TRUE)).then(True).when(word.is_in(_FALSE)).then(False)


def _date_polars(x: pl.Expr) -> pl.Expr:
    import polars as pl

    day = x.str.to_date("%Y-%m-%d", strict=False)
    return pl.when(day >= date.min).then(day)


def _moment_polars(x: pl.Expr) -> pl.Expr:
    import polars as pl

    for old, new in _NORMAL:
        x = x.str.replace(old, re.sub(r"\\(\d)", r"${\1}", new))
    moment = x.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", strict=False)
    return bounded_micros(moment.cast(pl.Int64))


def _guarded(pattern: str, convert: Callable[[str], str]) -> dict[str, Form]:
    """Convert only what looks right: engines accept more than they agree on."""
    spark_pattern = pattern.replace("\\", "\\\\")
    return {
        "duckdb": lambda x: f"CASE WHEN REGEXP_FULL_MATCH({x}, '{pattern}') THEN {convert(x)} END",
        "spark": lambda x: f"CASE WHEN {x} RLIKE '^({spark_pattern})\\\\z' THEN {convert(x)} END",
        "flink": lambda x: f"CASE WHEN REGEXP({x}, '^({pattern})\\z') THEN {convert(x)} END",
    }


def _try_cast(name: str) -> Callable[[str], str]:
    return lambda x: f"TRY_CAST({x} AS {name})"


def _moment_duckdb(x: str) -> str:
    for old, new in _NORMAL:
        x = f"REGEXP_REPLACE({x}, '{old}', '{new}')"
    return f"MAKE_TIMESTAMP({within_sql(f'EPOCH_US(TRY_CAST({x} AS TIMESTAMPTZ))')})"


_MOMENT_SQL: dict[str, Form] = {
    "duckdb": _guarded(_MOMENT, _moment_duckdb)["duckdb"],
    "spark": _guarded(_MOMENT, _try_cast("TIMESTAMP"))["spark"],
}


def _bool_sql() -> str:
    true, false = (", ".join(f"'{word}'" for word in words) for words in (_TRUE, _FALSE))
    return f"CASE WHEN LOWER({{0}}) IN ({true}) THEN TRUE WHEN LOWER({{0}}) IN ({false}) THEN FALSE END"


def _midnight(x: date) -> datetime:
    return datetime(x.year, x.month, x.day, tzinfo=UTC)


def _midnight_polars(x: pl.Expr) -> pl.Expr:
    import polars as pl

    return x.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _cast(kind: Type, gives: Type, python: Callable[[Any], Any], polars: Callable[[Any], Any], sql: Sql) -> Overload:
    return Overload((kind,), gives, python, polars, sql)


def _same(kind: Type) -> tuple[Overload, Overload]:
    return (
        _cast(kind, kind, lambda x: x, lambda x: x, "{0}"),
        _cast("null", kind, lambda x: None, _as(kind), f"CAST({{0}} AS {SQL_TYPES[kind]})"),
    )


def _truncate(x: float) -> int | None:
    return bounded(int(x)) if math.isfinite(x) else None


_TO_INT = {
    "duckdb": "TRY_CAST(TRUNC({0}) AS BIGINT)",
    "spark": "TRY_CAST({0} AS BIGINT)",
    "flink": f"CASE WHEN {FITS} THEN CAST({{0}} AS BIGINT) END",
}
_MOMENT_TEXT = {
    "duckdb": "STRFTIME({0}, '%Y-%m-%d %H:%M:%S.%f')",
    "spark": "DATE_FORMAT({0}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')",
    "flink": "CAST(CAST({0} AS TIMESTAMP(6)) AS STRING)",
}

CASTS: Table = {
    "CAST AS BOOL": (
        *_same("bool"),
        _cast("int", "bool", bool, lambda x: x != 0, "({0} <> 0)"),
        _cast("string", "bool", _to_bool, _bool_polars, _bool_sql()),
    ),
    "CAST AS INT": (
        *_same("int"),
        _cast("bool", "int", int, _as("int"), "CAST({0} AS BIGINT)"),
        _cast("float", "int", _truncate, _as("int"), _TO_INT),
        _cast("string", "int", _matching(_INT, _to_int), _where(_INT, _as("int")),
              _guarded(_INT, _try_cast("BIGINT"))),
    ),
    "CAST AS FLOAT": (
        *_same("float"),
        _cast("bool", "float", float, _as("float"), "CAST(CAST({0} AS BIGINT) AS DOUBLE)"),
        _cast("int", "float", float, _as("float"), "CAST({0} AS DOUBLE)"),
        _cast("string", "float", _matching(f"{_FLOAT}|{_NOT_FINITE}", float),
              _where(f"{_FLOAT}|{_NOT_FINITE}", _float_polars),
              _guarded(f"{_FLOAT}|{_NOT_FINITE}", _try_cast("DOUBLE"))),
    ),
    "CAST AS STRING": (
        *_same("string"),
        _cast("bool", "string", lambda x: "true" if x else "false", _as("string"),
              "CASE WHEN {0} THEN 'true' WHEN NOT {0} THEN 'false' END"),
        _cast("int", "string", str, _as("string"), "CAST({0} AS STRING)"),
        _cast("date", "string", date.isoformat, lambda x: x.dt.strftime("%Y-%m-%d"), "CAST({0} AS STRING)"),
        _cast("timestamp", "string", lambda x: x.isoformat(sep=" ", timespec="microseconds")[:26],
              lambda x: x.dt.strftime("%Y-%m-%d %H:%M:%S%.6f"), _MOMENT_TEXT),
    ),
    "CAST AS DATE": (
        *_same("date"),
        _cast("timestamp", "date", datetime.date, lambda x: x.dt.date(), "CAST({0} AS DATE)"),
        _cast("local", "date", datetime.date, lambda x: x.dt.date(), "CAST({0} AS DATE)"),
        _cast("string", "date", to_date, _where(_DAY, _date_polars),
              _guarded(_DAY, lambda x: f"CASE WHEN {x} >= '0001' THEN TRY_CAST({x} AS DATE) END")),
    ),
    "CAST AS TIMESTAMP": (
        *_same("timestamp"),
        _cast("date", "timestamp", _midnight, _midnight_polars, "CAST({0} AS TIMESTAMP)"),
        _cast("string", "timestamp", to_moment, _where(_MOMENT, _moment_polars), _MOMENT_SQL),
    ),
    "CAST AS INTERVAL": _same("interval"),
}  # fmt: skip
