"""Condition: what a rule becomes for one frame: an expression that says which rows are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.declarations import Rule
from noria.expressions import Kind

if TYPE_CHECKING:
    import polars as pl


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
        Tables of other sources, for rules that refer to them.
    """

    place: str
    kinds: Mapping[str, Kind]
    references: Mapping[str, pl.DataFrame]


class RowRule(Rule):
    """A rule that each row keeps or breaks.

    A kind says three things: `text`, the rule in words; `columns`, which it reads (the first is shown in examples); and
    `broken`, the rows that break it. One that can mend rows also says `mended`.
    """

    @property
    def text(self) -> str:
        """The rule as it is shown: ``distance between 50 and 6000``."""
        raise NotImplementedError

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        raise NotImplementedError

    def broken(self, subject: Subject) -> pl.Expr:
        """True for rows that break the rule, never null."""
        raise NotImplementedError

    def mended(self, subject: Subject) -> pl.Expr | None:
        """The first column mended, for ``on_fail="fix"``; None where the kind cannot mend."""
        return None
