"""Checking whatever holds rows, and the report of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from noria.contracts.among import RowsRule
from noria.contracts.checker import Checker, columns_exist, key_rules, rules_of
from noria.contracts.condition import ContractRule, RowRule, Subject
from noria.contracts.data import Rows
from noria.contracts.statistics import file_facts
from noria.contracts.tally import EXAMPLES
from noria.contracts.typed import typed
from noria.contracts.verdict import Verdict
from noria.declarations import Contract
from noria.expressions import Kind, polars_kinds

if TYPE_CHECKING:
    import polars as pl

Engine = Literal["polars", "duckdb"]


@dataclass(frozen=True, slots=True)
class Report:
    """What a contract found of rows that stay where they are.

    Attributes
    ----------
    rows : int
        How many there are.
    verdicts : tuple of Verdict
        What each rule found.
    memory : mapping
        What the next check of newer rows of the same table can be given, as plain JSON.
    """

    rows: int
    verdicts: tuple[Verdict, ...]
    memory: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether no rule is broken but such as only warn."""
        return not any(verdict.failed for verdict in self.verdicts if verdict.on_fail != "warn")

    def to_body(self) -> dict[str, Any]:
        """As plain JSON."""
        verdicts = [verdict.to_body() for verdict in self.verdicts]
        return {"rows": self.rows, "passed": self.passed, "verdicts": verdicts, "memory": dict(self.memory)}

    def __str__(self) -> str:
        broken = [verdict for verdict in self.verdicts if verdict.failed]
        lines = [f"{self.rows:,} rows, {len(self.verdicts)} rules, {len(broken)} broken"]
        lines += [
            f"  {verdict.on_fail}: {verdict.rule}: " + (verdict.detail or f"{verdict.failed:,} rows, such as "
            + "; ".join(verdict.examples)) for verdict in broken
        ]  # fmt: skip
        return "\n".join(lines)


def reported(
    rows: Rows,
    contract: Contract,
    references: Mapping[str, pl.DataFrame],
    place: str,
    engine: Engine,
    memory: Mapping[str, Any] | None,
    now: datetime | None,
) -> Report:
    """Check rows where they are, and say what was found; see `noria.check`."""
    now = now or datetime.now(UTC)
    if engine == "duckdb":
        from noria.contracts.database import found_by_duckdb

        count, verdicts, remembered = found_by_duckdb(rows, contract, references, place, memory, now)
        unbroken = (_holds_type(name, kind, count) for name, kind in contract.types.items())
        return Report(count, (*unbroken, *_of_rows(contract, count), *verdicts), remembered)
    return _by_polars(rows, contract, references, place, memory, now)


def _by_polars(
    rows: Rows,
    contract: Contract,
    references: Mapping[str, pl.DataFrame],
    place: str,
    memory: Mapping[str, Any] | None,
    now: datetime,
) -> Report:
    kinds: dict[str, Kind] = {**polars_kinds(rows.schema), **contract.types}
    rules = [*key_rules(contract), *rules_of(contract)]
    columns_exist(rules, list(kinds), contract, place)
    proven = _proven_by_files(rows, contract, Subject(place, kinds, references))
    left = contract.replace(rules=tuple(rule for rule in contract.rules if rule not in proven), rows=None)
    checker = Checker(left, kinds, references, place, memory=memory, now=now)
    needed = list(dict.fromkeys(name for rule in rules if rule not in proven for name in _reads(rule, kinds)))
    needed += [name for name in contract.types if name not in needed]
    types = _Types(contract, place)
    count = 0
    for batch in rows.batches(needed):
        count += len(batch)
        checker.observe(types.typed(batch))
    if any(
        not verdict.examples and not verdict.detail and verdict.failed + verdict.tolerated
        for verdict in checker.found()
    ):
        for batch in rows.batches(needed):  # which rows break a rule among rows is known only now
            checker.split(typed(batch, contract.types, place))
    found = {verdict.rule: verdict for verdict in checker.found()}
    verdicts = [found.get(rule.text) or _holds(rule, count) for rule in rules]
    return Report(count, (*types.verdicts(count), *_of_rows(contract, count), *verdicts), checker.memory())


def _reads(rule: ContractRule, kinds: Mapping[str, Kind]) -> Sequence[str]:
    """A rule that reads no column by name (whole rows are the same) reads all, or none (how many rows there are)."""
    return rule.columns or (list(kinds) if isinstance(rule, RowsRule) and rule.drops else [])


def _holds(rule: ContractRule, rows: int) -> Verdict:
    return Verdict(rule.text, rule.columns[0], rule.on_fail, rows, 0)


def _proven_by_files(rows: Rows, contract: Contract, subject: Subject) -> set[ContractRule]:
    """The rules that the files' own statistics prove."""
    if not rows.parquet:
        return set()
    candidates = [
        rule for rule in rules_of(contract)
        if isinstance(rule, RowRule) and rule.proved_by and rule.columns[0] not in contract.types
    ]  # fmt: skip
    facts = file_facts(rows.parquet, [rule.columns[0] for rule in candidates])
    proven: set[ContractRule] = set()
    for rule in candidates:
        rule.broken(subject)  # refuses a column of another kind, which no fact may prove
        fact = facts.get(rule.columns[0])
        if fact is not None and rule.proven(subject, fact):
            proven.add(rule)
    return proven


class _Types:
    """The types of a contract, as rules: how many values are not of theirs."""

    def __init__(self, contract: Contract, place: str):
        self._types, self._place = contract.types, place
        self._failed = dict.fromkeys(contract.types, 0)
        self._examples: dict[str, list[str]] = {name: [] for name in contract.types}

    def typed(self, frame: pl.DataFrame) -> pl.DataFrame:
        made = typed(frame, self._types, self._place)
        for name in self._types:
            lost = made[name].is_null() & frame[name].is_not_null()
            self._failed[name] += int(lost.sum())
            for row in lost.arg_true().head(EXAMPLES - len(self._examples[name])):
                self._examples[name].append(f"row {frame['_row'][row]}: {frame[name][row]}")
        return made

    def verdicts(self, rows: int) -> Iterator[Verdict]:
        for name, kind in self._types.items():
            examples = tuple(self._examples[name])
            yield Verdict(_of_type(name, kind), name, "quarantine", rows, self._failed[name], examples)


def _of_type(name: str, kind: str) -> str:
    return f"{name} is of type {kind}"


def _holds_type(name: str, kind: str, rows: int) -> Verdict:
    """Of a column that has its type already."""
    return Verdict(_of_type(name, kind), name, "quarantine", rows, 0)


def _of_rows(contract: Contract, rows: int) -> Iterator[Verdict]:
    if contract.rows is not None:
        low, high = contract.rows
        outside = not low <= rows <= high
        shown = (f"{rows:,} rows",) if outside else ()
        yield Verdict(f"{low:,} to {high:,} rows", "", "fail", 1, int(outside), shown, 0, f"{rows:,} rows")
