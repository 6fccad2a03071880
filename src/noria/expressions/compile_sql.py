"""Expressions as the SQL of an engine.

Timestamps are UTC: DuckDB's result is a TIMESTAMP without a zone, Spark's session must be set to UTC, Flink's columns
are TIMESTAMP. Intervals are BIGINT microseconds in columns and results, because tables have no type for them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from noria.core import DeclarationError
from noria.expressions.sql_types import SQL_TYPES
from noria.expressions.tree import Constant, Read, Type, Typed

DIALECTS = ("duckdb", "flink", "spark")


def compile_sql(node: Typed, dialect: str) -> str:
    """The text of an expression.

    Raises
    ------
    DeclarationError
        An unknown dialect, or a function that this dialect cannot do.
    """
    if dialect not in DIALECTS:
        raise DeclarationError("unknown SQL dialect", value=dialect, mend="one of " + ", ".join(DIALECTS))
    return _build(node, dialect)


def _build(node: Typed, dialect: str) -> str:
    if isinstance(node, Read):
        return _column(node.name, node.type, dialect)
    if isinstance(node, Constant):
        return _constant(node.type, node.value, dialect)
    form = node.overload.sql
    if isinstance(form, Mapping):
        if dialect not in form and "" not in form:
            takes = ", ".join(str(parameter) for parameter in node.overload.takes)
            raise DeclarationError(f"{dialect} cannot do this to the microsecond", value=f"({takes}) -> {node.type}")
        form = form.get(dialect) or form[""]
    texts = [_build(arg, dialect) for arg in node.args]
    texts += [_literal(value, dialect) for value in node.literals]
    text = form.format(*texts) if isinstance(form, str) else form(*texts)
    return f"({text})" if text.startswith("CASE") else text


def _column(name: str, kind: Type, dialect: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"' if dialect == "duckdb" else "`" + name.replace("`", "``") + "`"
    if kind == "timestamp" and dialect == "duckdb":
        return f"MAKE_TIMESTAMP(EPOCH_US({quoted}))"  # with or without a zone, and whatever the session's zone
    if kind in ("null", "bool", "date", "timestamp"):
        return quoted
    return f"CAST({quoted} AS {SQL_TYPES[kind]})"


def _constant(kind: Type, value: Any, dialect: str) -> str:
    if kind == "null":
        return "NULL"
    if value is None or kind in ("int", "interval"):
        return f"CAST({'NULL' if value is None else value} AS {SQL_TYPES[kind]})"
    return _literal(value, dialect)


def _literal(value: Any, dialect: str) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        text = (
            repr(value) if math.isfinite(value) else repr(str(value).replace("inf", "Infinity").replace("nan", "NaN"))
        )
        return f"CAST({text} AS DOUBLE)"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.replace(tzinfo=None).isoformat(sep=' ', timespec='microseconds')}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    text = str(value).replace("'", "''")
    # Spark reads backslashes in texts as escapes, and '' only from Spark 4 on, where it is on by default.
    return "'" + (str(value).replace("\\", "\\\\").replace("'", "\\'") if dialect == "spark" else text) + "'"
