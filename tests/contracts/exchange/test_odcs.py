import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from open_data_contract_standard.model import OpenDataContractStandard

import noria as nr
from noria.contracts import from_odcs, read_odcs, to_dbt, to_json_schema, to_odcs
from noria.core import DataError, DeclarationError

columns = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=8)
fails = st.sampled_from(["fail", "quarantine", "warn"])
numbers = st.floats(-1e9, 1e9) | st.integers(-(10**9), 10**9)
rules = st.one_of(
    st.builds(lambda c, f: nr.not_null(c, on_fail=f), columns, fails),
    st.builds(lambda c, a, b, f: nr.between(c, min(a, b), max(a, b), on_fail=f), columns, numbers, numbers, fails),
    st.builds(
        lambda c, v, f: nr.one_of(c, v, on_fail=f),
        columns,
        st.lists(st.text(max_size=5), min_size=1, max_size=3),
        fails,
    ),
    st.builds(lambda c, f: nr.matches(c, "[A-Z]{2,}", on_fail=f), columns, fails),
    st.builds(lambda c, f: nr.unique(c, on_fail=f), st.lists(columns, min_size=1, max_size=3, unique=True), fails),
    st.builds(lambda c: nr.private(c, "e-mail"), columns),
    st.builds(lambda f: nr.expression("a + b > 0", on_fail=f), fails),
)
contracts = st.builds(
    nr.Contract,
    key=st.lists(columns, max_size=2, unique=True),
    rules=st.lists(rules, max_size=6),
    types=st.dictionaries(
        columns, st.sampled_from(["bool", "int", "float", "string", "date", "timestamp"]), max_size=4
    ),
    rows=st.none() | st.tuples(st.integers(0, 5), st.integers(6, 9)),
    max_age=st.none() | st.integers(1, 10**12),
)


@given(contracts)
@settings(max_examples=60, deadline=None)
def test_a_contract_comes_back_from_its_yaml_whole_and_the_yaml_is_of_the_standard(contract):
    text = to_odcs(contract, "things")
    OpenDataContractStandard.from_string(text)
    assert from_odcs(text) == {"things": contract}


def test_others_words_become_rules():
    text = yaml.safe_dump({
        "kind": "DataContract", "apiVersion": "v3.0.2", "id": "x", "version": "1", "status": "active",
        "schema": [{"name": "orders", "properties": [
            {"name": "id", "logicalType": "integer", "primaryKey": True, "required": True, "unique": True},
            {"name": "email", "logicalType": "string", "required": True,
             "logicalTypeOptions": {"pattern": "^.+@.+$", "minLength": 5}},
            {"name": "amount", "logicalType": "number", "logicalTypeOptions": {"minimum": 0}},
            {"name": "state", "logicalType": "string", "quality": [
                {"type": "library", "metric": "invalidValues", "arguments": {"validValues": ["new", "done"]},
                 "mustBe": 0, "severity": "warning"}]},
        ]}],
    })  # fmt: skip
    contract = from_odcs(text)["orders"]
    assert contract.key == ("id",)
    assert contract.types == {"id": "int", "email": "string", "amount": "float", "state": "string"}
    assert [rule.text for rule in contract.rules] == [
        "email is not null", "email matches .+@.+", "email is at least 5 characters long",
        "amount between 0 and 1.7e+308", "state is one of new, done"]  # fmt: skip


def document(*properties, **table):
    return yaml.safe_dump({"kind": "DataContract", "apiVersion": "v3.1.0", "schema": [
        {"name": "orders", "properties": list(properties), **table}]})  # fmt: skip


def number(**options):
    return {"name": "x", "logicalType": "number", "logicalTypeOptions": options}


NONE = {"mustBe": 0}


