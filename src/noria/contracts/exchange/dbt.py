"""dbt: a contract as the tests of a source in a ``schema.yml``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from noria.contracts.condition import ContractRule, columns_of
from noria.contracts.rules.between import Between
from noria.contracts.rules.expression import ExpressionRule
from noria.contracts.rules.matches import Matches
from noria.contracts.rules.not_null import NotNull
from noria.contracts.rules.one_of import OneOf
from noria.contracts.rules.refers import Refers
from noria.contracts.rules.unique import Unique
from noria.core import require
from noria.declarations import Contract, Rule

_TYPES = {"bool": "boolean", "int": "bigint", "float": "double precision", "string": "text"}


def to_dbt(contract: Contract, name: str, *, source: str = "noria") -> str:
    """A contract as a dbt ``schema.yml`` of one source with one table.

    not_null, unique, accepted_values and relationships are dbt's own tests; ranges, expressions and keys of several
    columns are those of dbt_utils, patterns those of dbt_expectations. What none of them says stands in a comment.

    Parameters
    ----------
    contract : Contract
        What rows must be.
    name : str
        Of the table.
    source : str
        The name of the dbt source that it is in.

    Examples
    --------
    >>> from noria.contracts import one_of
    >>> print(to_dbt(Contract(key="id", rules=[one_of("size", ["S", "M"], on_fail="warn")]), "shirts"))
    version: 2
    sources:
    - name: noria
      tables:
      - name: shirts
        columns:
        - name: id
          data_tests:
          - not_null
          - unique
        - name: size
          data_tests:
          - accepted_values:
              arguments:
                values:
                - S
                - M
              config:
                severity: warn
    <BLANKLINE>
    """
    yaml = require("yaml", extra="exchange")
    rules = contract.rules
    columns = list(dict.fromkeys([*contract.key, *contract.types, *(c for rule in rules for c in columns_of(rule))]))
    table: dict[str, Any] = {"name": name}
    if whole := list(_of_table(contract)):
        table["data_tests"] = whole
    table["columns"] = [_column(column, contract, source) for column in columns]
    body = {"version": 2, "sources": [{"name": source, "tables": [table]}]}
    unsaid = [
        rule.text if isinstance(rule, ContractRule) else type(rule).__name__ for rule in rules if not _is_said(rule)
    ]
    head = "".join(f"# no dbt test says: {' '.join(text.split())}\n" for text in unsaid)
    return head + str(yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120))


_SAID = (Between, ExpressionRule, Matches, NotNull, OneOf, Refers, Unique)


def _is_said(rule: Rule) -> bool:
    return isinstance(rule, _SAID) and not (isinstance(rule, Refers) and rule.key is None)


def _of_table(contract: Contract) -> Iterator[Any]:
    if len(contract.key) > 1:
        yield _test("dbt_utils.unique_combination_of_columns", {"combination_of_columns": list(contract.key)}, "fail")
    for rule in contract.rules:
        if isinstance(rule, ExpressionRule):
            yield _test("dbt_utils.expression_is_true", {"expression": f"coalesce({rule.sql}, true)"}, rule.on_fail)
        if isinstance(rule, Unique) and len(rule.keys) > 1:
            yield _test(
                "dbt_utils.unique_combination_of_columns", {"combination_of_columns": list(rule.keys)}, rule.on_fail
            )


def _column(column: str, contract: Contract, source: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": column}
    if column in contract.types:
        found["data_type"] = _TYPES.get(contract.types[column], contract.types[column])
    tests: list[Any] = ["not_null"] if column in contract.key else []
    tests += ["unique"] if contract.key == (column,) else []
    tests += [
        test
        for rule in contract.rules
        if columns_of(rule) == (column,)
        for test in _of_column(rule, source)
        if test not in tests
    ]
    if tests:
        found["data_tests"] = tests
    return found


def _of_column(rule: Rule, source: str) -> Iterator[Any]:
    if isinstance(rule, NotNull):
        yield _test("not_null", {}, rule.on_fail)
    elif isinstance(rule, Unique):
        yield _test("unique", {}, rule.on_fail)
    elif isinstance(rule, OneOf):
        texts = any(isinstance(value, str) for value in rule.values)
        yield _test(
            "accepted_values", {"values": list(rule.values), **({} if texts else {"quote": False})}, rule.on_fail
        )
    elif isinstance(rule, Between):
        yield _test("dbt_utils.accepted_range", {"min_value": rule.low, "max_value": rule.high}, rule.on_fail)
    elif isinstance(rule, Matches):
        yield _test(
            "dbt_expectations.expect_column_values_to_match_regex", {"regex": f"^(?:{rule.pattern})$"}, rule.on_fail
        )
    elif isinstance(rule, Refers) and rule.key is not None:
        yield _test("relationships", {"to": f"source('{source}', '{rule.to}')", "field": rule.key}, rule.on_fail)


def _test(name: str, arguments: dict[str, Any], on_fail: str) -> Any:
    """A test as dbt writes it; one without arguments that fails is its name alone."""
    body: dict[str, Any] = {}
    if arguments:
        body["arguments"] = arguments
    if on_fail in ("warn", "fix"):
        body["config"] = {"severity": "warn"}
    return {name: body} if body else name
