"""JSON Schema, draft 2020-12: what a row is, for whoever sends or reads rows as JSON."""

from __future__ import annotations

from typing import Any

from noria.contracts.condition import ContractRule, columns_of
from noria.contracts.rules.between import Between
from noria.contracts.rules.length import Length
from noria.contracts.rules.matches import Matches
from noria.contracts.rules.not_null import NotNull
from noria.contracts.rules.one_of import OneOf
from noria.declarations import Contract, Rule

_TYPES: dict[str, dict[str, Any]] = {
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "string": {"type": "string"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
}


def to_json_schema(contract: Contract, name: str) -> dict[str, Any]:
    """The JSON Schema of one row.

    Rules that a row may break (``warn``, ``at_most``) are not demanded. What a schema of one row cannot say, such as
    that no key comes twice, stands in ``$comment``.

    Parameters
    ----------
    contract : Contract
        What rows must be.
    name : str
        Of the table.

    Examples
    --------
    >>> from noria.contracts import between
    >>> schema = to_json_schema(Contract(key="id", types={"id": "int"}, rules=[between("x", 0, 1)]), "people")
    >>> schema["properties"]
    {'id': {'type': 'integer'}, 'x': {'minimum': 0, 'maximum': 1}}
    """
    strict = [rule for rule in contract.rules if rule.on_fail != "warn" and rule.at_most is None]
    columns = dict.fromkeys([*contract.key, *contract.types, *(c for rule in strict for c in columns_of(rule))])
    required = [name for name in columns if name in contract.key or _has(strict, NotNull, name)]
    said = {column: _column(column, contract, strict, column in required) for column in columns}
    unsaid = [
        rule.text
        for rule in strict
        if isinstance(rule, ContractRule) and not isinstance(rule, NotNull | Between | Length | OneOf | Matches)
    ]
    if contract.key:
        unsaid.insert(0, f"key ({', '.join(contract.key)})")
    found: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": name,
        "type": "object",
        "properties": said,
        "required": required,
    }
    if unsaid:
        found["$comment"] = "Not said here: " + "; ".join(unsaid)
    return found


def _has(rules: list[Rule], kind: type[Rule], column: str) -> bool:
    return any(isinstance(rule, kind) and columns_of(rule) == (column,) for rule in rules)


def _column(column: str, contract: Contract, rules: list[Rule], needed: bool) -> dict[str, Any]:
    found: dict[str, Any] = dict(_TYPES.get(contract.types.get(column, ""), {}))
    if "type" in found and not needed:
        found["type"] = [found["type"], "null"]
    for rule in rules:
        if columns_of(rule) != (column,):
            continue
        if isinstance(rule, Between):
            found |= {"minimum": rule.low, "maximum": rule.high}
        elif isinstance(rule, OneOf):
            found["enum"] = [*rule.values, *([] if needed else [None])]
        elif isinstance(rule, Length):
            bounds = {"minLength": rule.low, "maxLength": rule.high}
            found |= {name: bound for name, bound in bounds.items() if bound is not None}
        elif isinstance(rule, Matches):
            found["pattern"] = f"^(?:{rule.pattern})$"
    return found