@pytest.mark.parametrize(("text", "rules"), [
    (document(number(exclusiveMaximum=5)), [nr.expression('"x" < 5')]),
    (document(number(minimum=0, exclusiveMinimum=True)), [nr.expression('"x" > 0'), nr.between("x", 0, 1.7e308)]),
    (document(number(minimum=0, exclusiveMinimum=False)), [nr.between("x", 0, 1.7e308)]),
    (document({"name": "x", "quality": [{"rule": "nullCount", **NONE}]}), [nr.not_null("x")]),
    (document({"name": "x", "quality": [{"metric": "missingValues", **NONE}]}), [nr.not_null("x")]),
    (document(quality=[{"metric": "duplicateValues", "arguments": {"properties": ["a", "b"]}, **NONE}]),
     [nr.unique(["a", "b"])]),
])  # fmt: skip
def test_more_of_others_words_become_rules(text, rules):
    assert list(from_odcs(text)["orders"].rules) == rules


@pytest.mark.parametrize(("text", "words"), [
    (document(number(multipleOf=5)), "x: multipleOf 5"),
    (document({"name": "x", "logicalType": "date", "logicalTypeOptions": {"minimum": "2020-01-01"}}),
     "x: minimum 2020-01-01"),
    (document({"name": "x", "logicalType": "time"}), "x: logicalType time"),
    (document({"name": "x", "properties": [{"name": "y", "required": True}]}), "x: properties"),
    (document({"name": "x", "quality": [{"type": "sql", "query": "select\n 1", **NONE}]}),
     "x: quality sql select 1 mustBe 0"),
    (document({"name": "x", "quality": [{"metric": "nullValues", "mustBeLessThan": 5}]}),
     "x: quality library nullValues mustBeLessThan 5"),
    (document({"name": "x", "relationships": [{"to": "a.b"}]}), "x: relationships"),
    (document(quality=[{"metric": "rowCount", "mustBe": 5}]), "quality library rowCount mustBe 5"),
])  # fmt: skip
def test_what_no_rule_says_is_named(text, words):
    contract, left_out = read_odcs(text)["orders"]
    assert (contract.rules, left_out) == ((), [words])
    with pytest.raises(DeclarationError) as caught:
        from_odcs(text)
    assert caught.value.value == f"orders.{words}"


V3 = "kind: DataContract\napiVersion: v3.0.0\n"
NO_CONTRACTS = [
    "",
    "[",
    "a: 1",
    "kind: DataContract\napiVersion: v2.2.0",
    V3 + "schema: 3",
    V3 + "schema: [{properties: []}]",
]


@pytest.mark.parametrize("text", NO_CONTRACTS)
def test_what_is_no_contract_is_refused_in_words(text):
    with pytest.raises(DataError):
        from_odcs(text, "file.yaml")


def test_a_json_schema_says_what_a_row_is():
    contract = nr.Contract(
        key="id",
        types={"id": "int", "x": "float", "size": "string", "day": "date"},
        rules=[
            nr.between("x", 0, 1),
            nr.one_of("size", ["S", "M"]),
            nr.not_null("day"),
            nr.between("id", 0, 5, on_fail="warn"),
        ],
    )
    schema = json.loads(json.dumps(to_json_schema(contract, "shirts")))
    Draft202012Validator.check_schema(schema)
    right = {"id": 7, "x": 0.5, "size": None, "day": "2025-01-01"}
    valid = Draft202012Validator(schema)
    assert valid.is_valid(right)
    wrong = [{"x": 2}, {"size": "L"}, {"day": None}, {"id": "7"}]
    assert not any(valid.is_valid({**right, **change}) for change in wrong)


@given(contracts)
@settings(max_examples=25, deadline=None)
def test_any_contract_is_a_json_schema_and_a_dbt_file(contract):
    Draft202012Validator.check_schema(to_json_schema(contract, "things"))
    body = yaml.safe_load(to_dbt(contract, "things"))
    [source] = body["sources"]
    [table] = source["tables"]
    named = [column["name"] for column in table["columns"]]
    assert set(contract.key) <= set(named)
    tests = list(table.get("data_tests", []))
    tests += [test for column in table["columns"] for test in column.get("data_tests", [])]
    for test in tests:
        assert isinstance(test, str) or (len(test) == 1 and set(next(iter(test.values()))) <= {"arguments", "config"})
