"""Tree and schema to a tree of known kinds: overloads chosen, conversions written out, constants worked out."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from noria.core import DeclarationError
from noria.expressions.casts import to_date, to_moment
from noria.expressions.compile_python import build_python
from noria.expressions.function import Fixed, Overload, Parameter
from noria.expressions.functions import FUNCTIONS
from noria.expressions.numbers import INT_MAX, INT_MIN
from noria.expressions.tree import Apply, Column, Constant, Kind, Node, Read, Type, Typed

_FROM_TEXT = {"date": to_date, "timestamp": to_moment}


def check(node: Node, schema: Mapping[str, Kind]) -> Typed:
    """Give every node its kind.

    Raises
    ------
    DeclarationError
        An unknown column, or arguments that a function does not take; without a place.
    """
    if isinstance(node, Column):
        if node.name not in schema:
            near = difflib.get_close_matches(node.name, schema, n=1) or [
                name for name in schema if name.lower() == node.name.lower()
            ]
            mend = f"did you mean '{near[0]}'?" if near else "there are " + ", ".join(sorted(schema)[:30])
            raise DeclarationError(f"unknown column '{node.name}'", mend=mend)
        return Read(node.name, schema[node.name])
    if isinstance(node, Constant):
        if node.type == "int" and not INT_MIN <= node.value <= INT_MAX:
            raise DeclarationError(f"the number {node.value} does not fit 64 bits", mend=f"write {node.value}.0")
        return node
    return _apply(node.name, tuple(check(arg, schema) for arg in node.args))


def _apply(name: str, args: tuple[Typed, ...]) -> Typed:
    best: tuple[int, Overload, tuple[Parameter, ...]] | None = None
    for overload in FUNCTIONS[name]:
        parameters = overload.parameters(len(args))
        if parameters is None:
            continue
        costs = [_cost(arg, parameter, overload.exact) for arg, parameter in zip(args, parameters, strict=True)]
        if None not in costs:
            cost = sum(cost for cost in costs if cost is not None)
            if best is None or cost < best[0]:
                best = cost, overload, parameters
    if best is None:
        raise _no_overload(name, args)
    _, overload, parameters = best
    if name in _FROM_LITERAL and isinstance(args[0], Constant) and args[0].type == "string":
        return _convert(args[0], overload.gives)
    values: list[Typed] = []
    literals: list[Any] = []
    for arg, parameter in zip(args, parameters, strict=True):
        if isinstance(parameter, Fixed):
            constant = _convert(arg, parameter.type)
            assert isinstance(constant, Constant)
            literals.append(constant.value)
        else:
            values.append(arg if parameter is None else _convert(arg, parameter))
    if overload.prepare is not None:
        if None in literals:
            raise DeclarationError(f"{_words(name)} needs a literal that is not null")
        try:
            literals = list(overload.prepare(*literals))
        except ValueError as error:
            raise DeclarationError(f"{_words(name)}: {error}") from None
    applied = Apply(overload, tuple(values), tuple(literals))
    if applied.type == "local" or not _constant(applied):
        return applied
    return Constant(applied.type, build_python(applied)({}))


def _constant(node: Typed) -> bool:
    return isinstance(node, Constant) or (isinstance(node, Apply) and all(map(_constant, node.args)))


_FROM_LITERAL = ("CAST AS DATE", "CAST AS TIMESTAMP")


def _cost(arg: Typed, parameter: Parameter, exact: bool = False) -> int | None:
    """How far an argument is from a parameter; None: it does not fit."""
    if isinstance(parameter, Fixed):
        return _cost(arg, parameter.type) if isinstance(arg, Constant) else None
    if parameter is None or arg.type == parameter:
        return 0
    if arg.type == "null":
        return None if parameter == "local" else 1
    if exact:
        return None
    if (arg.type, parameter) in (("int", "float"), ("date", "timestamp")):
        return 1
    if isinstance(arg, Constant) and arg.type == "string" and parameter in _FROM_TEXT:
        return 2
    return None


def _convert(arg: Typed, kind: Type) -> Typed:
    if arg.type == kind:
        return arg
    if isinstance(arg, Constant):
        if arg.value is None:
            return Constant(kind, None)
        if arg.type == "int":
            return Constant(kind, float(arg.value))
        if arg.type == "string":
            value = _FROM_TEXT[kind](arg.value)
            if value is None:
                form = "2013-01-31" if kind == "date" else "2013-01-31 05:00:00"
                raise DeclarationError(f"'{arg.value}' is not a {kind}", mend=f"such as '{form}'")
            return Constant(kind, value)
    return _apply(f"CAST AS {kind.upper()}", (arg,))


def _words(name: str) -> str:
    return "unary minus" if name == "NEGATE" else name


def _no_overload(name: str, args: tuple[Typed, ...]) -> DeclarationError:
    given = ", ".join(arg.type for arg in args)
    forms = sorted(
        {
            ", ".join(_form(p) for p in overload.takes) + (", …" if overload.repeat else "")
            for overload in FUNCTIONS[name]
        }
    )
    mend = "it takes " + " or ".join(f"({form})" for form in forms)
    if name == "CASE":
        return DeclarationError(
            "CASE: conditions must be bool and the values of one kind", value=given, mend="CAST the values"
        )
    if name == "CAST AS STRING" and args[0].type == "float":
        mend = "engines write floats differently: CAST(ROUND(x) AS int) first"
    elif name == "%" and "float" in given:
        mend = "the rest of a division is for integers: CAST(x AS int)"
    return DeclarationError(f"{_words(name)} does not take ({given})", mend=mend)


def _form(parameter: Parameter) -> str:
    if isinstance(parameter, Fixed):
        return f"literal {parameter.type}"
    return parameter or "anything"
