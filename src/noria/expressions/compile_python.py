"""Expressions as nested Python closures: the request path, without a frame library."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from noria.core import UTC, DataError
from noria.expressions.numbers import INT_MAX, INT_MIN
from noria.expressions.times import micros_in
from noria.expressions.tree import Apply, Constant, Read, Type, Typed

Row = Mapping[str, Any]
Closure = Callable[[Row], Any]

_CLASSES: dict[Type, type] = {
    "null": type(None), "bool": bool, "int": int, "float": float, "string": str, "date": date, "timestamp": datetime,
}  # fmt: skip


def compile_python(node: Typed) -> Closure:
    """A function of a row."""
    run = build_python(node)
    if node.type != "interval":
        return run

    def in_timedelta(row: Row) -> timedelta | None:
        micros = run(row)
        return None if micros is None else timedelta(microseconds=micros)

    return in_timedelta


def build_python(node: Typed) -> Closure:
    """A function of a row, with intervals as microseconds."""
    if isinstance(node, Read):
        return _read(node.name, node.type)
    if isinstance(node, Constant):
        value = node.value
        return lambda row: value
    function = node.overload.python
    if node.literals:
        function = function(*node.literals)
    elif len(node.overload.takes) > len(node.args):
        function = function()  # its literals were only checked
    args = [build_python(arg) for arg in node.args]
    return _strict(function, node, args) if node.overload.strict else _lenient(function, args)


def _read(name: str, kind: Type) -> Closure:
    if kind == "interval":

        def read_interval(row: Row) -> int | None:
            value = row[name]
            if value is None:
                return None
            if not isinstance(value, timedelta):
                raise _wrong(name, kind, value)
            return micros_in(value)

        return read_interval
    expected = _CLASSES[kind]

    def read(row: Row) -> Any:
        value = row[name]
        if value is None or (value.__class__ is expected and expected is not datetime):
            return value
        return _conform(name, kind, value)

    def read_moment(row: Row) -> Any:
        value = row[name]
        return value if value is None or getattr(value, "tzinfo", None) is UTC else _conform(name, kind, value)

    def read_int(row: Row) -> Any:
        value = row[name]
        if value is None or (value.__class__ is int and INT_MIN <= value <= INT_MAX):
            return value
        return _conform(name, kind, value)

    return read_moment if kind == "timestamp" else read_int if kind == "int" else read


def _conform(name: str, kind: Type, value: Any) -> Any:
    """A value of another class that means the same, such as an integer in a column of floats."""
    try:
        if kind == "timestamp" and isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
        if kind == "float" and not isinstance(value, (str, bool)):
            return float(value)
        if kind == "int" and not isinstance(value, bool):
            whole = int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)
            if INT_MIN <= whole <= INT_MAX:
                return whole
    except (TypeError, ValueError, OverflowError):
        pass
    if kind == "string" and isinstance(value, str):
        return str(value)
    raise _wrong(name, kind, value)


def _wrong(name: str, kind: Type, value: Any) -> DataError:
    mend = "a datetime with a time zone" if kind == "timestamp" else None
    return DataError(f"the value is not of kind {kind}", place=name, value=value, mend=mend)


def _strict(function: Callable[..., Any], node: Apply, args: list[Closure]) -> Closure:
    """Null as soon as an argument is null; the common shapes are written out because a request waits for them."""
    if any(isinstance(arg, Constant) and arg.value is None for arg in node.args):
        return lambda row: None
    if len(args) == 1:
        (only,) = args

        def run_one(row: Row) -> Any:
            x = only(row)
            return None if x is None else function(x)

        return run_one
    first, second = args
    if isinstance(node.args[1], Constant):
        fixed = node.args[1].value

        def run_fixed(row: Row) -> Any:
            x = first(row)
            return None if x is None else function(x, fixed)

        return run_fixed

    def run_two(row: Row) -> Any:
        x = first(row)
        if x is None:
            return None
        y = second(row)
        return None if y is None else function(x, y)

    return run_two


def _lenient(function: Callable[..., Any], args: list[Closure]) -> Closure:
    if len(args) == 2:
        first, second = args
        return lambda row: function(first(row), second(row))
    return lambda row: function(*[arg(row) for arg in args])
