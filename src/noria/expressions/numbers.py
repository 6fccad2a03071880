"""The table's rows on numbers and intervals: what has no value is null; only floats have infinity and NaN."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from noria.expressions.function import Fixed, Overload, Table
from noria.expressions.tree import Type

if TYPE_CHECKING:
    import polars as pl

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
FITS = "{0} >= -9223372036854775808e0 AND {0} < 9223372036854775808e0"
"""SQL: does a float fit 64 bits?"""
_WHOLE = 2.0**52
"""From here on, every float is a whole number."""


def bounded(value: int) -> int | None:
    """The integer, or null where it does not fit 64 bits."""
    return value if INT_MIN <= value <= INT_MAX else None


def _wide(operation: Callable[[Any, Any], Any]) -> Callable[[pl.Expr, pl.Expr], pl.Expr]:
    """Integer arithmetic in 128 bits, so that what overflows 64 becomes null."""

    def build(a: pl.Expr, b: pl.Expr) -> pl.Expr:
        import polars as pl

        return operation(a.cast(pl.Int128), b.cast(pl.Int128)).cast(pl.Int64, strict=False)  # type: ignore[no-any-return]

    return build


def _wide_sql(operator: str, spark: str) -> dict[str, str]:
    flink = f"(CAST({{0}} AS DECIMAL(19, 0)) {operator} CAST({{1}} AS DECIMAL(19, 0)))"
    return {
        "duckdb": f"TRY_CAST(CAST({{0}} AS HUGEINT) {operator} CAST({{1}} AS HUGEINT) AS BIGINT)",
        "spark": f"{spark}({{0}}, {{1}})",
        "flink": f"CASE WHEN {flink} BETWEEN {INT_MIN} AND {INT_MAX} THEN CAST({flink} AS BIGINT) END",
    }


def _modulo(a: int, b: int) -> int | None:
    if b == 0:
        return None
    rest = abs(a) % abs(b)
    return -rest if a < 0 else rest


def _modulo_polars(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    import polars as pl

    floored = a % b  # has the divisor's sign; ours has the dividend's, as in SQL
    return pl.when((floored != 0) & ((a < 0) != (b < 0))).then(floored - b).otherwise(floored)


def _divide_polars(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    import polars as pl

    return a / pl.when(b != 0).then(b)


def round_half_away(x: float) -> float:
    """The nearest whole number, halves away from zero; what is whole, infinite or NaN stays."""
    size = abs(x)
    if not size < _WHOLE:
        return x
    whole = math.floor(size)
    return math.copysign(whole + 1 if size - whole >= 0.5 else whole, x)


def _round_to(factor: float) -> Callable[[float], float]:
    return lambda x: round_half_away(x * factor) / factor if abs(x) < _WHOLE else x


def _round_polars(x: pl.Expr, factor: float) -> pl.Expr:
    import polars as pl

    rounded = (x * factor).round(0, mode="half_away_from_zero") / factor
    return pl.when(x.abs() < _WHOLE).then(rounded).otherwise(x)


def _digits(digits: int) -> tuple[float]:
    if not 0 <= digits <= 15:
        raise ValueError("ROUND takes 0 to 15 digits")
    return (10.0**digits,)


def _whole_digits(digits: int) -> tuple[()]:
    _digits(digits)
    return ()


def _scale(micros: int, factor: float) -> int | None:
    scaled = micros * factor
    return bounded(int(round_half_away(scaled))) if math.isfinite(scaled) else None


def _scale_polars(micros: pl.Expr, factor: pl.Expr) -> pl.Expr:
    import polars as pl

    return (micros.cast(pl.Float64) * factor).round(0, mode="half_away_from_zero").cast(pl.Int64, strict=False)


def _part(micros: int, divisor: float) -> int | None:
    if divisor == 0:
        return None
    part = micros / divisor
    return bounded(int(round_half_away(part))) if math.isfinite(part) else None


def _part_polars(micros: pl.Expr, divisor: pl.Expr) -> pl.Expr:
    import polars as pl

    part = _divide_polars(micros.cast(pl.Float64), divisor)
    return part.round(0, mode="half_away_from_zero").cast(pl.Int64, strict=False)


def _to_bigint(value: str) -> dict[str, str]:
    return {
        "": f"TRY_CAST({value} AS BIGINT)",
        "flink": f"CASE WHEN {FITS.replace('{0}', value)} THEN CAST({value} AS BIGINT) END",
    }


def _sqrt(x: float) -> float | None:
    return None if x < 0 else math.sqrt(x)


def _ln(x: float) -> float | None:
    return None if x <= 0 else math.log(x)


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _power(x: float, y: float) -> float | None:
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0 and math.fmod(y, 2) != 0 else math.inf
    except ValueError:  # zero to a negative power, a negative number to a fraction
        return None


def _power_polars(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    import polars as pl

    power = x.pow(y)
    undefined = (x == 0) & (y < 0) & y.is_finite() | power.is_nan() & x.is_not_nan() & y.is_not_nan()
    return pl.when(~undefined).then(power)


def _keep(condition: Callable[[pl.Expr], pl.Expr]) -> Callable[[pl.Expr], pl.Expr]:
    """The value where the condition holds, else null."""

    def build(x: pl.Expr) -> pl.Expr:
        import polars as pl

        return pl.when(condition(x)).then(x)

    return build


def _sign(x: float) -> float:
    return (x > 0) - (x < 0) + 0.0 if x == x else x


def _sign_int(x: int) -> int:
    return (x > 0) - (x < 0)


def _not_lowest(operation: Callable[[pl.Expr], pl.Expr]) -> Callable[[pl.Expr], pl.Expr]:
    keep = _keep(lambda x: x != INT_MIN)
    return lambda x: operation(keep(x))


def _int_polars(operation: Callable[[pl.Expr], pl.Expr]) -> Callable[[pl.Expr], pl.Expr]:
    def build(x: pl.Expr) -> pl.Expr:
        import polars as pl

        return operation(x).cast(pl.Int64)

    return build


def _same(x: Any) -> Any:
    return x


def _whole_float(name: str) -> dict[str, str]:
    small = f"CASE WHEN ABS({{0}}) < {_WHOLE!r} THEN CAST({name}({{0}}) AS DOUBLE) ELSE {{0}} END"
    return {"": f"{name}({{0}})", "spark": small}  # Spark's gives a BIGINT


def _arithmetic(kind: Type) -> Table:
    """What integers and intervals share: both are 64-bit counts."""
    two = (kind, kind)
    return {
        "+": (Overload(two, kind, lambda a, b: bounded(a + b), _wide(lambda a, b: a + b), _wide_sql("+", "TRY_ADD")),),
        "-": (
            Overload(two, kind, lambda a, b: bounded(a - b), _wide(lambda a, b: a - b), _wide_sql("-", "TRY_SUBTRACT")),
        ),
        "NEGATE": (
            Overload((kind,), kind, lambda a: bounded(-a), _not_lowest(lambda a: -a), f"(-NULLIF({{0}}, {INT_MIN}))"),
        ),
        "ABS": (
            Overload((kind,), kind, lambda a: bounded(abs(a)), _not_lowest(lambda a: a.abs()),
                     f"ABS(NULLIF({{0}}, {INT_MIN}))"),
        ),
        "SIGN": (
            Overload((kind,), "int", _sign_int, _int_polars(lambda a: a.sign()), "CAST(SIGN({0}) AS BIGINT)"),
        ),
    }  # fmt: skip


def _multiplied(a: Type, b: Type, gives: Type) -> Overload:
    return Overload(
        (a, b), gives, lambda a, b: bounded(a * b), _wide(lambda a, b: a * b), _wide_sql("*", "TRY_MULTIPLY")
    )


def _scaled(first: Type, second: Type) -> Overload:
    sql = _to_bigint("ROUND(CAST({0} AS DOUBLE) * CAST({1} AS DOUBLE))")
    if first == "interval":
        return Overload((first, second), "interval", _scale, _scale_polars, sql)
    return Overload((first, second), "interval", lambda x, n: _scale(n, x), lambda x, n: _scale_polars(n, x), sql)


_FLOATS: tuple[Type, Type] = ("float", "float")
_INT = _arithmetic("int")
_INTERVAL = _arithmetic("interval")

NUMBERS: Table = {
    "+": (
        *_INT["+"],
        Overload(_FLOATS, "float", lambda a, b: a + b, lambda a, b: a + b, "({0} + {1})"),
        *_INTERVAL["+"],
    ),
    "-": (
        *_INT["-"],
        Overload(_FLOATS, "float", lambda a, b: a - b, lambda a, b: a - b, "({0} - {1})"),
        *_INTERVAL["-"],
    ),
    "*": (
        _multiplied("int", "int", "int"),
        Overload(_FLOATS, "float", lambda a, b: a * b, lambda a, b: a * b, "({0} * {1})"),
        _multiplied("int", "interval", "interval"),
        _multiplied("interval", "int", "interval"),
        _scaled("interval", "float"),
        _scaled("float", "interval"),
    ),
    "/": (
        Overload(_FLOATS, "float", lambda a, b: a / b if b != 0 else None, _divide_polars, "({0} / NULLIF({1}, 0))"),
        Overload(("interval", "float"), "interval", _part, _part_polars,
                 _to_bigint("ROUND(CAST({0} AS DOUBLE) / NULLIF({1}, 0))")),
    ),
    "%": (
        Overload(("int", "int"), "int", _modulo, _modulo_polars, {"": "({0} % NULLIF({1}, 0))",
                                                                  "flink": "MOD({0}, NULLIF({1}, 0))"}),
    ),
    "NEGATE": (
        *_INT["NEGATE"],
        Overload(("float",), "float", lambda a: -a, lambda a: -a, "(-{0})"),
        *_INTERVAL["NEGATE"],
    ),
    "ABS": (
        *_INT["ABS"],
        Overload(("float",), "float", abs, lambda a: a.abs(), "ABS({0})"),
        *_INTERVAL["ABS"],
    ),
    "SIGN": (
        *_INT["SIGN"],
        Overload(("float",), "float", _sign, lambda a: a.sign(),
                 "CASE WHEN {0} > 0 AND {0} <= CAST('Infinity' AS DOUBLE) THEN 1e0 WHEN {0} < 0 THEN -1e0 "
                 "WHEN {0} = 0 THEN 0e0 ELSE {0} END"),
        *_INTERVAL["SIGN"],
    ),
    "ROUND": (
        Overload(("int",), "int", _same, _same, "{0}"),
        Overload(("int", Fixed("int")), "int", lambda: _same, _same, "{0}", prepare=_whole_digits),
        Overload(("float",), "float", round_half_away, lambda x: x.round(0, mode="half_away_from_zero"), "ROUND({0})"),
        Overload(("float", Fixed("int")), "float", _round_to, _round_polars,
                 f"CASE WHEN ABS({{0}}) < {_WHOLE!r} THEN ROUND({{0}} * {{1}}) / {{1}} ELSE {{0}} END",
                 prepare=_digits),
    ),
    "FLOOR": (
        Overload(("int",), "int", _same, _same, "{0}"),
        Overload(("float",), "float", lambda x: float(math.floor(x)) if abs(x) < _WHOLE else x, lambda x: x.floor(),
                 _whole_float("FLOOR")),
    ),
    "CEIL": (
        Overload(("int",), "int", _same, _same, "{0}"),
        Overload(("float",), "float", lambda x: float(math.ceil(x)) if abs(x) < _WHOLE else x, lambda x: x.ceil(),
                 _whole_float("CEIL")),
    ),
    "SQRT": (
        Overload(("float",), "float", _sqrt, lambda x: _keep(lambda x: x >= 0)(x).sqrt(),
                 "SQRT(CASE WHEN {0} >= 0 THEN {0} END)"),
    ),
    "LN": (
        Overload(("float",), "float", _ln, lambda x: _keep(lambda x: x > 0)(x).log(),
                 "LN(CASE WHEN {0} > 0 THEN {0} END)"),
    ),
    "EXP": (Overload(("float",), "float", _exp, lambda x: x.exp(), "EXP({0})"),),
    "POWER": (
        Overload(_FLOATS, "float", _power, _power_polars,
                 "CASE WHEN ({0} < 0 AND {1} <> FLOOR({1}) OR {0} = 0 AND {1} < 0) AND ABS({0}) < CAST('Infinity' AS "
                 "DOUBLE) AND ABS({1}) < CAST('Infinity' AS DOUBLE) THEN NULL ELSE POWER({0}, {1}) END"),
    ),
}  # fmt: skip
