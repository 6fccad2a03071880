"""Open Data Contract Standard, version 3: a contract as its YAML, and back.

What the standard has words for is written in them, so that its tools can read it: types, primary key, required, unique,
bounds, patterns. Each rule stands as well, whole, as a quality check of the engine ``noria``: from that it is read
again, so that nothing is lost. What others wrote in the standard's words becomes rules; what cannot is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from noria.contracts.condition import ContractRule, columns_of
from noria.contracts.rules.between import Between
from noria.contracts.rules.expression import ExpressionRule
from noria.contracts.rules.length import Length
from noria.contracts.rules.matches import Matches
from noria.contracts.rules.not_null import NotNull
from noria.contracts.rules.one_of import OneOf
from noria.contracts.rules.private import Private
from noria.contracts.rules.unique import Unique
from noria.contracts.wants import quoted
from noria.core import DataError, DeclarationError, require
from noria.declarations import Contract, OnFail, Rule, dump, restore

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
    columns = list(dict.fromkeys([*contract.key, *contract.types, *(c for rule in rules for c in columns_of(rule))]))
    table: dict[str, Any] = {
        "name": name,
        "logicalType": "object",
        "physicalType": "table",
        "properties": [_property(column, contract) for column in columns],
    }
    whole = [_quality(rule) for rule in rules if len(columns_of(rule)) != 1]
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
    DeclarationError
        It says something of rows that no rule here says; `read_odcs` leaves it out and names it.
    """
    found = read_odcs(text, place)
    if unsaid := [f"{name}.{one}" for name, (_, left_out) in found.items() for one in left_out]:
        raise DeclarationError(
            "the data contract says what no rule here says", place=place or None, value="; ".join(unsaid),
            mend="leave it out there, or import with --lenient (read_odcs) and write a rule for it",
        )  # fmt: skip
    return {name: contract for name, (contract, _) in found.items()}


def read_odcs(text: str, place: str = "") -> dict[str, tuple[Contract, list[str]]]:
    """As `from_odcs`, with what each contract leaves out, in words: ``amount: multipleOf 5``.

    Examples
    --------
    >>> text = '''
    ... {kind: DataContract, apiVersion: v3.1.0, schema: [{name: orders, properties: [
    ...     {name: amount, logicalType: integer, logicalTypeOptions: {exclusiveMinimum: 0, multipleOf: 5}}]}]}
    ... '''
    >>> contract, left_out = read_odcs(text)["orders"]
    >>> contract.rules, left_out
    ((ExpressionRule(on_fail='fail', sql='"amount" > 0'),), ['amount: multipleOf 5'])
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
        return {str(table["name"]): (_contract(table), list(_left_out(table))) for table in body.get("schema") or ()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            "the data contract is not as the standard says",
            place=place or None,
            value=f"{type(error).__name__}: {error}",
            mend="schema is a list of tables, each with a name and properties",
        ) from None


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
    rules = [rule for rule in contract.rules if columns_of(rule) == (column,)]
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
    single = [place for column in columns for place, rule in enumerate(rules) if columns_of(rule) == (column,)]
    return single + [place for place, rule in enumerate(rules) if len(columns_of(rule)) != 1]


def _contract(table: Mapping[str, Any]) -> Contract:
    properties = list(table.get("properties") or ())
    keys = sorted((p for p in properties if p.get("primaryKey")), key=lambda p: p.get("primaryKeyPosition") or 0)
    key = tuple(str(p["name"]) for p in keys)
    types = {str(p["name"]): kind for p in properties if (kind := _kind(p)) is not None}
    rules = [rule for p in properties for rule in _rules_of(p, key)]
    rules += [restore(one["implementation"]) for one in table.get("quality") or () if one.get("engine") == _ENGINE]
    rules += [rule for one in table.get("quality") or () if one.get("engine") != _ENGINE for rule in _of_table(one)]
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
    yield from _bounds(name, options, Between in kinds)
    if Length not in kinds and ("minLength" in options or "maxLength" in options):
        yield Length(name, options.get("minLength"), options.get("maxLength"))
    if one.get("enum") and OneOf not in kinds:
        yield OneOf(name, tuple(each["value"] if isinstance(each, dict) else each for each in one["enum"]))
    for each in quality:
        if each.get("engine") != _ENGINE:
            yield from _of_library(name, each)


def _bounds(name: str, options: Mapping[str, Any], is_own: bool) -> Iterator[Rule]:
    """Bounds of numbers; one that is not included is an expression. In version 3.0 that may be said by ``true``."""
    low, high = (options.get(word) if _is_number(options.get(word)) else None for word in ("minimum", "maximum"))
    for word, sign, bound in (("exclusiveMinimum", ">", low), ("exclusiveMaximum", "<", high)):
        limit = bound if options.get(word) is True else options.get(word)
        if _is_number(limit):
            yield ExpressionRule(f"{quoted(name)} {sign} {limit}")
    if not is_own and (low is not None or high is not None):
        yield Between(name, -1.7e308 if low is None else low, 1.7e308 if high is None else high)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def _left_out(table: Mapping[str, Any]) -> Iterator[str]:
    """What a table's description says of rows, and no rule here does."""
    for each in table.get("quality") or ():
        if each.get("engine") != _ENGINE and not list(_of_table(each)):
            yield _check_in_words(each)
    if table.get("relationships"):
        yield "relationships"
    for one in table.get("properties") or ():
        yield from (f"{one['name']}: {said}" for said in _left_out_of(one))


