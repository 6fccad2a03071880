"""Checking a frame against a contract: all rules in one pass, then only the rows that break one are looked at again."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from noria.contracts.condition import RowRule, Subject
from noria.core import DataError
from noria.declarations import Contract
from noria.expressions import Kind, polars_kinds

if TYPE_CHECKING:
    import polars as pl

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule found.

    Attributes
    ----------
    rule : str
        In words.
    column : str
        The first column that it reads.
    on_fail : str
        What happens to rows that break it.
    checked, failed : int
        Rows.
    examples : tuple of str
        The first rows that break it: ``row 5: 1048.36``.
    """

    rule: str
    column: str
    on_fail: str
    checked: int
    failed: int
    examples: tuple[str, ...] = ()

    def to_body(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows kept, rows quarantined with ``_reasons``, and what each rule found."""

    kept: pl.DataFrame
    quarantined: pl.DataFrame
    verdicts: tuple[Verdict, ...]


def check(frame: pl.DataFrame, contract: Contract, references: Mapping[str, pl.DataFrame], place: str) -> Checked:
    """Check rows against the key and the rules of a contract.

    Parameters
    ----------
    frame : DataFrame
        Rows with ``_row``, typed, with derived columns; a ``_reasons`` column (list of texts) is carried on.
    contract : Contract
        What they must be.
    references : mapping of str to DataFrame
        Tables of other sources, for `refers`.
    place : str
        The source, for errors.

    Raises
    ------
    DataError
        A rule that says ``fail`` is broken, or there are too few or too many rows.
    DeclarationError
        A rule does not fit the columns.
    """
    import polars as pl

    if contract.rows is not None and not contract.rows[0] <= len(frame) <= contract.rows[1]:
        raise DataError(
            f"{place}: the number of rows is out of bounds",
            value=f"{len(frame):,} rows",
            mend=f"between {contract.rows[0]:,} and {contract.rows[1]:,} were declared",
        )
    subject = Subject(place, polars_kinds(frame.schema), references)
    rules = [*_key_rules(contract), *(_row_rule(rule) for rule in contract.rules)]
    _columns_exist(rules, frame, contract, place)
    broken = [rule.broken(subject).alias(str(index)) for index, rule in enumerate(rules)]
    flags = frame.select(broken) if rules else pl.DataFrame()
    counts = flags.sum().row(0) if rules else ()
    verdicts = tuple(
        Verdict(rule.text, rule.columns[0] if rule.columns else "", rule.on_fail, len(frame), count,
                _examples(frame, flags[str(index)], rule.columns) if count else ())
        for index, (rule, count) in enumerate(zip(rules, counts, strict=True))
    )  # fmt: skip
    _refuse_failures(verdicts, place)
    frame = _mended(frame, rules, verdicts, subject)
    reasons = [
        pl.when(flags[str(index)]).then(pl.lit(verdict.rule))
        for index, verdict in enumerate(verdicts) if verdict.on_fail == "quarantine" and verdict.failed
    ]  # fmt: skip
    before = (
        frame["_reasons"]
        if "_reasons" in frame.columns
        else pl.Series("_reasons", [None] * len(frame), pl.List(pl.String))
    )
    frame = frame.with_columns(before.fill_null([]))
    if reasons:
        frame = frame.with_columns(
            _reasons=pl.concat_list([pl.col("_reasons"), pl.concat_list(reasons).list.drop_nulls()])
        )
    wrong = frame["_reasons"].list.len() > 0
    return Checked(frame.filter(~wrong).drop("_reasons"), frame.filter(wrong), verdicts)


class _Repeated(RowRule):
    """The key, as a rule: rows after the first with the same key, or with a null in it."""

    keys: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"key ({', '.join(self.keys)})"

    @property
    def columns(self) -> tuple[str, ...]:
        return self.keys

    def broken(self, subject: Subject) -> pl.Expr:
        import polars as pl

        missing = pl.any_horizontal([pl.col(key).is_null() for key in self.keys])
        return missing | ~pl.struct(self.keys).is_first_distinct()


def _key_rules(contract: Contract) -> Sequence[RowRule]:
    return (_Repeated(keys=contract.key, on_fail="quarantine"),) if contract.key else ()


def _row_rule(rule: Any) -> RowRule:
    if not isinstance(rule, RowRule):
        raise rule.refuse("this kind of rule cannot be checked", mend="make it a noria.contracts.RowRule")
    if rule.on_fail == "fix" and type(rule).mended is RowRule.mended:
        raise rule.refuse(
            "this kind of rule cannot fix rows", field="on_fail", value="fix", mend="fail, quarantine or warn"
        )
    return rule


def _columns_exist(rules: Sequence[RowRule], frame: pl.DataFrame, contract: Contract, place: str) -> None:
    for column in (*contract.key, *contract.types, *(column for rule in rules for column in rule.columns)):
        if column not in frame.columns:
            near = difflib.get_close_matches(column, frame.columns, n=1)
            raise DataError(
                f"{place}: the column '{column}' is not there",
                value=", ".join(frame.columns),
                mend=f"did you mean '{near[0]}'?" if near else "the source lost it, or the contract misnames it",
            )


def _examples(frame: pl.DataFrame, flags: pl.Series, columns: Sequence[str]) -> tuple[str, ...]:
    wrong = frame.filter(flags).head(_EXAMPLES).select("_row", *dict.fromkeys(columns))
    return tuple(
        f"row {row[0]}: " + ", ".join("null" if value is None else str(value) for value in row[1:])
        for row in wrong.iter_rows()
    )


def _refuse_failures(verdicts: Sequence[Verdict], place: str) -> None:
    failed = [verdict for verdict in verdicts if verdict.on_fail == "fail" and verdict.failed]
    if failed:
        first = failed[0]
        others = f" (and {len(failed) - 1} more rules fail)" if len(failed) > 1 else ""
        raise DataError(
            f"{place}: {first.failed:,} of {first.checked:,} rows break the rule '{first.rule}'{others}",
            value="; ".join(first.examples),
            mend="mend the data, or say on_fail='quarantine' or 'warn'",
        )


def _mended(
    frame: pl.DataFrame, rules: Sequence[RowRule], verdicts: Sequence[Verdict], subject: Subject
) -> pl.DataFrame:
    for rule, verdict in zip(rules, verdicts, strict=True):
        if verdict.on_fail == "fix" and verdict.failed:
            column = rule.columns[0]
            frame = frame.with_columns(cast("pl.Expr", rule.mended(subject)).cast(frame.schema[column]).alias(column))
    return frame


def typed(frame: pl.DataFrame, types: Mapping[str, Kind]) -> pl.DataFrame:
    """Columns as the contract's types; a value that is not of its type becomes null and its row gets a reason.

    The reasons stand in ``_reasons``, for `check` to quarantine by.
    """
    import polars as pl

    from noria.expressions import parse, to_polars

    kinds, wrong = polars_kinds(frame.schema), []
    for column, kind in types.items():
        if column not in frame.columns:
            continue
        quoted = '"' + column.replace('"', '""') + '"'
        cast_to = {"float": "double precision", "int": "bigint", "bool": "boolean", "string": "text"}.get(kind, kind)
        if kinds[column] == kind:
            continue
        text = f"CAST({quoted} AS {cast_to})"
        made = frame.select(to_polars(parse(text), kinds).alias(column))[column]
        bad = made.is_null() & frame[column].is_not_null()
        if bad.any():
            shown = frame[column].cast(pl.String)
            wrong.append(pl.when(bad).then(pl.format("{} is no " + kind + ": {}", pl.lit(column), shown)))
        frame = frame.with_columns(made)
    if not wrong:
        return frame
    return frame.with_columns(_reasons=pl.concat_list(wrong).list.drop_nulls())
