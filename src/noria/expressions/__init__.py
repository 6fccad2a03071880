"""Row expressions: SQL scalar expressions, parsed once, compiled to Polars, to a dialect's SQL and to Python."""

from noria.expressions.expression import Expression, parse, to_polars, to_python, to_sql
from noria.expressions.functions import FUNCTIONS
from noria.expressions.polars_types import polars_kinds
from noria.expressions.tree import Kind

__all__ = ["FUNCTIONS", "Expression", "Kind", "parse", "polars_kinds", "to_polars", "to_python", "to_sql"]
