"""Open Data Contract Standard, version 3: a contract as its YAML, and back.

What the standard has words for is written in them, so that its tools can read it: types, primary key, required, unique,
bounds, patterns. Each rule stands as well, whole, as a quality check of the engine ``noria``: from that it is read
again, so that nothing is lost. What others wrote in the standard's words becomes rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from noria.contracts.condition import ContractRule
from noria.contracts.rules.between import Between
from noria.contracts.rules.length import Length
from noria.contracts.rules.matches import Matches
from noria.contracts.rules.not_null import NotNull
from noria.contracts.rules.one_of import OneOf
from noria.contracts.rules.private import Private
from noria.contracts.rules.unique import Unique
from noria.core import DataError, require
from noria.declarations import Contract, Rule, dump, restore

VERSION = "v3.1.0"
_ENGINE = "noria"
_LOGICAL = {"bool": "boolean", "int": "integer", "float": "number", "string": "string", "date": "date",
            "timestamp": "timestamp"}  # fmt: skip
_KINDS = {logical: kind for kind, logical in _LOGICAL.items()}
_SEVERITY = {"fail": "error", "quarantine": "error", "fix": "warning", "warn": "warning"}


def to_odcs(contract: Contract, name: str, *, version: str = "1.0.0", status: str = "active") -> str:
    """A contract as YAML of the Open Data Contract Standard.

    Parameters
    ----------
    contract : Contract
        What rows must be.
    name : str
        Of the table.
    version, status : str
        Of the contract.

    Examples
    --------
    >>> from noria.contracts import not_null
    >>> text = to_odcs(Contract(key="id", rules=[not_null("town", on_fail="warn")]), "people")
    >>> from_odcs(text)["people"].rules
    (NotNull(on_fail='warn', column='town', fill=None),)
    """
    yaml = require("yaml", extra="exchange")
    rules = tuple(contract.rules)
    columns = list(dict.fromkeys([*contract.key, *contract.types, *(c for rule in rules for c in _columns(rule))]))
    table: dict[str, Any] = {
        "name": name,
        "logicalType": "object",
        "physicalType": "table",
        "properties": [_property(column, contract) for column in columns],
    }
    whole = [_quality(rule) for rule in rules if len(_columns(rule)) != 1]
    if whole:
        table["quality"] = whole
    if loose := {field: getattr(contract, field) for field in _loose(contract)}:
        form = dump(Contract(**loose))
        table["customProperties"] = [
            {"property": "noria", "value": {field: form[field] for field in loose if field in form}}
        ]
    order = _as_read(rules, columns)
    if order != sorted(order):
        table.setdefault("customProperties", []).append({"property": "noriaOrder", "value": order})
    body = {
        "apiVersion": VERSION, "kind": "DataContract", "id": name, "name": name, "version": version, "status": status,
        "schema": [table],
    }  # fmt: skip
    return str(yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120))


def from_odcs(text: str, place: str = "") -> dict[str, Contract]:
    """The contracts in a YAML text of the Open Data Contract Standard, version 3, by table.

    Parameters
    ----------
    text : str
        The document.
    place : str
        Where it is, for errors.

    Raises
    ------
    DataError
        It is no such document.
    """
    yaml = require("yaml", extra="exchange")
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DataError("this is no YAML", place=place or None, value=str(error)) from None
    if not isinstance(body, dict) or body.get("kind") != "DataContract":
        raise DataError("this is no data contract", place=place or None, mend="kind: DataContract stands in one")
    if not str(body.get("apiVersion", "")).startswith("v3"):
        mend = "version 3 of the Open Data Contract Standard is read"
        raise DataError("another version of the standard", place=place or None, value=body.get("apiVersion"), mend=mend)
    try:
        return {str(table["name"]): _contract(table) for table in body.get("schema") or ()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            "the data contract is not as the standard says",
            place=place or None,
            value=f"{type(error).__name__}: {error}",
            mend="schema is a list of tables, each with a name and properties",
        ) from None


def _columns(rule: Rule) -> tuple[str, ...]:
    return rule.columns if isinstance(rule, ContractRule) else ()


def _loose(contract: Contract) -> list[str]:
    """The fields of a contract that the standard has no place for, where they say something."""
    fields = type(contract).model_fields
    return [
        name
        for name, info in fields.items()
        if name not in ("key", "rules", "types")
        and getattr(contract, name) != info.get_default(call_default_factory=True)
    ]


def _property(column: str, contract: Contract) -> dict[str, Any]:
    rules = [rule for rule in contract.rules if _columns(rule) == (column,)]
    found: dict[str, Any] = {"name": column}
    kind = contract.types.get(column)
    if kind is not None:
        found["logicalType"] = _LOGICAL[kind]
        found["physicalType"] = kind
    if column in contract.key:
        found |= {"primaryKey": True, "primaryKeyPosition": contract.key.index(column) + 1}
    if column in contract.key or any(isinstance(rule, NotNull) for rule in rules):
        found["required"] = True
    if contract.key == (column,) or any(isinstance(rule, Unique) for rule in rules):
        found["unique"] = True
    if any(isinstance(rule, Private) for rule in rules):
        found["classification"] = "restricted"
    if options := _options(rules, kind):
        found["logicalTypeOptions"] = options
    if rules:
        found["quality"] = [_quality(rule) for rule in rules]
    return found


def _options(rules: list[Rule], kind: str | None) -> dict[str, Any]:
    """Bounds and patterns in the standard's words, where the type has them."""
    found: dict[str, Any] = {}
    for rule in rules:
        if isinstance(rule, Between) and kind in ("int", "float"):
            found |= {"minimum": rule.low, "maximum": rule.high}
        if isinstance(rule, Length) and kind == "string":
            bounds = {"minLength": rule.low, "maxLength": rule.high}
            found |= {name: bound for name, bound in bounds.items() if bound is not None}
        if isinstance(rule, Matches) and kind == "string":
            found["pattern"] = f"^(?:{rule.pattern})$"
    return found


