"""The one table of functions: for each its kinds, and how Polars, SQL and Python say it.

Where engines differ, one meaning is fixed here and every compiler obeys it: division gives a float and null by zero; the
sign of ``%`` is that of the dividend; NaN equals itself and is greater than every number; rounding is half away from zero; a
cast that fails gives null; lengths count characters; integer arithmetic has 64 bits and wraps.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from noria.expressions.tree import Kind

if TYPE_CHECKING:
    import polars as pl

Kinds = tuple[Kind, ...]
MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of row expressions.

    Attributes
    ----------
    takes : str
        Its arguments and result in words, for errors and docs.
    kind : callable
        (kinds of the arguments, option) to the kind of the result; None where it does not take them.
    polars, sql, python : callable
        Builders: (arguments, their kinds, option) to a Polars expression, to SQL text, to a function of plain values.
    nulls : bool
        Whether the Python function sees nulls; most do not: a null argument gives null.
    """

    takes: str
    kind: Callable[[Kinds, str], Kind | None]
    polars: Callable[[list[Any], Kinds, str], Any]
    sql: Callable[[list[str], Kinds, str], str]
    python: Callable[[Kinds, str], Callable[..., Any]]
    nulls: bool = False


def _same(kinds: Kinds) -> Kind | None:
    """The kind that all agree on: nulls give way, ints become floats beside floats."""
    found = {kind for kind in kinds if kind != "null"}
    if not found:
        return "null"
    if found == {"int", "float"}:
        return "float"
    return found.pop() if len(found) == 1 else None


def _fixed(*expected: str, result: Kind) -> Callable[[Kinds, str], Kind | None]:
    def kind(kinds: Kinds, option: str) -> Kind | None:
        fits = len(kinds) == len(expected) and all(
            have == "null" or have in want.split("|") for have, want in zip(kinds, expected, strict=True)
        )
        return result if fits else None

    return kind


NUMBER = "int|float"


def _arithmetic(kinds: Kinds, option: str) -> Kind | None:
    return _same(kinds) if all(kind in ("int", "float", "null") for kind in kinds) else None


_SUMS: Mapping[tuple[str, str], Kind] = {
    ("timestamp", "interval"): "timestamp", ("interval", "timestamp"): "timestamp", ("interval", "interval"): "interval",
}  # fmt: skip
_DIFFERENCES: Mapping[tuple[str, str], Kind] = {
    ("timestamp", "interval"): "timestamp", ("timestamp", "timestamp"): "interval", ("interval", "interval"): "interval",
}  # fmt: skip


def _plus(kinds: Kinds, option: str) -> Kind | None:
    return _arithmetic(kinds, option) or _SUMS.get(kinds)  # type: ignore[call-overload, no-any-return]


def _minus(kinds: Kinds, option: str) -> Kind | None:
    if len(kinds) == 1:
        return kinds[0] if kinds[0] in ("int", "float", "interval", "null") else None
    return _arithmetic(kinds, option) or _DIFFERENCES.get(kinds)  # type: ignore[call-overload, no-any-return]


def _times(kinds: Kinds, option: str) -> Kind | None:
    if "interval" in kinds and kinds.count("interval") == 1 and {*kinds} <= {"interval", "int", "float", "null"}:
        return "interval"
    return _arithmetic(kinds, option)


def _comparison(kinds: Kinds, option: str) -> Kind | None:
    return "bool" if _same(kinds) not in (None, "local") else None


def _case_kind(kinds: Kinds, option: str) -> Kind | None:
    if any(kind not in ("bool", "null") for kind in kinds[:-1:2]):
        return None
    return _same((*kinds[1::2], kinds[-1]))


# -- Python ------------------------------------------------------------------------------------------------------------


def _wrap(value: int) -> int:
    return value if -(2**63) <= value < 2**63 else (value + 2**63) % 2**64 - 2**63


def _checked(operation: Callable[[Any, Any], Any]) -> Callable[[Kinds, str], Callable[..., Any]]:
    def build(kinds: Kinds, option: str) -> Callable[..., Any]:
        if set(kinds) == {"int"}:
            return lambda *args: _wrap(operation(*args))
        return operation

    return build


