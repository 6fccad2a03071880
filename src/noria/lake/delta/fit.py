"""How rows fit a table: types that tables lack, columns that either side lacks, types that differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from noria.core import DataError

if TYPE_CHECKING:
    import polars as pl


def storable(frame: pl.DataFrame, table: Mapping[str, pl.DataType], place: str) -> pl.DataFrame:
    """Rows in types that tables have, each the nearest that loses nothing.

    Moments are kept in UTC microseconds, labels as texts, unsigned numbers as integers of 64 bits, columns of nulls as
    what the table has there, else as texts.

    Raises
    ------
    DataError
        A column is of a type that tables do not have.
    """
    import polars as pl

    casts = []
    for name, dtype in frame.schema.items():
        if dtype == pl.Null:
            casts.append(pl.col(name).cast(table.get(name, pl.String())))
        elif isinstance(dtype, pl.Categorical | pl.Enum):
            casts.append(pl.col(name).cast(pl.String))
        elif isinstance(dtype, pl.Datetime):
            casts.append(pl.col(name).cast(pl.Datetime("us", "UTC")))
        elif dtype in (pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Int128, pl.UInt128):
            casts.append(pl.col(name).cast(pl.Int64, strict=False))
            if (lost := frame.select(casts[-1].null_count() - pl.col(name).null_count()).item()) > 0:
                raise DataError(f"{lost:,} numbers do not fit 64 bits", place=place, value=name, mend="store texts")
        elif dtype in (pl.Duration, pl.Time, pl.Object):
            raise DataError(
                "tables have no such type", place=place, value=f"{name} is {dtype}", mend="store a number or a text"
            )
    return frame.with_columns(casts)


def joined(table: pl.Schema, rows: pl.Schema, *, widen: bool, place: str) -> pl.Schema:
    """The schema of a table that takes rows of another: new columns come last; a wider type only where asked.

    Raises
    ------
    DataError
        A column's type is wider than the table's and `widen` is false, or neither type holds the other's values.
    """
    import polars as pl

    found = dict(table)
    for name, dtype in rows.items():
        wide = wider(found[name], dtype) if name in found else dtype
        if wide is None or (wide != found.get(name, wide) and not widen):
            mend = f"cast '{name}', or let the table take the wider type (widen=True)" if wide else f"cast '{name}'"
            raise DataError("a column's type is not the table's", place=place,
                            value=f"{name} is {dtype}, in the table {found[name]}", mend=mend)  # fmt: skip
        found[name] = wide
    return pl.Schema(found)


def wider(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    """The type that holds the values of both; None where there is none."""
    import polars as pl

    if one == other:
        return one
    if pl.String in (one, other):
        mixed = other if one == pl.String else one
        return None if mixed.is_nested() or mixed == pl.Binary else pl.String()
    if one.is_numeric() and other.is_numeric():
        if one.is_float() or other.is_float():
            return pl.Float64()
        order: list[pl.DataType] = [pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64()]
        if one in order and other in order:
            return max(one, other, key=order.index)
    return None


def cast_to(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Rows in a table's types; columns that the rows lack are left out: readers see nulls."""
    import polars as pl

    here = frame.schema  # made anew each time that it is asked for
    wanted = [pl.col(name).cast(dtype) for name, dtype in schema.items() if name in here and here[name] != dtype]
    return frame.with_columns(wanted).select([name for name in schema if name in here])
