"""The table's rows on truth, null, order and choice: three-valued logic; NaN equals itself and is above all numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from noria.expressions.function import Fixed, Overload, Table
from noria.expressions.tree import Type

if TYPE_CHECKING:
    import polars as pl

ORDERED: tuple[Type, ...] = ("int", "float", "string", "date", "timestamp", "interval")
KINDS: tuple[Type, ...] = ("null", "bool", *ORDERED)


def _and(a: bool | None, b: bool | None) -> bool | None:
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def _or(a: bool | None, b: bool | None) -> bool | None:
    if a or b:
        return True
    return None if a is None or b is None else False


def _float_equal(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)


def _float_less(a: float, b: float) -> bool:
    return a < b or (b != b and a == a)


_FLOAT: dict[str, Callable[[float, float], bool]] = {
    "=": _float_equal,
    "<>": lambda a, b: not _float_equal(a, b),
    "<": _float_less,
    "<=": lambda a, b: not _float_less(b, a),
    ">": lambda a, b: _float_less(b, a),
    ">=": lambda a, b: not _float_less(a, b),
}
_PLAIN: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


_MIRRORED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<=", "IS DISTINCT FROM": "IS DISTINCT FROM"}


def _test_polars(name: str) -> Callable[[pl.Expr, pl.Expr], pl.Expr]:
    """A comparison, with a literal on its right: Polars (2.1) loses rows where one on the left meets a when/then
    that gives the same in all rows."""
    compare: dict[str, Callable[[Any, Any], Any]] = {**_PLAIN, "IS DISTINCT FROM": lambda a, b: a.ne_missing(b)}

    def build(a: pl.Expr, b: pl.Expr) -> pl.Expr:
        mirrored = not a.meta.root_names()
        return compare[_MIRRORED[name]](b, a) if mirrored else compare[name](a, b)  # type: ignore[no-any-return]

    return build


def _test(name: str, kind: Type) -> Callable[[Any, Any], bool]:
    return _FLOAT[name] if kind == "float" else _PLAIN[name]


def _compare(name: str) -> tuple[Overload, ...]:
    kinds = ("bool", *ORDERED) if name in ("=", "<>") else ORDERED
    return tuple(
        Overload((kind, kind), "bool", _test(name, kind), _test_polars(name), f"({{0}} {name} {{1}})") for kind in kinds
    )


def _distinct(kind: Type) -> Overload:
    equal = _test("=", kind)

    def distinct(a: Any, b: Any) -> bool:
        return (a is not b) if a is None or b is None else not equal(a, b)

    sql = {"": "({0} IS DISTINCT FROM {1})", "spark": "(NOT ({0} <=> {1}))"}
    return Overload((kind, kind), "bool", distinct, _test_polars("IS DISTINCT FROM"), sql, strict=False)


def _between(kind: Type) -> Overload:
    less_equal = _test("<=", kind)

    def between(x: Any, low: Any, high: Any) -> bool | None:
        if x is None:
            return None
        return _and(None if low is None else less_equal(low, x), None if high is None else less_equal(x, high))

    return Overload(
        (kind, kind, kind), "bool", between,
        lambda x, low, high: _test_polars(">=")(x, low) & _test_polars("<=")(x, high),
        "({0} BETWEEN {1} AND {2})", strict=False,
    )  # fmt: skip


def _in(kind: Type) -> Overload:
    def in_python(*values: Any) -> Callable[[Any], bool | None]:
        known = frozenset(value for value in values if value is not None)
        missed = None if None in values else False
        if any(value != value for value in known):
            return lambda x: True if x in known or x != x else missed
        return lambda x: True if x in known else missed

    def in_polars(x: pl.Expr, *values: Any) -> pl.Expr:
        import polars as pl

        known: list[Any] = [value for value in values if value is not None]
        if not known:
            return pl.lit(None, dtype=pl.Boolean)
        found = pl.any_horizontal([x == value for value in known]) if kind == "timestamp" else x.is_in(known)
        return found | pl.lit(None, dtype=pl.Boolean) if None in values else found

    def in_sql(x: str, *values: str) -> str:
        return f"({x} IN ({', '.join(values)}))"

    return Overload((kind, Fixed(kind)), "bool", in_python, in_polars, in_sql, repeat=1)


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _coalesce(kind: Type) -> Overload:
    def build(*values: pl.Expr) -> pl.Expr:
        import polars as pl

        return pl.coalesce(*values)

    return Overload(
        (kind,), kind, _first, build, lambda *values: f"COALESCE({', '.join(values)})", strict=False, repeat=1
    )


def _nullif(kind: Type) -> Overload:
    equal = _test("=", kind)

    def nullif(a: Any, b: Any) -> Any:
        return None if a is not None and b is not None and equal(a, b) else a

    def build(a: pl.Expr, b: pl.Expr) -> pl.Expr:
        import polars as pl

        return pl.when(_test_polars("IS DISTINCT FROM")(a, b)).then(a)

    return Overload((kind, kind), kind, nullif, build, "NULLIF({0}, {1})", strict=False)


def _case(kind: Type) -> Overload:
    """The value of ELSE comes first, then condition and value in turn."""

    def case(otherwise: Any, *branches: Any) -> Any:
        for index in range(0, len(branches), 2):
            if branches[index]:
                return branches[index + 1]
        return otherwise

    def build(otherwise: pl.Expr, *branches: pl.Expr) -> pl.Expr:
        import polars as pl

        result = otherwise
        for index in range(len(branches) - 2, -1, -2):
            result = pl.when(branches[index]).then(branches[index + 1]).otherwise(result)
        return result

    def sql(otherwise: str, *branches: str) -> str:
        whens = " ".join(f"WHEN {branches[i]} THEN {branches[i + 1]}" for i in range(0, len(branches), 2))
        return f"CASE {whens} ELSE {otherwise} END"

    return Overload((kind, "bool", kind), kind, case, build, sql, strict=False, repeat=2)


def _extreme(kind: Type, name: str) -> Overload:
    above = ">" if name == "GREATEST" else "<"
    better, wins = _test(above, kind), _test_polars(above)

    def extreme(*values: Any) -> Any:
        best = None
        for value in values:
            if value is not None and (best is None or better(value, best)):
                best = value
        return best

    def build(*values: pl.Expr) -> pl.Expr:
        import polars as pl

        best = values[0]
        for value in values[1:]:
            best = pl.when(best.is_null() | wins(value, best)).then(value).otherwise(best)
        return best

    def sql(*values: str) -> str:
        return f"{name}({', '.join(values)})"

    return Overload((kind,), kind, extreme, build, sql, strict=False, repeat=1)


def _is(name: str, value: bool) -> Overload:
    return Overload(
        ("bool",), "bool", lambda x: x is value, lambda x: x.eq_missing(value), f"({{0}} IS {name})", strict=False
    )


LOGIC: Table = {
    "AND": (Overload(("bool", "bool"), "bool", _and, lambda a, b: a & b, "({0} AND {1})", strict=False),),
    "OR": (Overload(("bool", "bool"), "bool", _or, lambda a, b: a | b, "({0} OR {1})", strict=False),),
    "NOT": (Overload(("bool",), "bool", operator.not_, lambda a: ~a, "(NOT {0})"),),
    "IS NULL": (Overload((None,), "bool", lambda x: x is None, lambda x: x.is_null(), "({0} IS NULL)", strict=False),),
    "IS TRUE": (_is("TRUE", True),),
    "IS FALSE": (_is("FALSE", False),),
    **{name: _compare(name) for name in _PLAIN},
    "IS DISTINCT FROM": tuple(_distinct(kind) for kind in KINDS if kind != "null"),
    "BETWEEN": tuple(_between(kind) for kind in ORDERED),
    "IN": tuple(_in(kind) for kind in KINDS if kind != "null"),
    "COALESCE": tuple(_coalesce(kind) for kind in KINDS),
    "NULLIF": tuple(_nullif(kind) for kind in KINDS),
    "CASE": tuple(_case(kind) for kind in KINDS),
    "GREATEST": tuple(_extreme(kind, "GREATEST") for kind in ORDERED),
    "LEAST": tuple(_extreme(kind, "LEAST") for kind in ORDERED),
}
