"""Sorting: which rows of a batch are kept, set aside, dropped or mended, once it is known which rules are broken."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.contracts.among import RowsRule, Watch
from noria.contracts.condition import ContractRule, RowRule, Subject
from noria.contracts.tally import EXAMPLES, Tally, allowed
from noria.core import DataError

if TYPE_CHECKING:
    import polars as pl

    from noria.contracts.passes import Pass

_SLICE = 1 << 16
"""Rows that are looked at together for the first that break a rule: most often these are found in the first slice."""


@dataclass(frozen=True, slots=True)
class Split:
    """A batch sorted out: rows kept, rows quarantined with ``_reasons``, and how many a deduplication dropped."""

    kept: pl.DataFrame
    quarantined: pl.DataFrame
    dropped: int = 0


class Sorting:
    """Sorts out batches that were observed, in the order that they were.

    Parameters
    ----------
    tallies : list of Tally
        What each rule has found.
    rows_pass : Pass
        The compiled row rules, in the order of their tallies.
    subject : Subject
        What they were compiled against.
    """

    def __init__(self, tallies: Sequence[Tally], rows_pass: Pass, subject: Subject):
        self._tallies, self._subject = tallies, subject
        row_rules = [tally for tally in tallies if isinstance(tally.rule, RowRule)]
        self._exprs = {id(tally): expr for tally, expr in zip(row_rules, rows_pass.broken, strict=True)}
        self._row_rules, self._pass = row_rules, rows_pass
        self._batches: deque[tuple[int, frozenset[int]]] = deque()
        mended = {rule.columns[0] for rule in (tally.rule for tally in row_rules) if rule.on_fail == "fix"}
        self._mends = bool(mended)
        # Rows that are mended meet the rules again; a rule among rows sees those that are kept from the start.
        self._again: list[tuple[Tally, Watch]] = [
            (tally, tally.rule.watch(subject)) for tally in tallies
            if isinstance(tally.rule, RowsRule) and tally.rule.on_fail != "warn" and mended & set(tally.rule.columns)
        ]  # fmt: skip
        self._broken_again: dict[int, int] = {}

    @property
    def streams(self) -> bool:
        """Whether a row's fate hangs on no row after it."""
        fates = [tally for tally in self._tallies if tally.rule.on_fail in ("quarantine", "fix")]
        return all(not tally.rule.at_most and (tally.watch is None or tally.watch.streams) for tally in fates)

    def observed(self, frame: pl.DataFrame, counts: Sequence[int]) -> None:
        """Note which rules are broken in a batch, and the first rows that break them."""
        broken = frozenset(index for index, count in enumerate(counts) if count)
        self._batches.append((len(frame), broken))
        missing = {index: counts[index] for index in sorted(broken)}
        for start in range(0, len(frame), _SLICE):
            missing = {
                index: left for index, left in missing.items()
                if left > 0 and len(self._row_rules[index].examples) < EXAMPLES
            }  # fmt: skip
            if not missing:
                return
            rows = frame[start : start + _SLICE]
            flags = self._pass.selected(rows, {str(index): self._pass.broken[index] for index in missing})
            for index in missing:
                self._row_rules[index].show(rows, flags[str(index)])
                missing[index] -= int(flags[str(index)].sum())

    def split(self, frame: pl.DataFrame, rows: int) -> Split:
        """Sort out the next batch.

        Parameters
        ----------
        frame : DataFrame
            As it was observed.
        rows : int
            How many were observed in all.
        """
        size, broken = self._batches.popleft() if self._batches else (-1, frozenset[int]())
        if size != len(frame):
            raise ValueError(f"batches are split in the order that they were observed: {size} rows, not {len(frame)}")
        flags = self._flags(frame, broken, rows)
        if not flags and not self._mends and "_reasons" not in frame.columns:
            return Split(frame, _with_reasons(frame.clear(), ()))
        frame = _with_reasons(frame, [(tally.rule, found) for tally, found in flags if _sets_aside(tally.rule)])
        keep = frame["_reasons"].list.len() == 0
        drop = _any([found for tally, found in flags if _drops(tally.rule)])
        dropped = 0
        if drop is not None:
            drop &= keep
            dropped = int(drop.sum())
            keep &= ~drop
            aside = frame.filter(~keep & ~drop)
        else:
            aside = frame.filter(~keep)
        kept = frame.filter(keep)
        fixes = [tally for tally, _ in flags if isinstance(tally.rule, RowRule) and tally.rule.on_fail == "fix"]
        if fixes:
            kept, more = self._mended(kept, fixes)
            aside = _together(aside, more)
        kept = kept.drop("_reasons")
        if self._mends:
            self._look_again(kept, bool(fixes))
        return Split(kept, aside, dropped)

    def _flags(self, frame: pl.DataFrame, broken: frozenset[int], rows: int) -> list[tuple[Tally, pl.Series]]:
        """The rules that decide about rows of this batch, each with the rows that break it; examples on the way."""
        deciding = [
            self._row_rules[index] for index in sorted(broken) if _decides(self._row_rules[index], rows)
        ]  # fmt: skip
        asked = {str(index): self._exprs[id(tally)] for index, tally in enumerate(deciding)}
        found = self._pass.selected(frame, asked) if asked else None
        by_rule = {id(tally): found[str(index)] for index, tally in enumerate(deciding)} if found is not None else {}
        for tally in self._tallies:
            if tally.watch is None:
                continue
            flags = tally.watch.broken(frame)
            if flags is not None:
                tally.show(frame, flags)
                if _decides(tally, rows):
                    by_rule[id(tally)] = flags
        return [(tally, by_rule[id(tally)]) for tally in self._tallies if id(tally) in by_rule]

    def _mended(self, kept: pl.DataFrame, fixes: Sequence[Tally]) -> tuple[pl.DataFrame, pl.DataFrame | None]:
        """Rows mended in the order of the rules; and those that a rule could not mend, as they came."""
        import polars as pl

        came, wrong = kept, []
        for tally in fixes:
            rule = tally.rule
            assert isinstance(rule, RowRule)
            column, broken = rule.columns[0], self._exprs[id(tally)]
            mended, dtype = rule.mended(self._subject), kept.schema[column]
            if dtype != pl.Null:  # where there is no value at all, those that are filled in say what it is
                mended = mended.cast(dtype)
            kept = kept.with_columns(pl.when(broken).then(mended).otherwise(pl.col(column)).alias(column))
            wrong.append((rule, self._pass.selected(kept, {"still": broken})["still"]))
        still = _any([flags for _, flags in wrong])
        if still is None or not still.any():
            return kept, None
        aside = _with_reasons(came, [(rule, flags) for rule, flags in wrong if flags.any()])
        return kept.filter(~still), aside.filter(still)

    def _look_again(self, kept: pl.DataFrame, mended: bool) -> None:
        """Count mended rows that break a rule that is not theirs."""
        for tally, watch in self._again:
            watch.observe(kept)
            self._broken_again[id(tally)] = watch.count()
        if mended:
            strict = [tally for tally in self._row_rules if tally.rule.on_fail != "warn"]
            sums = {str(index): self._exprs[id(tally)].sum() for index, tally in enumerate(strict)}
            for tally, count in zip(strict, self._pass.selected(kept, sums).row(0), strict=True):
                self._broken_again[id(tally)] = self._broken_again.get(id(tally), 0) + int(count)

    def refuse_mended(self, rows: int) -> None:
        """Raise a DataError where rows that were mended break a rule."""
        for tally in self._tallies:
            count = self._broken_again.get(id(tally), 0)
            if count > allowed(tally.rule, rows):
                fixes = ", ".join(each.rule.text for each in self._row_rules if each.rule.on_fail == "fix")
                raise DataError(
                    f"{self._subject.place}: {count:,} rows that were mended break the rule '{tally.rule.text}'",
                    value=fixes,
                    mend="let the rules agree on what a right value is",
                )


