"""Condition: what a rule becomes for rows: an expression that says which of them are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import field_validator

from noria.declarations import OnFail, Rule
from noria.expressions import Kind

if TYPE_CHECKING:
    import polars as pl

    from noria.contracts.facts import Fact


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule is compiled against.

    Attributes
    ----------
    place : str
        The source, for errors.
    kinds : mapping of str to Kind
        The columns of the rows.
    references : mapping of str to DataFrame
        Tables of other sources, for rules that refer to them; the columns of a source's key come first.
    """

    place: str
    kinds: Mapping[str, Kind]
    references: Mapping[str, pl.DataFrame]


class ContractRule(Rule):
    """A rule that can be checked: a `RowRule`, a `RowsRule` or a `TableRule`.

    A kind says at least two things: `text`, the rule in words, and `columns`, which it reads (the first is shown).
    """

    @property
    def text(self) -> str:
        """The rule as it is shown: ``distance between 50 and 6000``."""
        raise NotImplementedError

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        raise NotImplementedError

    @property
    def refers_to(self) -> tuple[str, ...]:
        """The names of the other sources whose tables it looks into: these are ingested first."""
        return ()

    def refuse_keys(self, keys: Mapping[str, tuple[str, ...]]) -> None:
        """Raise a DeclarationError where a source in `refers_to` lacks the key that the rule would look for.

        Parameters
        ----------
        keys : mapping of str to tuple of str
            Each of these sources to the key of its contract.
        """

    def needs(self, subject: Subject, column: str, *kinds: Kind) -> None:
        """Refuse a column of another kind; a column of nulls is of any."""
        kind = subject.kinds[column]
        if kind not in (*kinds, "null"):
            raise self.refuse(
                f"{subject.place}: the rule '{self.text}' needs a column of kind {' or '.join(kinds)}",
                field="column",
                value=f"{column} is {kind}",
                mend=f'say Contract(types={{"{column}": "{kinds[0]}"}}): values that are not of it are then set aside',
            )


class RowRule(ContractRule):
    """A rule that each row keeps or breaks by itself, whatever the other rows are.

    A kind also says `broken`, the rows that break it. One that can mend rows says `mended`. One that a column's nulls
    or bounds can prove says so in `proven`, with the facts that it needs in `proved_by`.
    """

    proved_by: ClassVar[frozenset[str]] = frozenset()
    """What `proven` looks at: ``"nulls"``, ``"bounds"``."""

    @field_validator("on_fail")
    @classmethod
    def _fix_is_possible(cls, value: OnFail) -> OnFail:
        if value == "fix" and cls.mended is RowRule.mended:
            raise ValueError("this kind of rule cannot mend a row: 'fail', 'quarantine' or 'warn'")
        return value

    def condition(self, subject: Subject) -> str:
        """What is true or null of a right row, as a row expression: all that a kind without `broken` must say."""
        raise self.refuse(f"the rule '{self.text}' can be checked in Polars only", mend="engine='polars'")

    def broken(self, subject: Subject) -> pl.Expr:
        """True for rows that break the rule, never null."""
        from noria.expressions import parse, to_polars

        parsed = parse(self.condition(subject), place=f"{self.written_at}, {subject.place}")
        return to_polars(parsed, subject.kinds).not_().fill_null(False)

    def broken_sql(self, subject: Subject, dialect: str) -> str:
        """The same for a database, from `condition` unless a kind says it."""
        from noria.expressions import parse, to_sql

        parsed = parse(self.condition(subject), place=f"{self.written_at}, {subject.place}")
        return f"COALESCE(NOT {to_sql(parsed, subject.kinds, dialect)}, FALSE)"

    def proven(self, subject: Subject, fact: Fact) -> bool:
        """Whether what is known of the first column shows that no row breaks the rule."""
        return False

    def mended(self, subject: Subject) -> pl.Expr:
        """The first column mended, for ``on_fail="fix"``; a row that still breaks the rule is set aside."""
        raise NotImplementedError


def columns_of(rule: Rule) -> tuple[str, ...]:
    """The columns that a rule reads, as far as it says so: one of another library's may not."""
    return rule.columns if isinstance(rule, ContractRule) else ()


def kind_of(value: object) -> Kind:
    """The kind of a value in a declaration."""
    for kind, of in (("bool", bool), ("int", int), ("float", float)):
        if isinstance(value, of):
            return kind  # type: ignore[return-value]
    return "string"
