"""between: a column's values lie in a range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from noria.contracts.condition import RowRule, Subject
from noria.declarations import OnFail

if TYPE_CHECKING:
    import polars as pl


class Between(RowRule):
    """Values lie between two bounds, both included; null passes, NaN does not. ``fix`` clips.

    Examples
    --------
    >>> between("distance", 50, 6000, on_fail="quarantine").text
    'distance between 50 and 6000'
    """

    column: str = Field(kw_only=False)
    low: float | int = Field(kw_only=False)
    high: float | int = Field(kw_only=False)

    @property
    def text(self) -> str:
        return f"{self.column} between {self.low:g} and {self.high:g}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def broken(self, subject: Subject) -> pl.Expr:
        import polars as pl

        if subject.kinds[self.column] not in ("int", "float", "null"):
            raise self.refuse(
                "between needs a column of numbers",
                field="column",
                value=f"{self.column} is {subject.kinds[self.column]}",
            )
        return pl.col(self.column).is_between(self.low, self.high).not_().fill_null(False)

    def mended(self, subject: Subject) -> pl.Expr:
        import polars as pl

        return pl.col(self.column).clip(self.low, self.high)


def between(column: str, low: float, high: float, *, on_fail: OnFail = "fail") -> Between:
    """A rule: values of a column lie between two bounds, both included."""
    return Between(column, low, high, on_fail=on_fail)
