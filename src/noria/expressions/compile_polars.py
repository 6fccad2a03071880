"""Expressions as Polars expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noria.core import DeclarationError
from noria.expressions.polars_types import dtype_of
from noria.expressions.tree import Constant, Read, Typed

if TYPE_CHECKING:
    import polars as pl


def compile_polars(node: Typed) -> pl.Expr:
    """A Polars expression; an interval is a Duration in microseconds."""
    import polars as pl

    built = _build(node)
    return built.cast(pl.Duration("us")) if node.type == "interval" else built


def _build(node: Typed) -> pl.Expr:
    import polars as pl

    if isinstance(node, Read):
        if node.name == "*" or (node.name.startswith("^") and node.name.endswith("$")):
            raise DeclarationError(f"Polars reads the column name '{node.name}' as a pattern", mend="rename the column")
        column = pl.col(node.name)
        if node.type == "interval":
            column = column.cast(pl.Duration("us"))
        return column if node.type == "null" else column.cast(dtype_of(node.type), strict=False)
    if isinstance(node, Constant):
        return pl.lit(node.value, dtype=dtype_of(node.type))
    built: pl.Expr = node.overload.polars(*(_build(arg) for arg in node.args), *node.literals)
    return built
