"""Columns as the types that a contract gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from noria.contracts.wants import quoted
from noria.core import DataError
from noria.expressions import Kind, parse, polars_kinds, to_polars

if TYPE_CHECKING:
    import polars as pl


def typed(frame: pl.DataFrame, types: Mapping[str, Kind], place: str = "") -> pl.DataFrame:
    """Columns as the contract's types; a value that is not of its type becomes null and its row gets a reason.

    A value is of a type when nothing of it is lost: 3.0 is an int, 3.5 is none. The reasons stand in ``_reasons``, for
    `check` to quarantine by.
    """
    import polars as pl

    schema = frame.schema  # made anew each time that it is asked for
    kinds, wrong, cast = polars_kinds(schema), [], []
    for column, kind in types.items():
        if column not in schema or kinds.get(column) == kind:
            continue
        given = frame[column]
        if column not in kinds:
            raise DataError(f"{place}: the column '{column}' cannot be a {kind}", value=str(given.dtype))
        made = _cast(given, kinds[column], kind, place)
        bad = made.is_null() & given.is_not_null()
        if kinds[column] == "string" and kind == "float":
            bad |= made.is_infinite() & ~given.str.contains("(?i)inf")  # 1e400 is not infinity
        elif kinds[column] not in ("string", "null") and kind != "string":
            bad |= _cast(made, kind, kinds[column], place).ne_missing(given)
        if bad.any():
            made = made.to_frame().select(pl.when(~bad).then(pl.col(column)).alias(column)).to_series()
            shown = given.cast(pl.String)
            wrong.append(pl.when(bad).then(pl.format("{}" + type_reason(kind) + "{}", pl.lit(column), shown)))
        cast.append(made)
    frame = frame.with_columns(cast)
    if not wrong:
        return frame
    return frame.with_columns(_reasons=pl.concat_list(wrong).list.drop_nulls())


def type_reason(kind: str) -> str:
    """What stands between column and value in the reason of a value that is not of its type."""
    return f" is no {kind}: "


_SQL = {"float": "double precision", "int": "bigint", "bool": "boolean", "string": "text"}
_WHOLE = "CASE WHEN ABS({0}) <= 9007199254740992 AND FLOOR({0}) = {0} THEN CAST({0} AS bigint) END"


def _cast(values: pl.Series, given: Kind, kind: Kind, place: str) -> pl.Series:
    column = quoted(values.name)
    text = f"CAST({column} AS {_SQL.get(kind, kind)})"
    if (given, kind) == ("string", "int"):
        text = f"COALESCE({text}, {_WHOLE.format(f'CAST({column} AS double precision)')})"
    parsed = parse(text, place=f"{place}, contract.types.{values.name}")
    return values.to_frame().select(to_polars(parsed, {values.name: given}).alias(values.name)).to_series()
