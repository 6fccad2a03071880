"""Contract: what the rows of a source must be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, SerializeAsAny, field_validator

from noria.declarations.declaration import Declaration, Micros, Names

OnFail = Literal["fail", "quarantine", "fix", "warn"]


class Rule(Declaration):
    """One thing that rows must be. Kinds and their behaviour live in `noria.contracts`, one file each.

    Parameters
    ----------
    on_fail : str
        What becomes of a row that is not so: ``"fail"`` ends the run, ``"quarantine"`` sets the row aside with its
        reason, ``"fix"`` mends it where the rule can, ``"warn"`` counts it and lets it pass.
    at_most : float or int, optional
        How many rows may break the rule before `on_fail` applies: a share (0.001) or a count (10). Up to that many are
        kept as they are and counted as tolerated; with one more, `on_fail` applies to all of them.
    """

    on_fail: OnFail = "fail"
    at_most: int | float | None = None

    @field_validator("at_most")
    @classmethod
    def _a_share_or_a_count(cls, value: int | float | None) -> int | float | None:
        if value is not None and (value < 0 or (isinstance(value, float) and value > 1)):
            raise ValueError("a share of the rows from 0.0 to 1.0, or a count")
        return value

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        return ((name, value) for name, value in super().__repr_args__() if (name, value) != ("at_most", None))


class Contract(Declaration):
    """What the rows of a source must be, checked in one pass before they enter the lake.

    Parameters
    ----------
    key : str or list of str, optional
        Columns that identify a row: never null, never repeated (repeated rows after the first are quarantined).
    rules : list of Rule
        See `noria.contracts`.
    types : dict, optional
        Column to type: ``{"flight": "int", "time_hour": "timestamp"}``. A value that is not of the type quarantines its
        row. Types: ``bool, int, float, string, date, timestamp``. A column that is not listed keeps the type that it is
        read as.
    rows : (int, int), optional
        Fewest and most rows of the whole table; outside, the run fails.
    max_age : duration, optional
        How old the last good load may be for a run to go on with it while the source is down; without it, a source
        that is down ends the run.
    """

    key: Names = ()
    rules: tuple[SerializeAsAny[Rule], ...] = ()
    types: dict[str, Literal["bool", "int", "float", "string", "date", "timestamp"]] = Field(default_factory=dict)
    rows: tuple[int, int] | None = None
    max_age: Micros | None = None

    @field_validator("rows")
    @classmethod
    def _in_order(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not 0 <= value[0] <= value[1]:
            raise ValueError("the fewest rows first, then the most: (300_000, 400_000)")
        return value

    def __hash__(self) -> int:
        return hash((self.key, self.rules, tuple(self.types.items()), self.rows, self.max_age))