def _quality(rule: Rule) -> dict[str, Any]:
    words = rule.text if isinstance(rule, ContractRule) else type(rule).__name__
    found: dict[str, Any] = {
        "type": "custom",
        "engine": _ENGINE,
        "description": words,
        "severity": _SEVERITY.get(rule.on_fail, "error"),
        "implementation": dump(rule),
    }
    return found


def _as_read(rules: tuple[Rule, ...], columns: list[str]) -> list[int]:
    """The places of the rules in the order in which the document has them: column by column, then those of several."""
    single = [place for column in columns for place, rule in enumerate(rules) if _columns(rule) == (column,)]
    return single + [place for place, rule in enumerate(rules) if len(_columns(rule)) != 1]


def _contract(table: Mapping[str, Any]) -> Contract:
    properties = list(table.get("properties") or ())
    keys = sorted((p for p in properties if p.get("primaryKey")), key=lambda p: p.get("primaryKeyPosition") or 0)
    key = tuple(str(p["name"]) for p in keys)
    types = {str(p["name"]): kind for p in properties if (kind := _kind(p)) is not None}
    rules = [rule for p in properties for rule in _rules_of(p, key)]
    rules += [restore(one["implementation"]) for one in table.get("quality") or () if one.get("engine") == _ENGINE]
    own = {p["property"]: p["value"] for p in table.get("customProperties") or ()}
    if (order := own.get("noriaOrder")) is not None and sorted(order) == list(range(len(rules))):
        rules = [rule for _, rule in sorted(zip(order, rules, strict=True), key=lambda pair: pair[0])]
    loose = restore(own.get("noria") or {})
    return Contract(key=key, types=types, rules=tuple(rules), **loose)


def _kind(one: Mapping[str, Any]) -> str | None:
    physical, logical = one.get("physicalType"), one.get("logicalType")
    if physical in _LOGICAL and _LOGICAL[physical] == logical:
        return str(physical)
    return _KINDS.get(str(logical))


def _rules_of(one: Mapping[str, Any], key: tuple[str, ...]) -> Iterator[Rule]:
    """The rules of a column: our own as they were, and of others' words what is not among them."""
    name, quality = str(one["name"]), list(one.get("quality") or ())
    own = [restore(each["implementation"]) for each in quality if each.get("engine") == _ENGINE]
    yield from own
    kinds = {type(rule) for rule in own}
    if one.get("required") and name not in key and NotNull not in kinds:
        yield NotNull(name)
    if one.get("unique") and key != (name,) and Unique not in kinds:
        yield Unique(name)
    options = one.get("logicalTypeOptions") or {}
    if "pattern" in options and Matches not in kinds:
        yield Matches(name, str(options["pattern"]).removeprefix("^").removesuffix("$"))
    if Between not in kinds and ("minimum" in options or "maximum" in options):
        yield Between(name, options.get("minimum", -1.7e308), options.get("maximum", 1.7e308))
    if Length not in kinds and ("minLength" in options or "maxLength" in options):
        yield Length(name, options.get("minLength"), options.get("maxLength"))
    if one.get("enum") and OneOf not in kinds:
        yield OneOf(name, tuple(each["value"] if isinstance(each, dict) else each for each in one["enum"]))
    for each in quality:
        if each.get("engine") != _ENGINE:
            yield from _of_library(name, each)


def _of_library(name: str, each: Mapping[str, Any]) -> Iterator[Rule]:
    """The standard's own metrics, where they say that no row may be wrong."""
    metric = each.get("metric") or each.get("rule")
    fails = "warn" if each.get("severity") in ("warning", "info", "low") else "fail"
    none = each.get("mustBe") == 0 or each.get("mustBeLessThan") == 1 or each.get("mustBeLessOrEqualTo") == 0
    if not none:
        return
    arguments = each.get("arguments") or {}
    if metric == "nullValues":
        yield NotNull(name, on_fail=fails)
    elif metric in ("duplicateValues", "duplicateCount"):
        yield Unique(name, on_fail=fails)
    elif metric == "invalidValues" and arguments.get("validValues"):
        yield OneOf(name, tuple(arguments["validValues"]), on_fail=fails)
    elif metric == "invalidValues" and arguments.get("pattern"):
        yield Matches(name, str(arguments["pattern"]).removeprefix("^").removesuffix("$"), on_fail=fails)