def _scaled(kinds: Kinds, option: str) -> Callable[..., Any]:
    if "interval" not in kinds:
        return _checked(lambda a, b: a * b)(kinds, option)
    if kinds[0] == "interval":
        return lambda a, b: timedelta(microseconds=_half_away(a / MICROSECOND * b)) if math.isfinite(b) else None
    return lambda a, b: timedelta(microseconds=_half_away(b / MICROSECOND * a)) if math.isfinite(a) else None


def _half_away(value: float) -> int:
    return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def _round(value: float, digits: int = 0) -> float:
    if not math.isfinite(value) or abs(value) >= 2**52:
        return value
    scale = 10.0**digits
    return _half_away(value * scale) / scale


def _divide(a: float, b: float) -> float | None:
    if b == 0:
        return None
    return float(a) / float(b)


def _modulo(a: float, b: float) -> float | None:
    if b == 0:
        return None
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) % abs(b) * (1 if a >= 0 else -1)
    return math.fmod(a, b) if math.isfinite(a) else math.nan


def _power(a: float, b: float) -> float | None:
    try:
        found = float(a) ** float(b)
    except OverflowError:
        return math.inf
    except ZeroDivisionError:
        return math.inf
    return found if isinstance(found, float) else math.nan


def _exp(a: float) -> float:
    try:
        return math.exp(a)
    except OverflowError:
        return math.inf


def _compare(test: Callable[[Any, Any], bool]) -> Callable[[Kinds, str], Callable[..., Any]]:
    def build(kinds: Kinds, option: str) -> Callable[..., Any]:
        if "float" not in kinds:
            return test

        def ordered(a: float, b: float) -> bool:
            if a != a or b != b:  # NaN equals itself and is greater than every number
                return test(a != a, b != b)
            return test(a, b)

        return ordered

    return build


def _and(a: bool | None, b: bool | None) -> bool | None:
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def _or(a: bool | None, b: bool | None) -> bool | None:
    if a is True or b is True:
        return True
    return None if a is None or b is None else False


def _case(*args: Any) -> Any:
    for test, value in zip(args[:-1:2], args[1::2], strict=True):
        if test is True:
            return value
    return args[-1]


def _first(*args: Any) -> Any:
    return next((arg for arg in args if arg is not None), None)


def _floats(function: Callable[..., Any]) -> Callable[[Kinds, str], Callable[..., Any]]:
    """A Python function whose result kind is the common kind of its arguments: ints become floats beside floats."""

    def build(kinds: Kinds, option: str) -> Callable[..., Any]:
        if {"int", "float"} <= set(kinds):
            def widened(*args: Any) -> Any:
                found = function(*args)
                return float(found) if type(found) is int else found

            return widened
        return function

    return build


def _extreme(greatest: bool) -> Callable[..., Any]:
    def choose(*args: Any) -> Any:
        values = [arg for arg in args if arg is not None]
        if not values:
            return None
        order = (lambda v: (v != v, 0 if v != v else v))
        return max(values, key=order) if greatest else min(values, key=order)

    return choose


def like_pattern(option: str) -> str:
    """A LIKE pattern as a regular expression."""
    return "(?s)^" + "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in option) + r"$"


def _matcher(kinds: Kinds, pattern: str) -> Callable[..., Any]:
    search = re.compile(pattern.replace("$", r"\Z") if pattern.endswith("$") else pattern).search
    return lambda text: search(text) is not None


def _to_python(kinds: Kinds, target: str) -> Callable[..., Any]:
    source = kinds[0]

    def cast(value: Any) -> Any:
        try:
            return _cast_value(value, source, target)
        except (ValueError, OverflowError):
            return None

    return cast


def _cast_value(value: Any, source: str, target: str) -> Any:
    if source == target:
        return value
    if target == "string":
        return ("true" if value else "false") if source == "bool" else str(value)
    if target == "bool":
        return {"true": True, "false": False}.get(value.lower()) if source == "string" else value != 0
    if target == "int":
        found = int(value) if source != "string" else int(value) if re.fullmatch(r"[+-]?\d+", value) else None
        return found if found is not None and -(2**63) <= found < 2**63 else None
    if target == "float":
        return float(value) if source != "string" or re.fullmatch(_FLOAT, value) else None
    if target == "timestamp":
        if source == "date":
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        found_at = datetime.fromisoformat(value)
        return found_at.replace(tzinfo=UTC) if found_at.tzinfo is None else found_at.astimezone(UTC)
    return value.date() if source in ("timestamp", "local") else date.fromisoformat(value)


