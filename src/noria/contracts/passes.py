"""The one pass over a batch: what is known of each column proves rules, and only the others are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from noria.contracts.condition import RowRule, Subject
from noria.contracts.facts import Fact
from noria.contracts.wants import Want
from noria.core import DataError

if TYPE_CHECKING:
    import polars as pl

LEAST_ROWS = 10_000
"""Of fewer rows every rule is counted at once: to prove any would take longer."""
_SAMPLE, _FEW = 20_000, 5_000
"""A column of texts is looked at by its different values where a sample of so many rows holds no more than few."""
_SLICE = 1 << 20
"""Rows that are looked at together: what is worked out for them then takes little memory, and stays in the cache."""


class Pass:
    """All row rules of a contract, and what its table rules want to know, compiled.

    Parameters
    ----------
    rules : list of RowRule
        The rules.
    subject : Subject
        What they are compiled against.
    wants : list of Want
        Aggregates to take in the same pass.
    """

    def __init__(self, rules: Sequence[RowRule], subject: Subject, wants: Sequence[Want]):
        self.broken = [rule.broken(subject) for rule in rules]
        self._rules, self._subject, self._asked = rules, subject, wants
        self._wants = [want.polars(subject.kinds) for want in wants]

    def over(self, frame: pl.DataFrame) -> tuple[list[int], list[Any]]:
        """How many rows break each rule, and the values that were wanted."""
        counts, values = self._over(frame[:_SLICE])
        for start in range(_SLICE, len(frame), _SLICE):
            more, others = self._over(frame[start : start + _SLICE])
            counts = [one + two for one, two in zip(counts, more, strict=True)]
            values = [want.merged(*pair) for want, *pair in zip(self._asked, values, others, strict=True)]
        return counts, values

    def _over(self, frame: pl.DataFrame) -> tuple[list[int], list[Any]]:
        wants = {f"want {index}": want for index, want in enumerate(self._wants)}
        if len(frame) < LEAST_ROWS:
            found = self._select(frame, wants | self._sums(range(len(self._rules))))
            proven: set[int] = set()
        else:
            found, proven = self._proving(frame, wants)
            open_rules = [i for i in range(len(self._rules)) if i not in proven and f"rule {i}" not in found]
            found |= self._select(frame, self._sums(open_rules)) if open_rules else {}
        counts = [int(found.get(f"rule {index}") or 0) for index in range(len(self._rules))]
        return counts, [found[name] for name in wants]

    def _sums(self, rules: Sequence[int]) -> dict[str, pl.Expr]:
        return {f"rule {index}": self.broken[index].sum() for index in rules}

    def _proving(self, frame: pl.DataFrame, wants: Mapping[str, pl.Expr]) -> tuple[dict[str, Any], set[int]]:
        """What was asked of the rows in one go, and the rules that are proven by it."""
        import polars as pl

        by_bounds = [i for i, rule in enumerate(self._rules) if "bounds" in rule.proved_by]
        schema = frame.schema  # made anew each time that it is asked for
        by_values = self._by_values(frame, schema)
        asked = dict(wants)
        for column in dict.fromkeys(self._rules[index].columns[0] for index in by_bounds):
            number = pl.col(column)
            high = number.nan_max() if schema[column].is_float() else number.max()
            asked |= {f"low {column}": number.min(), f"high {column}": high}
        asked |= {f"values {column}": pl.col(column).unique().implode() for column in by_values}
        cannot = [
            index
            for index, rule in enumerate(self._rules)
            if not rule.proved_by and not (len(rule.columns) == 1 and rule.columns[0] in by_values)
        ]
        found = self._select(frame, asked | self._sums(cannot))
        proven = {
            index for index, rule in enumerate(self._rules) if rule.proved_by and self._proven(rule, frame, found)
        }
        for column, rules in by_values.items():
            values = pl.DataFrame({column: found[f"values {column}"]}, {column: schema[column]})
            broken = self._select(values, self._sums(rules))
            proven |= {index for index in rules if not broken[f"rule {index}"]}
        return found, proven

    def _by_values(self, frame: pl.DataFrame, schema: pl.Schema) -> dict[str, list[int]]:
        """Columns of few different texts, and the rules on each: a rule on one column is a rule on its values."""
        import polars as pl

        rules: dict[str, list[int]] = {}
        for index, rule in enumerate(self._rules):
            if len(rule.columns) == 1 and not rule.proved_by and schema[rule.columns[0]] == pl.String:
                rules.setdefault(rule.columns[0], []).append(index)
        return {name: of for name, of in rules.items() if _sampled(frame[name]).n_unique() <= _FEW}

    def _proven(self, rule: RowRule, frame: pl.DataFrame, found: Mapping[str, Any]) -> bool:
        column = rule.columns[0]
        bounds = found.get(f"low {column}"), found.get(f"high {column}")
        return rule.proven(self._subject, Fact(len(frame), frame[column].null_count(), *bounds))

    def _select(self, frame: pl.DataFrame, asked: Mapping[str, pl.Expr]) -> dict[str, Any]:
        if not asked:
            return {}
        return self.selected(frame, asked).row(0, named=True)

    def selected(self, frame: pl.DataFrame, asked: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Expressions on a batch; what Polars cannot do is told with the place."""
        import polars as pl

        try:
            return frame.select(**asked)
        except pl.exceptions.PolarsError as error:
            raise DataError(
                f"{self._subject.place}: the contract cannot be checked",
                value=str(error).strip().splitlines()[0],
                mend="does each rule fit the type of its column?",
            ) from None


def _sampled(values: pl.Series) -> pl.Series:
    """So many values from all over a column: the first ones may be alike because rows are sorted."""
    return values.gather_every(max(1, len(values) // _SAMPLE))