def _left_out_of(one: Mapping[str, Any]) -> Iterator[str]:
    if "logicalType" in one and str(one["logicalType"]) not in _KINDS:
        yield f"logicalType {one['logicalType']}"
    yield from (word for word in ("properties", "items", "map", "relationships") if one.get(word))
    for word, value in (one.get("logicalTypeOptions") or {}).items():
        is_bound = word in _BOUNDS and (_is_number(value) or (isinstance(value, bool) and word.startswith("exclusive")))
        if not is_bound and word not in ("pattern", "minLength", "maxLength"):
            yield f"{word} {value}"
    for each in one.get("quality") or ():
        if each.get("engine") != _ENGINE and not list(_of_library(str(one["name"]), each)):
            yield _check_in_words(each)


def _check_in_words(each: Mapping[str, Any]) -> str:
    what = each.get("metric") or each.get("rule") or each.get("query") or each.get("description") or ""
    bounds = [f"{word} {value}" for word, value in each.items() if word.startswith("must")]
    return " ".join(["quality", str(each.get("type", "library")), *str(what).split(), *bounds])


def _of_table(each: Mapping[str, Any]) -> Iterator[Rule]:
    """The standard's own metrics of a table: no two rows are the same in some columns."""
    named = (each.get("arguments") or {}).get("properties")
    if _metric(each) in ("duplicateValues", "duplicateCount") and _is_none(each) and named:
        yield Unique(tuple(map(str, named)), on_fail=_fails(each))


def _metric(each: Mapping[str, Any]) -> Any:
    return each.get("metric") or each.get("rule")


def _is_none(each: Mapping[str, Any]) -> bool:
    """Whether it says that no row may be wrong."""
    return each.get("mustBe") == 0 or each.get("mustBeLessThan") == 1 or each.get("mustBeLessOrEqualTo") == 0


def _fails(each: Mapping[str, Any]) -> OnFail:
    return "warn" if each.get("severity") in ("warning", "info", "low") else "fail"


def _of_library(name: str, each: Mapping[str, Any]) -> Iterator[Rule]:
    """The standard's own metrics, where they say that no row may be wrong."""
    if not _is_none(each):
        return
    metric, fails = _metric(each), _fails(each)
    arguments = each.get("arguments") or {}
    if metric in ("nullValues", "nullCount") or (metric == "missingValues" and not arguments):
        yield NotNull(name, on_fail=fails)
    elif metric in ("duplicateValues", "duplicateCount"):
        yield Unique(name, on_fail=fails)
    elif metric == "invalidValues" and arguments.get("validValues"):
        yield OneOf(name, tuple(arguments["validValues"]), on_fail=fails)
    elif metric == "invalidValues" and arguments.get("pattern"):
        yield Matches(name, str(arguments["pattern"]).removeprefix("^").removesuffix("$"), on_fail=fails)