_FLOAT = r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|Infinity|nan|NaN)"

FIELDS: Mapping[str, Callable[[Any], float]] = {
    "year": lambda t: t.year,
    "quarter": lambda t: (t.month + 2) // 3,
    "month": lambda t: t.month,
    "week": lambda t: t.isocalendar().week,
    "day": lambda t: t.day,
    "doy": lambda t: t.timetuple().tm_yday,
    "dow": lambda t: t.isoweekday() % 7,
    "isodow": lambda t: t.isoweekday(),
    "hour": lambda t: t.hour,
    "minute": lambda t: t.minute,
    "second": lambda t: t.second,
    "epoch": lambda t: t / timedelta(seconds=1) if isinstance(t, timedelta) else (t - _EPOCH) / timedelta(seconds=1),
}


def _extract_kind(kinds: Kinds, field: str) -> Kind | None:
    if kinds[0] == "interval":
        return "float" if field == "epoch" else None
    if kinds[0] == "date" and field in ("hour", "minute", "second", "epoch"):
        return None
    if kinds[0] == "local" and field == "epoch":
        return None
    if kinds[0] in ("date", "timestamp", "local", "null"):
        return "float" if field == "epoch" else "int"
    return None


def _truncated(kinds: Kinds, unit: str) -> Callable[..., Any]:
    def truncate(t: datetime) -> datetime:
        if unit == "minute":
            return t.replace(second=0, microsecond=0)
        if unit == "hour":
            return t.replace(minute=0, second=0, microsecond=0)
        t = t.replace(hour=0, minute=0, second=0, microsecond=0)
        if unit == "week":
            return t - timedelta(days=t.weekday())
        if unit == "month":
            return t.replace(day=1)
        if unit == "quarter":
            return t.replace(day=1, month=(t.month - 1) // 3 * 3 + 1)
        return t.replace(day=1, month=1) if unit == "year" else t

    return truncate


def _substring(text: str, start: int, length: int | None = None) -> str:
    first = max(start - 1, 0)
    return text[first:] if length is None else text[first : max(start - 1 + length, 0)]


# -- Polars ------------------------------------------------------------------------------------------------------------


def _pl() -> Any:
    import polars

    return polars


def _polars_mod(args: list[pl.Expr], kinds: Kinds, option: str) -> pl.Expr:
    a, b = args
    rest = a.abs() % b.abs()
    return _pl().when(b != 0).then(_pl().when(a < 0).then(-rest).otherwise(rest))


def _polars_div(args: list[pl.Expr], kinds: Kinds, option: str) -> pl.Expr:
    a, b = (arg.cast(_pl().Float64) for arg in args)
    return _pl().when(b != 0).then(a / b)


def _polars_times(args: list[pl.Expr], kinds: Kinds, option: str) -> pl.Expr:
    if "interval" not in kinds:
        return args[0] * args[1]
    span, number = (args[0], args[1]) if kinds[0] == "interval" else (args[1], args[0])
    pl = _pl()
    micros = span.cast(pl.Int64) * number if "float" not in kinds else (span.cast(pl.Float64) * number).round(mode="half_away_from_zero")
    return micros.cast(pl.Int64, strict=False).cast(pl.Duration("us"))


def _polars_round(args: list[pl.Expr], kinds: Kinds, option: str) -> pl.Expr:
    pl = _pl()
    x = args[0].cast(pl.Float64)
    return x.round(mode="half_away_from_zero") if len(args) == 1 else (x * 10.0 ** args[1]).round(mode="half_away_from_zero") / 10.0 ** args[1]


def _polars_case(args: list[pl.Expr], kinds: Kinds, option: str) -> pl.Expr:
    pl = _pl()
    found = args[-1]
    for test, value in reversed(list(zip(args[:-1:2], args[1::2], strict=True))):
        found = pl.when(test).then(value).otherwise(found)
    return found


def _polars_extreme(greatest: bool) -> Callable[[list[Any], Kinds, str], Any]:
    def build(args: list[pl.Expr], kinds: Kinds, option: str) -> pl.Expr:
        pl = _pl()
        found = (pl.max_horizontal if greatest else pl.min_horizontal)(*args)
        if "float" not in kinds:
            return found
        nan = [arg.cast(pl.Float64).is_nan().fill_null(not greatest) for arg in args]
        any_null = pl.all_horizontal([arg.is_null() for arg in args])
        settled = pl.any_horizontal(nan) if greatest else pl.all_horizontal(nan)
        numbers = [pl.when(~arg.cast(pl.Float64).is_nan()).then(arg.cast(pl.Float64)) for arg in args]
        plain = (pl.max_horizontal if greatest else pl.min_horizontal)(*numbers)
        return pl.when(any_null).then(None).when(settled).then(float("nan")).otherwise(plain)

    return build


def _polars_cast(args: list[pl.Expr], kinds: Kinds, target: str) -> pl.Expr:
    pl = _pl()
    x, source = args[0], kinds[0]
    if source == target:
        return x
    if source == "string" and target == "timestamp":
        return pl.coalesce(
            x.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", strict=False).dt.convert_time_zone("UTC"),
            *(x.str.to_datetime(form, time_unit="us", strict=False).dt.replace_time_zone("UTC")
              for form in ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")),
        )  # fmt: skip
    if source == "string" and target == "date":
        return x.str.to_date("%Y-%m-%d", strict=False)
    if source == "string" and target == "bool":
        lowered = x.str.to_lowercase()
        return pl.when(lowered == "true").then(True).when(lowered == "false").then(False)
    if source == "string" and target == "int":
        return pl.when(x.str.contains(r"^[+-]?\d+$")).then(x.str.strip_prefix("+")).cast(pl.Int64, strict=False)
    if source == "string" and target == "float":
        return pl.when(x.str.contains(f"^(?:{_FLOAT})$")).then(x.str.strip_prefix("+")).cast(pl.Float64, strict=False)
    if target == "string" and source == "bool":
        return pl.when(x).then(pl.lit("true")).when(~x).then(pl.lit("false"))
    if source == "float" and target == "int":
        return pl.when(x.is_finite()).then(x).cast(pl.Int64, strict=False)
    if source == "float" and target == "bool":
        return x != 0
    if source == "date" and target == "timestamp":
        return x.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if target == "date":
        return x.dt.date()
    return x.cast({"bool": pl.Boolean, "int": pl.Int64, "float": pl.Float64, "string": pl.String}[target], strict=False)


_POLARS_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "year": lambda x: x.dt.year(), "quarter": lambda x: x.dt.quarter(), "month": lambda x: x.dt.month(),
    "week": lambda x: x.dt.week(), "day": lambda x: x.dt.day(), "doy": lambda x: x.dt.ordinal_day(),
    "dow": lambda x: x.dt.weekday() % 7, "isodow": lambda x: x.dt.weekday(), "hour": lambda x: x.dt.hour(),
    "minute": lambda x: x.dt.minute(), "second": lambda x: x.dt.second(),
}  # fmt: skip


def _polars_extract(args: list[pl.Expr], kinds: Kinds, field: str) -> pl.Expr:
    pl = _pl()
    if field == "epoch":
        return args[0].cast(pl.Int64) / 1e6
    return _POLARS_FIELDS[field](args[0]).cast(pl.Int64)  # type: ignore[no-any-return]


_EVERY = {"minute": "1m", "hour": "1h", "day": "1d", "week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}


# -- the table ---------------------------------------------------------------------------------------------------------


def _operator(symbol: str) -> Callable[[list[str], Kinds, str], str]:
    return lambda args, kinds, option: f"({f' {symbol} '.join(args)})" if len(args) > 1 else f"({symbol}{args[0]})"


def _named(name: str) -> Callable[[list[str], Kinds, str], str]:
    return lambda args, kinds, option: f"{name}({', '.join(args)})"


def _plain(function: Callable[..., Any]) -> Callable[[Kinds, str], Callable[..., Any]]:
    return lambda kinds, option: function


def _compared(symbol: str, polars: Callable[[Any, Any], Any], test: Callable[[Any, Any], bool]) -> Function:
    return Function(f"two values of one kind {symbol}", _comparison, lambda a, k, o: polars(*a), _operator(symbol), _compare(test))


def _of_float(name: str, polars: Callable[[Any], Any], python: Callable[[float], Any], sql: str = "") -> Function:
    return Function(
        "a number", _fixed(NUMBER, result="float"), lambda a, k, o: polars(a[0].cast(_pl().Float64)),
        lambda a, k, o: (sql or f"{name}({{0}})").format(*a), _plain(python),
    )


def _of_text(name: str, takes: str, result: Kind, polars: Callable[..., Any], python: Callable[..., Any], *kinds: str) -> Function:
    return Function(takes, _fixed(*kinds, result=result), lambda a, k, o: polars(*a), _named(name), _plain(python))


_SQL_TYPES = {"bool": "BOOLEAN", "int": "BIGINT", "float": "DOUBLE", "string": "VARCHAR", "date": "DATE", "timestamp": "TIMESTAMPTZ"}


def _substr_kind(kinds: Kinds, option: str) -> Kind | None:
    return _fixed("string", *["int"] * (len(kinds) - 1), result="string")(kinds, option) if 2 <= len(kinds) <= 3 else None


FUNCTIONS: Mapping[str, Function] = {
    "+": Function("numbers, or a timestamp and an interval", _plus, lambda a, k, o: a[0] + a[1], _operator("+"), _checked(lambda a, b: a + b)),
    "-": Function("numbers, timestamps or intervals", _minus, lambda a, k, o: a[0] - a[1] if len(a) > 1 else -a[0], _operator("-"),
                  _checked(lambda a, *b: a - b[0] if b else -a)),
    "*": Function("numbers, or a number and an interval", _times, _polars_times, _operator("*"), _scaled),
    "/": Function("two numbers; null by zero", _fixed(NUMBER, NUMBER, result="float"), _polars_div,
                  lambda a, k, o: f"(CAST({a[0]} AS DOUBLE) / NULLIF(CAST({a[1]} AS DOUBLE), 0))", _plain(_divide)),
    "%": Function("two numbers; the sign of the first; null by zero", _arithmetic, _polars_mod, lambda a, k, o: f"({a[0]} % NULLIF({a[1]}, 0))",
                  _floats(_modulo)),
    "=": _compared("=", lambda a, b: a == b, lambda a, b: a == b),
    "<>": _compared("<>", lambda a, b: a != b, lambda a, b: a != b),
    "<": _compared("<", lambda a, b: a < b, lambda a, b: a < b),
    "<=": _compared("<=", lambda a, b: a <= b, lambda a, b: a <= b),
    ">": _compared(">", lambda a, b: a > b, lambda a, b: a > b),
    ">=": _compared(">=", lambda a, b: a >= b, lambda a, b: a >= b),
    "and": Function("two truths", _fixed("bool", "bool", result="bool"), lambda a, k, o: a[0] & a[1], _operator("AND"), _plain(_and), nulls=True),
    "or": Function("two truths", _fixed("bool", "bool", result="bool"), lambda a, k, o: a[0] | a[1], _operator("OR"), _plain(_or), nulls=True),
    "not": Function("a truth", _fixed("bool", result="bool"), lambda a, k, o: ~a[0], lambda a, k, o: f"(NOT {a[0]})", _plain(lambda a: not a)),
    "is null": Function("any value", lambda k, o: "bool", lambda a, k, o: a[0].is_null(), lambda a, k, o: f"({a[0]} IS NULL)",
                        _plain(lambda a: a is None), nulls=True),
    "case": Function("truths and values of one kind", _case_kind, _polars_case,
                     lambda a, k, o: "CASE " + " ".join(f"WHEN {t} THEN {v}" for t, v in zip(a[:-1:2], a[1::2], strict=True)) + f" ELSE {a[-1]} END",
                     lambda k, o: _floats(_case)((*k[1::2], k[-1]), o), nulls=True),
    "coalesce": Function("values of one kind", lambda k, o: _same(k), lambda a, k, o: _pl().coalesce(a), _named("COALESCE"), _floats(_first), nulls=True),
    "nullif": Function("two values of one kind", lambda k, o: k[0] if _same(k) not in (None, "local") else None,
                       lambda a, k, o: _pl().when((a[0] == a[1]).fill_null(False)).then(None).otherwise(a[0]), _named("NULLIF"),
                       lambda k, o: lambda a, b: None if a is not None and b is not None and _compare(lambda x, y: x == y)(k, o)(a, b) else a,
                       nulls=True),
    "greatest": Function("values of one kind; nulls are skipped", lambda k, o: _same(k) if _same(k) != "local" else None, _polars_extreme(True),
                         _named("GREATEST"), _floats(_extreme(True)), nulls=True),
    "least": Function("values of one kind; nulls are skipped", lambda k, o: _same(k) if _same(k) != "local" else None, _polars_extreme(False),
                      _named("LEAST"), _floats(_extreme(False)), nulls=True),
    "cast": Function("a value and a type", lambda k, o: _cast_kind(k, o), _polars_cast,
                     lambda a, k, o: f"TRY_CAST({'trunc(' + a[0] + ')' if (k[0], o) == ('float', 'int') else a[0]} AS {_SQL_TYPES[o]})", _to_python),
    "abs": Function("a number", _arithmetic, lambda a, k, o: a[0].abs(), _named("ABS"), _checked(abs)),
    "sign": Function("a number", _fixed(NUMBER, result="int"),
                     lambda a, k, o: _pl().when(a[0].cast(_pl().Float64).is_nan()).then(0).when(a[0] > 0).then(1).when(a[0] < 0).then(-1).when(a[0].is_not_null()).then(0).cast(_pl().Int64),
                     lambda a, k, o: f"CAST(SIGN({a[0]}) AS BIGINT)", _plain(lambda a: 0 if a != a else (a > 0) - (a < 0))),
    "round": Function("a number and digits", lambda k, o: _fixed(NUMBER, *["int"] * (len(k) - 1), result="float")(k, o) if len(k) < 3 else None,
                      _polars_round, lambda a, k, o: f"ROUND(CAST({a[0]} AS DOUBLE){', ' + a[1] if len(a) > 1 else ''})",
                      _plain(lambda a, *d: _round(float(a), *d))),
    "floor": _of_float("FLOOR", lambda x: x.floor(), lambda a: float(math.floor(a)) if math.isfinite(a) else a, "FLOOR(CAST({0} AS DOUBLE))"),
    "ceil": _of_float("CEIL", lambda x: x.ceil(), lambda a: float(math.ceil(a)) if math.isfinite(a) else a, "CEIL(CAST({0} AS DOUBLE))"),
    "sqrt": _of_float("SQRT", lambda x: _pl().when(x >= 0).then(x.sqrt()), lambda a: math.sqrt(a) if a >= 0 else math.nan if a != a else None,
                      "CASE WHEN {0} >= 0 THEN SQRT(CAST({0} AS DOUBLE)) END"),
    "ln": _of_float("LN", lambda x: _pl().when(x > 0).then(x.log()), lambda a: math.log(a) if a > 0 else math.nan if a != a else None,
                    "CASE WHEN {0} > 0 THEN LN(CAST({0} AS DOUBLE)) END"),
    "exp": _of_float("EXP", lambda x: x.exp(), _exp),
    "power": Function("two numbers", _fixed(NUMBER, NUMBER, result="float"), lambda a, k, o: a[0].cast(_pl().Float64) ** a[1].cast(_pl().Float64),
                      _named("POWER"), _plain(_power)),
    "lower": _of_text("LOWER", "a text", "string", lambda x: x.str.to_lowercase(), str.lower, "string"),
    "upper": _of_text("UPPER", "a text", "string", lambda x: x.str.to_uppercase(), str.upper, "string"),
    "trim": _of_text("TRIM", "a text; spaces only", "string", lambda x: x.str.strip_chars(" "), lambda s: s.strip(" "), "string"),
    "length": _of_text("LENGTH", "a text; counts characters", "int", lambda x: x.str.len_chars().cast(_pl().Int64), len, "string"),
    "substr": Function("a text, a start from 1, a length", _substr_kind,
                       lambda a, k, o: a[0].str.slice(a[1] - 1, *a[2:]), _named("SUBSTR"), _plain(_substring)),
    "replace": _of_text("REPLACE", "three texts", "string", lambda x, old, new: x.str.replace_all(old, new, literal=True),
                        lambda s, old, new: s.replace(old, new) if old else s, "string", "string", "string"),
    "starts_with": _of_text("STARTS_WITH", "two texts", "bool", lambda x, y: x.str.starts_with(y), str.startswith, "string", "string"),
    "||": _of_text("CONCAT", "two texts", "string", lambda x, y: x + y, lambda a, b: a + b, "string", "string"),
    "concat": Function("texts; nulls are skipped", lambda k, o: "string" if all(x in ("string", "null") for x in k) else None,
                       lambda a, k, o: _pl().concat_str(a, ignore_nulls=True), _named("CONCAT"),
                       _plain(lambda *a: "".join(x for x in a if x is not None)), nulls=True),
    "like": Function("a text and a pattern", _fixed("string", result="bool"), lambda a, k, o: a[0].str.contains(like_pattern(o)),
                     lambda a, k, o: f"({a[0]} LIKE {quoted(o)})", lambda k, o: _matcher(k, like_pattern(o))),
    "ilike": Function("a text and a pattern", _fixed("string", result="bool"), lambda a, k, o: a[0].str.contains("(?i)" + like_pattern(o)),
                      lambda a, k, o: f"({a[0]} ILIKE {quoted(o)})", lambda k, o: _matcher(k, "(?i)" + like_pattern(o))),
    "regexp_like": Function("a text and a regular expression, found anywhere", _fixed("string", result="bool"),
                            lambda a, k, o: a[0].str.contains(o), lambda a, k, o: f"REGEXP_MATCHES({a[0]}, {quoted(o)})", _matcher),
    "extract": Function("a field of a date, timestamp or interval", _extract_kind, _polars_extract,
                        lambda a, k, o: f"CAST(EXTRACT({o.upper()} FROM {a[0]}) AS {'DOUBLE' if o == 'epoch' else 'BIGINT'})", lambda k, o: FIELDS[o]),
    "date_trunc": Function("a unit and a timestamp", _fixed("timestamp", result="timestamp"), lambda a, k, o: a[0].dt.truncate(_EVERY[o]),
                           lambda a, k, o: f"DATE_TRUNC({quoted(o)}, {a[0]})", _truncated),
    "at time zone": Function("a timestamp and a zone: the clock on the wall there", _fixed("timestamp", result="local"),
                             lambda a, k, o: a[0].dt.convert_time_zone(o), lambda a, k, o: f"({a[0]} AT TIME ZONE {quoted(o)})",
                             lambda k, o: (lambda zone: lambda t: t.astimezone(zone))(ZoneInfo(o))),
}  # fmt: skip
"""Name to function. A function is added by one entry here, and one in `BY_SQLGLOT` where the parser has a node for it."""


def _cast_kind(kinds: Kinds, target: str) -> Kind | None:
    source = kinds[0]
    allowed = {
        "string": {"bool", "int", "float", "date", "timestamp"}, "bool": {"int", "float", "string"}, "int": {"bool", "float", "string"},
        "float": {"bool", "int"}, "date": {"timestamp", "string"}, "timestamp": {"date"}, "local": {"date"},
    }  # fmt: skip
    if source in ("null", target):
        return target  # type: ignore[return-value]
    return target if target in allowed.get(source, ()) else None  # type: ignore[return-value]


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


BY_SQLGLOT: Mapping[str, str] = {
    "Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "Mod": "%", "EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=",
    "And": "and", "Or": "or", "Not": "not", "Coalesce": "coalesce", "Nullif": "nullif", "Greatest": "greatest", "Least": "least",
    "Abs": "abs", "Sign": "sign", "Round": "round", "Floor": "floor", "Ceil": "ceil", "Sqrt": "sqrt", "Ln": "ln", "Exp": "exp", "Pow": "power",
    "Lower": "lower", "Upper": "upper", "Trim": "trim", "Length": "length", "Substring": "substr", "Replace": "replace",
    "StartsWith": "starts_with", "DPipe": "||", "Concat": "concat",
}  # fmt: skip
"""The parser's nodes whose arguments are just their parts."""
