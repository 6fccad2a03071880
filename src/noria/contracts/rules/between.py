"""between: a column's values lie in a range."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, model_validator

from noria.contracts.condition import RowRule, Subject
from noria.contracts.facts import Fact
from noria.contracts.wants import literal, quoted
from noria.declarations import OnFail

if TYPE_CHECKING:
    import polars as pl


class Between(RowRule):
    """Values lie between two bounds, both included; null passes, NaN does not.

    With ``on_fail="fix"`` a value outside becomes the nearer bound, and NaN null.

    Parameters
    ----------
    column : str
        A column of numbers.
    low, high : float
        The bounds.

    Examples
    --------
    >>> between("distance", 50, 6000, on_fail="quarantine").text
    'distance between 50 and 6000'
    """

    proved_by: ClassVar[frozenset[str]] = frozenset({"bounds"})

    column: str = Field(kw_only=False)
    low: float | int = Field(kw_only=False)
    high: float | int = Field(kw_only=False)

    @model_validator(mode="after")
    def _a_range(self) -> Between:
        if self.low > self.high:
            raise ValueError(f"the lower bound {self.low} is above the upper bound {self.high}")
        return self

    @property
    def text(self) -> str:
        return f"{self.column} between {self.low} and {self.high}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def broken(self, subject: Subject) -> pl.Expr:
        import polars as pl

        self.needs(subject, self.column, "float", "int")
        if (
            self.on_fail == "fix"
            and subject.kinds[self.column] == "int"
            and math.ceil(self.low) > math.floor(self.high)
        ):
            raise self.refuse("no whole number lies between the bounds", field="low", value=self.text)
        return pl.col(self.column).is_between(self.low, self.high).not_().fill_null(False)

    def condition(self, subject: Subject) -> str:
        return f"{quoted(self.column)} BETWEEN {literal(self.low)} AND {literal(self.high)}"

    def proven(self, subject: Subject, fact: Fact) -> bool:
        return fact.empty or (fact.low is not None and self.low <= fact.low and fact.high <= self.high)

    def mended(self, subject: Subject) -> pl.Expr:
        import polars as pl

        if subject.kinds[self.column] == "int":
            return pl.col(self.column).clip(math.ceil(self.low), math.floor(self.high))
        return pl.col(self.column).fill_nan(None).clip(self.low, self.high)


def between(column: str, low: float, high: float, *, on_fail: OnFail = "fail", at_most: float | None = None) -> Between:
    """A rule: values of a column lie between two bounds, both included.

    Examples
    --------
    >>> between("wind_speed", 0, 120, on_fail="fix")
    Between(on_fail='fix', column='wind_speed', low=0, high=120)
    """
    return Between(column, low, high, on_fail=on_fail, at_most=at_most)
