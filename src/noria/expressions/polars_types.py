"""How Polars writes the kinds, and the kinds of what Polars has read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noria.expressions.tree import Kind, Type

if TYPE_CHECKING:
    import polars as pl


def dtype_of(kind: Type) -> pl.DataType:
    """The Polars type that a kind has inside an expression; intervals are counts of microseconds there.

    Examples
    --------
    >>> dtype_of("int"), dtype_of("timestamp")
    (Int64, Datetime(time_unit='us', time_zone='UTC'))
    """
    import polars as pl

    types: dict[Type, pl.DataType] = {
        "null": pl.Null(),
        "bool": pl.Boolean(),
        "int": pl.Int64(),
        "float": pl.Float64(),
        "string": pl.String(),
        "date": pl.Date(),
        "timestamp": pl.Datetime("us", "UTC"),
        "interval": pl.Int64(),
    }
    return types[kind]


def polars_kinds(schema: pl.Schema) -> dict[str, Kind]:
    """The kinds of a frame's columns; columns that expressions cannot read (lists, structs, binary) are left out.

    Examples
    --------
    >>> import polars as pl
    >>> polars_kinds(pl.Schema({"seats": pl.Int32, "origin": pl.Categorical(), "tags": pl.List(pl.String)}))
    {'seats': 'int', 'origin': 'string'}
    """
    found = {name: _kind(dtype) for name, dtype in schema.items()}
    return {name: kind for name, kind in found.items() if kind is not None}


def _kind(dtype: pl.DataType) -> Kind | None:
    import polars as pl

    if dtype.is_integer():
        return "int"
    if dtype.is_float() or dtype.is_decimal():
        return "float"
    kinds: dict[type[pl.DataType], Kind] = {
        pl.Null: "null",
        pl.Boolean: "bool",
        pl.String: "string",
        pl.Categorical: "string",
        pl.Enum: "string",
        pl.Date: "date",
        pl.Datetime: "timestamp",
        pl.Duration: "interval",
    }
    return kinds.get(dtype.base_type())
