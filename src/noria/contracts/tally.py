"""Tally: what one rule has found so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from noria.contracts.among import Watch
from noria.contracts.condition import ContractRule
from noria.contracts.table import Measure
from noria.contracts.verdict import Verdict

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = 3


@dataclass(slots=True)
class Tally:
    """What one rule has found so far.

    Attributes
    ----------
    rule : ContractRule
        The rule.
    watch, measure : optional
        What it remembers of rows, where it is one among rows or about the table.
    rows : int
        How many rows break it, where each does by itself.
    examples : list of str
        The first of them.
    """

    rule: ContractRule
    watch: Watch | None = None
    measure: Measure | None = None
    rows: int = 0
    examples: list[str] = field(default_factory=list)

    def failed(self) -> int:
        """Rows that break it, of those seen."""
        return self.watch.count() if self.watch is not None else self.rows

    def show(self, frame: pl.DataFrame, broken: pl.Series) -> None:
        """Add the first rows that break it, up to three."""
        missing = EXAMPLES - len(self.examples)
        if missing <= 0:
            return
        first = broken.arg_true().head(missing)
        for row in frame.select("_row", *dict.fromkeys(self.rule.columns))[first].iter_rows():
            values = ", ".join("null" if value is None else str(value) for value in row[1:])
            self.examples.append(f"row {row[0]}: {values}")

    def verdict(self, rows: int) -> Verdict:
        """What it found, of so many rows."""
        rule = self.rule
        column = rule.columns[0] if rule.columns else ""
        if self.measure is not None:
            finding = self.measure.finding()
            shown = (finding.detail,) if finding.broken else ()
            return Verdict(rule.text, column, rule.on_fail, 1, int(finding.broken), shown, 0, finding.detail)
        failed = self.failed()
        over = failed > allowed(rule, rows)
        return Verdict(
            rule.text, column, rule.on_fail, rows, failed if over else 0,
            tuple(self.examples), 0 if over else failed,
        )  # fmt: skip


def remembered(tallies: Iterable[Tally]) -> dict[str, Any]:
    """What rules about the table tell the next load, by their texts; those that need nothing are left out."""
    found = {tally.rule.text: dict(tally.measure.memory()) for tally in tallies if tally.measure is not None}
    return {rule: memory for rule, memory in found.items() if memory}


def allowed(rule: ContractRule, rows: int) -> float:
    """How many of some rows may break a rule before what it says of them applies: a share of them, or a count."""
    most = rule.at_most
    if most is None:
        return 0
    return most * rows if isinstance(most, float) else most
