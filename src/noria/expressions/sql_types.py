"""How SQL writes the kinds. An interval is a count of microseconds: tables have no type for it."""

from __future__ import annotations

from noria.expressions.tree import Type

SQL_TYPES: dict[Type, str] = {
    "bool": "BOOLEAN",
    "int": "BIGINT",
    "float": "DOUBLE",
    "string": "STRING",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "interval": "BIGINT",
}
