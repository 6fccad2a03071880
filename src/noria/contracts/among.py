"""Rules on rows among each other: whether a row breaks one hangs on the rows that came before it, or on all."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from pydantic import field_validator

from noria.contracts.condition import ContractRule, Subject
from noria.declarations import OnFail

if TYPE_CHECKING:
    import polars as pl


class Watch(Protocol):
    """What a rule remembers of the rows that it has seen, so that they can come in batches.

    Every batch is observed, in order. Then each is asked for again, in the same order: where `streams`, that may be
    before the next one is observed. One thread at a time.
    """

    streams: bool
    """Whether a row's fate hangs on no row after it."""

    def observe(self, frame: pl.DataFrame) -> None:
        """See the next rows."""

    def count(self) -> int:
        """How many of the rows seen break the rule."""

    def broken(self, frame: pl.DataFrame) -> pl.Series | None:
        """Which rows of the next batch break the rule; None where none does."""


def flags_at(rows: pl.Series, size: int) -> pl.Series:
    """True at these places of a batch of so many rows."""
    import polars as pl

    return pl.Series([False]).new_from_index(0, size).scatter(rows, True)


class RowsRule(ContractRule):
    """A rule that a row keeps or breaks among the other rows.

    A kind says `watch`: it holds what must be remembered of rows. Its memory is said in the kind's docstring.
    """

    drops: ClassVar[bool] = False
    """Whether ``on_fail="fix"`` drops the rows that break it: they are counted, and stand nowhere."""

    @field_validator("on_fail")
    @classmethod
    def _fix_is_possible(cls, value: OnFail) -> OnFail:
        if value == "fix" and not cls.drops:
            raise ValueError("this kind of rule cannot mend a row: 'fail', 'quarantine' or 'warn'")
        return value

    def watch(self, subject: Subject) -> Watch:
        """A fresh memory of no rows."""
        raise NotImplementedError

    def broken_sql(self, subject: Subject, dialect: str) -> str:
        """True for rows that break the rule, never null, in a query that may have windows; ``_row`` is the order."""
        raise self.refuse(f"the rule '{self.text}' can be checked in Polars only", mend="engine='polars'")
