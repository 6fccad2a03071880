"""The table's rows on text. Characters are Unicode code points; order is by code point."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from noria.expressions import patterns
from noria.expressions.function import Fixed, Overload, Table
from noria.expressions.tree import Type

if TYPE_CHECKING:
    import polars as pl


def _concat(*parts: str | None) -> str:
    return "".join(part for part in parts if part is not None)


def _concat_polars(*parts: pl.Expr) -> pl.Expr:
    import polars as pl

    return pl.concat_str(*parts, ignore_nulls=True)


def _concat_sql(*parts: str) -> str:
    return "(" + " || ".join(f"COALESCE({part}, '')" for part in parts) + ")"


def _window(start: int, length: int | None = None) -> tuple[int, ...]:
    if start < 1 or (length is not None and length < 0):
        raise ValueError("SUBSTR counts from 1, and a length is not negative")
    return (start,) if length is None else (start, length)


def _substr(start: int, length: int | None = None) -> Callable[[str], str]:
    part = slice(start - 1, None if length is None else start - 1 + length)
    return lambda text: text[part]


def _substr_polars(text: pl.Expr, start: int, length: int | None = None) -> pl.Expr:
    return text.str.slice(start - 1, length)


def _replace(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


def _replaced(old: str, new: str) -> tuple[str, str]:
    if not old:
        raise ValueError("REPLACE needs a text to look for")
    return old, new


def _like(pattern: str) -> Callable[[str], bool]:
    match = re.compile(patterns.for_python(patterns.like(pattern))).match
    return lambda text: match(text) is not None


def _ilike(pattern: str) -> Callable[[str], bool]:
    match = _like(pattern)
    return lambda text: match(text.lower())


def _search(pattern: str) -> Callable[[str], bool]:
    search = re.compile(patterns.for_python(pattern)).search
    return lambda text: search(text) is not None


def _checked_like(pattern: str) -> tuple[str]:
    patterns.like(pattern)
    return (pattern,)


_TEXT: tuple[Type] = ("string",)
_LIKE = {"": "({0} LIKE {1} ESCAPE '\\')", "spark": "({0} LIKE {1} ESCAPE '\\\\')"}

STRINGS: Table = {
    "LOWER": (Overload(_TEXT, "string", str.lower, lambda x: x.str.to_lowercase(), "LOWER({0})"),),
    "UPPER": (Overload(_TEXT, "string", str.upper, lambda x: x.str.to_uppercase(), "UPPER({0})"),),
    "TRIM": (Overload(_TEXT, "string", lambda x: x.strip(" "), lambda x: x.str.strip_chars(" "), "TRIM({0})"),),
    "LTRIM": (
        Overload(_TEXT, "string", lambda x: x.lstrip(" "), lambda x: x.str.strip_chars_start(" "), "LTRIM({0})"),
    ),
    "RTRIM": (Overload(_TEXT, "string", lambda x: x.rstrip(" "), lambda x: x.str.strip_chars_end(" "), "RTRIM({0})"),),
    "LENGTH": (
        Overload(_TEXT, "int", len, lambda x: x.str.len_chars().cast(int),
                 {"": "LENGTH({0})", "flink": "CAST(CHAR_LENGTH({0}) AS BIGINT)"}),
    ),
    "SUBSTR": (
        Overload(("string", Fixed("int")), "string", _substr, _substr_polars, "SUBSTR({0}, {1})", prepare=_window),
        Overload(("string", Fixed("int"), Fixed("int")), "string", _substr, _substr_polars,
                 "SUBSTR({0}, {1}, {2})", prepare=_window),
    ),
    "||": (Overload(("string", "string"), "string", lambda a, b: a + b, lambda a, b: a + b, "({0} || {1})"),),
    "CONCAT": (Overload(_TEXT, "string", _concat, _concat_polars, _concat_sql, strict=False, repeat=1),),
    "REPLACE": (
        Overload(("string", Fixed("string"), Fixed("string")), "string", _replace,
                 lambda x, old, new: x.str.replace_all(old, new, literal=True), "REPLACE({0}, {1}, {2})",
                 prepare=_replaced),
    ),
    "STARTS_WITH": (
        Overload(("string", "string"), "bool", str.startswith, lambda a, b: a.str.starts_with(b),
                 {"": "STARTS_WITH({0}, {1})", "spark": "STARTSWITH({0}, {1})", "flink": "STARTSWITH({0}, {1})"}),
    ),
    "ENDS_WITH": (
        Overload(("string", "string"), "bool", str.endswith, lambda a, b: a.str.ends_with(b),
                 {"": "ENDS_WITH({0}, {1})", "spark": "ENDSWITH({0}, {1})", "flink": "ENDSWITH({0}, {1})"}),
    ),
    "LIKE": (
        Overload(("string", Fixed("string")), "bool", _like, lambda x, p: x.str.contains(patterns.like(p)),
                 _LIKE, prepare=_checked_like),
    ),
    "ILIKE": (
        Overload(("string", Fixed("string")), "bool", _ilike,
                 lambda x, p: x.str.to_lowercase().str.contains(patterns.like(p)),
                 {dialect: form.replace("{0}", "LOWER({0})") for dialect, form in _LIKE.items()},
                 prepare=lambda pattern: _checked_like(pattern.lower())),
    ),
    "REGEXP_LIKE": (
        Overload(("string", Fixed("string")), "bool", _search, lambda x, p: x.str.contains(p),
                 {"duckdb": "REGEXP_MATCHES({0}, {1})", "spark": "({0} RLIKE {1})", "flink": "REGEXP({0}, {1})"},
                 prepare=lambda pattern: (patterns.regular(pattern),)),
    ),
}  # fmt: skip
