"""Checker: a contract against rows that come in batches; what it remembers of rows is what rules say they need."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from noria.contracts.among import RowsRule, Watch
from noria.contracts.condition import ContractRule, RowRule, Subject
from noria.contracts.passes import Pass
from noria.contracts.profile.personal import kinds_declared, suspected
from noria.contracts.repeated import FirstStays
from noria.contracts.rules.aggregate import AggregateRule
from noria.contracts.rules.expression import ExpressionRule
from noria.contracts.sorting import Sorting, Split
from noria.contracts.table import Moment, TableRule
from noria.contracts.tally import Tally, remembered
from noria.contracts.verdict import Verdict, refuse_failures
from noria.contracts.wants import quoted
from noria.core import DataError
from noria.declarations import Contract
from noria.expressions import Kind

if TYPE_CHECKING:
    import polars as pl

_LOOKED_AT = 5000
"""Rows of the first batch, at least, that tell which columns look private; less than twice as many."""


class Checker:
    """Checks batches of rows against a contract: all rules in one pass over each batch.

    Calls come in this order, from one thread: `observe` with every batch; then `split` with every batch again, in the
    same order; then `verdicts`, then `memory`. Where `streams`, a batch may be split right after it was observed.

    Parameters
    ----------
    contract : Contract
        What rows must be.
    kinds : mapping of str to Kind
        The columns of the rows, derived ones included.
    references : mapping of str to DataFrame
        Tables of other sources, for rules that refer to them.
    place : str
        The source, for errors.
    memory : mapping, optional
        What `memory` gave after the load before.
    now : datetime, optional
        The time, for rules that ask for it; by default that of the wall.

    Attributes
    ----------
    streams : bool
        Whether a row's fate hangs on no row after it.

    Raises
    ------
    DeclarationError
        A rule does not fit the columns.
    DataError
        A column is not there.
    """

    streams: bool

    def __init__(
        self,
        contract: Contract,
        kinds: Mapping[str, Kind],
        references: Mapping[str, pl.DataFrame],
        place: str,
        *,
        memory: Mapping[str, Any] | None = None,
        now: datetime | None = None,
    ):
        rules = [*key_rules(contract), *rules_of(contract)]
        columns_exist(rules, list(kinds), contract, place)
        subject = Subject(place, kinds, references)
        self._contract, self._place, self._rows = contract, place, 0
        self._memory, now = dict(memory or {}), now or datetime.now(UTC)
        self._tallies = [self._tally(rule, subject, now) for rule in rules]
        self._of_rows = [tally for tally in self._tallies if isinstance(tally.rule, RowRule)]
        self._measures = [tally.measure for tally in self._tallies if tally.measure is not None]
        wants = [want for measure in self._measures for want in measure.wants]
        row_rules = [tally.rule for tally in self._of_rows if isinstance(tally.rule, RowRule)]
        self._pass = Pass(row_rules, subject, wants)
        self._sorting = Sorting(self._tallies, self._pass, subject)
        self.streams = self._sorting.streams
        of_sql = (rule for rule in rules if isinstance(rule, ExpressionRule | AggregateRule))
        self._in_sql = tuple(dict.fromkeys(column for rule in of_sql for column in rule.columns))
        self._first: pl.DataFrame | None = None

    def _tally(self, rule: ContractRule, subject: Subject, now: datetime) -> Tally:
        if isinstance(rule, RowsRule):
            return Tally(rule, watch=rule.watch(subject))
        if isinstance(rule, TableRule):
            moment = Moment(now, self._memory.get(rule.text, {}))
            return Tally(rule, measure=rule.measure(subject, moment))
        return Tally(rule)

    def observe(self, frame: pl.DataFrame) -> None:
        """See the next rows: a frame with ``_row``, and ``_reasons`` where typing left some."""
        _refuse_beyond(frame, self._in_sql, self._place)
        counts, values = self._pass.over(frame)
        self._rows += len(frame)
        if self._first is None and len(frame):
            self._first = frame.gather_every(max(1, len(frame) // _LOOKED_AT))
        for tally, count in zip(self._of_rows, counts, strict=True):
            tally.rows += count
        for measure in self._measures:
            taken, values = values[: len(measure.wants)], values[len(measure.wants) :]
            measure.observe(frame, taken)
        for tally in self._tallies:
            if tally.watch is not None:
                tally.watch.observe(frame)
        self._sorting.observed(frame, counts)

    def split(self, frame: pl.DataFrame) -> Split:
        """Sort out the next batch: what is kept, what is quarantined with its reasons, how many rows are dropped."""
        return self._sorting.split(frame, self._rows)

    def verdicts(self) -> tuple[Verdict, ...]:
        """What each rule found, and a warning for each column that looks private and is not declared to be.

        Raises
        ------
        DataError
            A rule that says ``fail`` is broken, or there are too few or too many rows.
        """
        self._refuse_rows()
        found = self.found()
        refuse_failures(found, self._place)
        self._sorting.refuse_mended(self._rows)
        return (*found, *self._private())

    def found(self) -> tuple[Verdict, ...]:
        """What each rule found; nothing is raised."""
        return tuple(tally.verdict(self._rows) for tally in self._tallies)

    def _private(self) -> Iterator[Verdict]:
        """Columns that look private by some rows of the first batch, and that no rule declares to be."""
        if self._first is None:
            return
        for one in suspected(self._first, kinds_declared(self._contract.rules)):
            text = f'{one.column} looks private: {one.kind} (declare it: private("{one.column}", "{one.kind}"))'
            yield Verdict(text, one.column, "warn", len(self._first), one.rows)

    def memory(self) -> dict[str, Any]:
        """What the next load must be given, as plain JSON."""
        return remembered(self._tallies)

    def _refuse_rows(self) -> None:
        bounds = self._contract.rows
        if bounds is not None and not bounds[0] <= self._rows <= bounds[1]:
            raise DataError(
                f"{self._place}: the number of rows is out of bounds",
                value=f"{self._rows:,} rows",
                mend=f"between {bounds[0]:,} and {bounds[1]:,} were declared",
            )


def _refuse_beyond(frame: pl.DataFrame, columns: Sequence[str], place: str) -> None:
    """Raise a DataError where SQL would see null for a number: its ints have 64 bits, one of them for the sign."""
    import polars as pl

    for column in columns:
        if frame.schema.get(column) == pl.UInt64 and (frame[column].max() or 0) > 2**63 - 1:  # type: ignore[operator]
            row = frame["_row"][frame[column].arg_max() or 0]
            raise DataError(
                f"{place}: an int is too large for a rule in SQL",
                place=f"column '{column}', row {row}",
                value=frame[column].max(),
                mend=f"at most {2**63 - 1}; cast the column to text or float",
            )


class _Key(RowsRule):
    """The key, as a rule: rows after the first with the same key, or with a null in it."""

    keys: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"key ({', '.join(self.keys)})"

    @property
    def columns(self) -> tuple[str, ...]:
        return self.keys

    def watch(self, subject: Subject) -> Watch:
        return FirstStays(self.keys, null_breaks=True)

    def broken_sql(self, subject: Subject, dialect: str) -> str:
        keys = [quoted(key) for key in self.keys]
        missing = " OR ".join(f"{key} IS NULL" for key in keys)
        return f"({missing} OR ROW_NUMBER() OVER (PARTITION BY {', '.join(keys)} ORDER BY _row) > 1)"


def key_rules(contract: Contract) -> tuple[ContractRule, ...]:
    """The key of a contract as a rule, if it has one."""
    return (_Key(keys=contract.key, on_fail="quarantine"),) if contract.key else ()


def rules_of(contract: Contract) -> tuple[ContractRule, ...]:
    """The rules of a contract.

    Raises
    ------
    DeclarationError
        One is of a kind that cannot be checked.
    """
    found = []
    for rule in contract.rules:
        if not isinstance(rule, RowRule | RowsRule | TableRule):
            raise rule.refuse(
                "this kind of rule cannot be checked",
                mend="make it a RowRule, RowsRule or TableRule of noria.contracts",
            )
        found.append(rule)
    return tuple(found)


def columns_exist(rules: Sequence[ContractRule], columns: Sequence[str], contract: Contract, place: str) -> None:
    """Raise a DataError where a column that is read is not there, a DeclarationError where a rule reads one twice."""
    for rule in rules:
        if twice := [name for name in rule.columns if rule.columns.count(name) > 1]:
            raise rule.refuse(f"{place}: a column stands twice in the rule '{rule.text}'", value=twice[0], mend="once")
    for column in (*contract.key, *contract.types, *(column for rule in rules for column in rule.columns)):
        if column not in columns:
            near = difflib.get_close_matches(column, columns, n=1)
            raise DataError(
                f"{place}: the column '{column}' is not there",
                value=", ".join(columns),
                mend=f"did you mean '{near[0]}'?" if near else "the source lost it, or the contract misnames it",
            )
