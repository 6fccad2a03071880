"""Rules about a table as a whole: no single row breaks one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import model_validator

from noria.contracts.condition import ContractRule, Subject

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule about a table found: whether it is broken, and in words by what; those are told in any case."""

    broken: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Moment:
    """What a rule about a table knows beside the rows.

    Attributes
    ----------
    now : datetime
        The time, in UTC.
    memory : mapping
        What the same rule remembered after the load before; empty at the first.
    """

    now: datetime
    memory: Mapping[str, Any]


class Measure(Protocol):
    """What a rule has measured of the rows so far: partial results, merged batch by batch."""

    wants: Sequence[pl.Expr]
    """Aggregates of the rows, each giving one value; they are taken in the one pass."""

    def observe(self, frame: pl.DataFrame, values: Sequence[Any]) -> None:
        """See the next rows, and what was wanted of them."""

    def finding(self) -> Finding:
        """Of all rows seen."""

    def memory(self) -> Mapping[str, Any]:
        """What the next load must know, as plain JSON; empty where it needs nothing."""


class TableRule(ContractRule):
    """A rule about the table as a whole: ``on_fail`` is ``"fail"`` or ``"warn"``, for no rows can be set aside."""

    @model_validator(mode="after")
    def _no_consequence_for_rows(self) -> TableRule:
        if self.on_fail not in ("fail", "warn"):
            raise ValueError("this rule is about the table, not about rows: on_fail is 'fail' or 'warn'")
        if self.at_most is not None:
            raise ValueError("this rule is about the table, not about rows: it has no at_most")
        return self

    def measure(self, subject: Subject, moment: Moment) -> Measure:
        """A fresh measure of no rows."""
        raise NotImplementedError
