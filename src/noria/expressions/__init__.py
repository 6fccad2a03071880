"""Row expressions: SQL scalar expressions, parsed once, compiled to Polars, to a dialect's SQL and to Python."""

from typing import TYPE_CHECKING, Any

from noria.expressions.expression import Expression, parse, to_polars, to_python, to_sql
from noria.expressions.polars_types import dtype_of, polars_kinds
from noria.expressions.tree import Kind

if TYPE_CHECKING:
    from noria.expressions.functions import FUNCTIONS

__all__ = ["FUNCTIONS", "Expression", "Kind", "dtype_of", "parse", "polars_kinds", "to_polars", "to_python", "to_sql"]


def __getattr__(name: str) -> Any:
    if name == "FUNCTIONS":  # the table takes 15 ms to build, and loading a project needs none of it
        from noria.expressions.functions import FUNCTIONS

        return FUNCTIONS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
