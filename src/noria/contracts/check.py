"""Checking a frame against a contract: all rules in one pass, then only the rows that break one are looked at again."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from noria.contracts.condition import RowRule, Subject
from noria.core import DataError
from noria.declarations import Contract
from noria.expressions import Kind, parse, polars_kinds, to_polars

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

    if contract.rows is not None and not contract.rows[0] <= len(frame) <= contract.rows[1]:
        raise DataError(
            f"{place}: the number of rows is out of bounds",
            value=f"{len(frame):,} rows",
            mend=f"between {contract.rows[0]:,} and {contract.rows[1]:,} were declared",
        )
    subject = Subject(place, polars_kinds(frame.schema), references)
    rules = [*_key_rules(contract), *rules_of(contract)]
    _columns_exist(rules, frame, contract, place)
    flags = _flags(frame, rules, subject)
    counts = flags.sum().row(0) if rules else ()
    verdicts = tuple(
        Verdict(rule.text, rule.columns[0], rule.on_fail, len(frame), count,
                _examples(frame, flags[str(index)], rule.columns) if count else ())
        for index, (rule, count) in enumerate(zip(rules, counts, strict=True))
    )  # fmt: skip
    _refuse_failures(verdicts, place)
    frame = _with_reasons(frame, flags, verdicts)
    wrong = frame["_reasons"].list.len() > 0
    kept = frame.filter(~wrong).drop("_reasons")
    return Checked(_mended(kept, rules, verdicts, subject), frame.filter(wrong), verdicts)


def _flags(frame: pl.DataFrame, rules: Sequence[RowRule], subject: Subject) -> pl.DataFrame:
    """One column a rule, true where a row breaks it: all in one pass over the rows."""
    import polars as pl

    broken = [rule.broken(subject).alias(str(index)) for index, rule in enumerate(rules)]
    try:
        return frame.select(broken)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{subject.place}: the contract cannot be checked",
            value=str(error).strip().splitlines()[0],
            mend="does each rule fit the type of its column?",
        ) from None


def _with_reasons(frame: pl.DataFrame, flags: pl.DataFrame, verdicts: Sequence[Verdict]) -> pl.DataFrame:
    """The rows with ``_reasons``: those that they came with, then the rules that set them aside."""
    import polars as pl

    nothing = pl.Series("_reasons", [None] * len(frame), pl.List(pl.String))
    before = frame["_reasons"] if "_reasons" in frame.columns else nothing
    reasons = [
        pl.when(flags[str(index)]).then(pl.lit(verdict.rule))
        for index, verdict in enumerate(verdicts) if verdict.on_fail == "quarantine" and verdict.failed
    ]  # fmt: skip
    frame = frame.with_columns(before.fill_null([]))
    if not reasons:
        return frame
    return frame.with_columns(_reasons=pl.concat_list("_reasons", pl.concat_list(reasons).list.drop_nulls()))


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


def rules_of(contract: Contract) -> tuple[RowRule, ...]:
    """The rules of a contract.

    Raises
    ------
    DeclarationError
        One is of a kind that cannot be checked.
    """
    found = []
    for rule in contract.rules:
        if not isinstance(rule, RowRule):
            raise rule.refuse("this kind of rule cannot be checked", mend="make it a noria.contracts.RowRule")
        found.append(rule)
    return tuple(found)


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
    wrong = frame.select("_row", *dict.fromkeys(columns))[flags.arg_true().head(_EXAMPLES)]
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
    kept: pl.DataFrame, rules: Sequence[RowRule], verdicts: Sequence[Verdict], subject: Subject
) -> pl.DataFrame:
    """The kept rows, mended in the order of the rules; what is set aside stays as it came."""
    fixes = [rule for rule, verdict in zip(rules, verdicts, strict=True) if verdict.on_fail == "fix" and verdict.failed]
    for rule in fixes:
        column = rule.columns[0]
        kept = kept.with_columns(rule.mended(subject).cast(kept.schema[column]).alias(column))
    if fixes:
        strict = [rule for rule in rules if rule.on_fail != "warn"]
        still = _flags(kept, strict, subject).sum().row(0)
        for rule, count in zip(strict, still, strict=True):
            if count:
                raise DataError(
                    f"{subject.place}: {count:,} rows that were mended break the rule '{rule.text}'",
                    value=", ".join(fix.text for fix in fixes),
                    mend="let the rules agree on what a right value is",
                )
    return kept


def typed(frame: pl.DataFrame, types: Mapping[str, Kind], place: str = "") -> pl.DataFrame:
    """Columns as the contract's types; a value that is not of its type becomes null and its row gets a reason.

    A value is of a type when nothing of it is lost: 3.0 is an int, 3.5 is none. The reasons stand in ``_reasons``, for
    `check` to quarantine by.
    """
    import polars as pl

    kinds, wrong = polars_kinds(frame.schema), []
    for column, kind in types.items():
        if column not in frame.columns or kinds.get(column) == kind:
            continue
        given = frame[column]
        if column not in kinds:
            raise DataError(f"{place}: the column '{column}' cannot be a {kind}", value=str(given.dtype))
        made = _cast(given, kinds[column], kind, place)
        bad = made.is_null() & given.is_not_null()
        if kinds[column] == "string" and kind == "float":
            bad |= made.is_infinite() & ~given.str.contains("(?i)inf")  # 1e400 is not infinity
        elif kinds[column] not in ("string", "null") and kind != "string":
            bad |= _cast(made, kind, kinds[column], place).ne_missing(given)
        if bad.any():
            made = made.to_frame().select(pl.when(~bad).then(pl.col(column)).alias(column)).to_series()
            shown = given.cast(pl.String)
            wrong.append(pl.when(bad).then(pl.format("{}" + type_reason(kind) + "{}", pl.lit(column), shown)))
        frame = frame.with_columns(made)
    if not wrong:
        return frame
    return frame.with_columns(_reasons=pl.concat_list(wrong).list.drop_nulls())


def type_reason(kind: str) -> str:
    """What stands between column and value in the reason of a value that is not of its type."""
    return f" is no {kind}: "


_SQL = {"float": "double precision", "int": "bigint", "bool": "boolean", "string": "text"}
_WHOLE = "CASE WHEN ABS({0}) <= 9007199254740992 AND FLOOR({0}) = {0} THEN CAST({0} AS bigint) END"


def _cast(values: pl.Series, given: Kind, kind: Kind, place: str) -> pl.Series:
    quoted = '"' + values.name.replace('"', '""') + '"'
    text = f"CAST({quoted} AS {_SQL.get(kind, kind)})"
    if (given, kind) == ("string", "int"):
        text = f"COALESCE({text}, {_WHOLE.format(f'CAST({quoted} AS double precision)')})"
    parsed = parse(text, place=f"{place}, contract.types.{values.name}")
    return values.to_frame().select(to_polars(parsed, {values.name: given}).alias(values.name)).to_series()