def _sets_aside(rule: ContractRule) -> bool:
    return rule.on_fail == "quarantine"


def _drops(rule: ContractRule) -> bool:
    return rule.on_fail == "fix" and isinstance(rule, RowsRule)


def _decides(tally: Tally, rows: int) -> bool:
    """Whether rows that break the rule are set aside, dropped or mended."""
    rule = tally.rule
    if rule.on_fail not in ("quarantine", "fix"):
        return False
    return not rule.at_most or tally.failed() > allowed(rule, rows)


def _any(flags: Sequence[pl.Series]) -> pl.Series | None:
    whole = None
    for each in flags:
        whole = each if whole is None else whole | each
    return whole


def _together(one: pl.DataFrame, two: pl.DataFrame | None) -> pl.DataFrame:
    import polars as pl

    return one if two is None else pl.concat([one, two]).sort("_row")


def _with_reasons(frame: pl.DataFrame, broken: Sequence[tuple[ContractRule, pl.Series]]) -> pl.DataFrame:
    """The rows with ``_reasons``: those that they came with, then the rules that set them aside."""
    import polars as pl

    nothing = pl.Series("_reasons", [[]], pl.List(pl.String)).new_from_index(0, len(frame))
    before = frame["_reasons"].fill_null([]) if "_reasons" in frame.columns else nothing
    frame = frame.with_columns(before)
    reasons = [pl.when(flags).then(pl.lit(rule.text)) for rule, flags in broken]
    if not reasons:
        return frame
    return frame.with_columns(_reasons=pl.concat_list("_reasons", pl.concat_list(reasons).list.drop_nulls()))
