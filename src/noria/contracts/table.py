"""Rules about a table as a whole: no single row breaks one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import model_validator

from noria.contracts.condition import ContractRule, Subject
from noria.contracts.wants import Want, settled

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

    wants: Sequence[Want]
    """Aggregates of the rows; they are taken in the one pass."""

    columns: Sequence[str]
    """What it looks at row by row; nothing where the aggregates are all."""

    def observe(self, frame: pl.DataFrame, values: Sequence[Any]) -> None:
        """See the next rows (these columns of them), and the aggregates of them."""

    def seen(self, rows: int, values: Sequence[Any]) -> None:
        """Add the aggregates of so many rows: all that is called where there are no `columns`."""

    def finding(self) -> Finding:
        """Of all rows seen."""

    def memory(self) -> Mapping[str, Any]:
        """What the next load must know, as plain JSON; empty where it needs nothing."""


class Totals:
    """What measures have in common that want aggregates only: they merge, batch by batch.

    Parameters
    ----------
    wants : list of Want
        The aggregates.
    """

    columns: Sequence[str] = ()

    def __init__(self, wants: Sequence[Want]):
        self.wants, self.rows = wants, 0
        self.values: list[Any] = [None] * len(wants)

    def observe(self, frame: pl.DataFrame, values: Sequence[Any]) -> None:
        self.seen(len(frame), values)

    def seen(self, rows: int, values: Sequence[Any]) -> None:
        """Add what was wanted of some rows."""
        self.rows += rows
        merged = zip(self.wants, self.values, values, strict=True)
        self.values = [want.merged(old, settled(new)) for want, old, new in merged]

    def memory(self) -> Mapping[str, Any]:
        return {}


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
