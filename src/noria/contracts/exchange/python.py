"""Declarations as Python source, formatted as formatters do: what somebody would have written."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from noria.declarations import Contract, Declaration, Micros, Rule, duration_text

WIDTH = 120


def contract_source(contract: Contract, *, prefix: str = "nr.", indent: int = 0) -> str:
    """A contract as a Python expression.

    Parameters
    ----------
    contract : Contract
        What is written.
    prefix : str
        How the names of Noria are reached.
    indent : int
        Spaces before the line that it begins in; what stands before it on that line is not counted.

    Examples
    --------
    >>> from noria.contracts import between
    >>> print(contract_source(Contract(key="id", rules=[between("x", 0, 1, on_fail="warn")])))
    nr.Contract(key="id", rules=[nr.between("x", 0, 1, on_fail="warn")])
    """
    fields: dict[str, Any] = {}
    names = type(contract).model_fields
    for name in sorted(names, key=lambda name: (name == "rules", name not in ("key", "types"))):
        info, value = names[name], getattr(contract, name)
        if value == info.get_default(call_default_factory=True):
            continue
        if name == "key" and len(value) == 1:
            value = value[0]
        if name == "max_age":
            value = duration_text(value)
        fields[name] = Rules(value) if name == "rules" else value
    parts = [f"{name}={_value(value, prefix, indent + 4, len(name) + 2)}" for name, value in fields.items()]
    return call(f"{prefix}Contract", parts, indent)


class Rules(tuple[Rule, ...]):
    """Rules, one a line where they do not fit one."""


def rule_source(rule: Rule, *, prefix: str = "nr.", indent: int = 0) -> str:
    """A rule as a call of the function that makes it; one without such a function as a call of its class.

    Examples
    --------
    >>> from noria.contracts import unique
    >>> rule_source(unique(["origin", "hour"], on_fail="warn"))
    'nr.unique(["origin", "hour"], on_fail="warn")'
    """
    maker = _maker(rule)
    if maker is None:
        given = {name: getattr(rule, name) for name in type(rule).model_fields if not _is_default(rule, name)}
        parts = [f"{name}={_value(value, prefix, indent + 4, len(name) + 2)}" for name, value in given.items()]
        return call(type(rule).__name__, parts, indent)
    parts, by_place = [], [p for p in inspect.signature(maker).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    for parameter, value in _arguments(maker, rule):
        # By its place only where nothing before it is left out.
        head = "" if by_place[len(parts) : len(parts) + 1] == [parameter] else f"{parameter.name}="
        shown = duration_text(value) if _is_duration(rule, parameter.name) and isinstance(value, int) else value
        parts.append(head + _value(shown, prefix, indent + 4, len(head) + 1))
    return call(f"{prefix}{maker.__name__}", parts, indent)


def _maker(rule: Rule) -> Any:
    """The function that makes a kind of rule, of the same name as its module; None where it cannot say all."""
    if not type(rule).__module__.startswith("noria.contracts."):
        return None
    module = importlib.import_module(type(rule).__module__)
    maker = getattr(module, type(rule).__module__.rpartition(".")[2], None)
    if not inspect.isfunction(maker):
        return None
    unsaid = [name for name in type(rule).model_fields if name not in inspect.signature(maker).parameters]
    needed = [name for name in inspect.signature(maker).parameters if name not in type(rule).model_fields]
    is_said = all(_is_default(rule, name) for name in unsaid[len(needed) :])
    return maker if is_said else None


def _is_default(rule: Rule, name: str) -> bool:
    info = type(rule).model_fields[name]
    return not info.is_required() and getattr(rule, name) == info.get_default(call_default_factory=True)


def _is_duration(rule: Rule, name: str) -> bool:
    """Whether a field takes a duration, such as ``"7d"``."""
    info = type(rule).model_fields.get(name)
    if info is None:
        return False
    readers = getattr(Micros, "__metadata__", ())
    inner = [found for one in get_args(info.annotation) for found in getattr(one, "__metadata__", ())]
    return any(reader in (*info.metadata, *inner) for reader in readers)


def _arguments(maker: Any, rule: Rule) -> list[tuple[inspect.Parameter, Any]]:
    """The arguments that make this rule: parameters are fields by name, and the others the fields left, in order."""
    parameters = list(inspect.signature(maker).parameters.values())
    fields = type(rule).model_fields
    named = {parameter.name for parameter in parameters}
    left = [name for name in fields if name not in named]
    found = []
    for parameter in parameters:
        name = parameter.name if parameter.name in fields else left.pop(0)
        value = getattr(rule, name)
        if parameter.default is inspect.Parameter.empty or value != _normal(parameter.default, value):
            found.append((parameter, value))
    return found


def _normal(default: Any, value: Any) -> Any:
    return tuple(default) if isinstance(value, tuple) and isinstance(default, list | str) and not default else default


def _value(value: Any, prefix: str, indent: int, before: int) -> str:
    """A value as source; it begins `before` letters after the indent, and a comma follows."""
    if isinstance(value, Rules):
        rules = [rule_source(rule, prefix=prefix, indent=indent + 4) for rule in value]
        return _bracketed("[]", rules, indent, before)
    if isinstance(value, Declaration):
        return repr(value)
    if isinstance(value, Mapping):
        items = [f"{text(str(key))}: {_value(one, prefix, indent + 4, 0)}" for key, one in value.items()]
        return _bracketed("{}", items, indent, before)
    if isinstance(value, tuple | list):
        return _bracketed("[]", [_value(one, prefix, indent + 4, 0) for one in value], indent, before)
    if isinstance(value, str):
        return text(value)
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else repr(value)


def text(value: str) -> str:
    """A text as a formatter writes it: in double quotes, unless it has more of these than of single ones.

    Examples
    --------
    >>> print(text("it's"), text('say "x"'))
    "it's" 'say "x"'
    """
    single = repr(value + "\"'")[1:-4]  # with both in it, it is written in single quotes
    if value.count('"') > value.count("'"):
        return f"'{single}'"
    double = single.replace("\\'", "'").replace('"', '\\"')
    return f'"{double}"'


def number(value: float) -> str:
    """A number, with _ between thousands from five digits on.

    Examples
    --------
    >>> number(300000), number(0.5), number(1999)
    ('300_000', '0.5', '1999')
    """
    return f"{value:_}" if isinstance(value, int) and abs(value) >= 10_000 else repr(value)


def call(name: str, parts: Sequence[str], indent: int, before: int = 0) -> str:
    """A call, on one line where it fits, else one argument a line."""
    return name + _bracketed("()", parts, indent, before + len(name))


def _bracketed(ends: str, parts: Sequence[str], indent: int, before: int) -> str:
    line = ends[0] + ", ".join(parts) + ends[1]
    if "\n" not in line and indent + before + len(line) + 1 <= WIDTH:
        return line
    inner = " " * (indent + 4)
    return ends[0] + "\n" + "".join(f"{inner}{part},\n" for part in parts) + " " * indent + ends[1]
