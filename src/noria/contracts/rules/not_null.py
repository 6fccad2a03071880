"""not_null: a column has a value in every row."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, model_validator

from noria.contracts.condition import RowRule, Subject, kind_of
from noria.contracts.facts import Fact
from noria.contracts.wants import quoted
from noria.declarations import OnFail

if TYPE_CHECKING:
    import polars as pl


class NotNull(RowRule):
    """Every row has a value; NaN is one.

    With ``on_fail="fix"`` rows without a value get `fill`.

    Parameters
    ----------
    column : str
        A column.
    fill : bool, int, float or str, optional
        What stands for null where rows are fixed, of the column's kind.

    Examples
    --------
    >>> not_null("tailnum", on_fail="warn").text
    'tailnum is not null'
    """

    proved_by: ClassVar[frozenset[str]] = frozenset({"nulls"})

    column: str = Field(kw_only=False)
    fill: bool | int | float | str | None = None

    @model_validator(mode="after")
    def _fix_needs_fill(self) -> NotNull:
        if (self.on_fail == "fix") != (self.fill is not None):
            raise ValueError("on_fail='fix' and fill=… go together")
        return self

    @property
    def text(self) -> str:
        return f"{self.column} is not null"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def broken(self, subject: Subject) -> pl.Expr:
        import polars as pl

        if self.fill is not None:
            kind = kind_of(self.fill)
            self.needs(subject, self.column, kind, *(("float",) if kind == "int" else ()))
        return pl.col(self.column).is_null()

    def condition(self, subject: Subject) -> str:
        return f"{quoted(self.column)} IS NOT NULL"

    def proven(self, subject: Subject, fact: Fact) -> bool:
        return not fact.nulls

    def mended(self, subject: Subject) -> pl.Expr:
        import polars as pl

        return pl.col(self.column).fill_null(self.fill)


def not_null(
    column: str, *, on_fail: OnFail = "fail", at_most: float | None = None,
    fill: bool | int | float | str | None = None,
) -> NotNull:  # fmt: skip
    """A rule: a column has a value in every row, or in all but a share of them.

    Examples
    --------
    >>> not_null("tailnum", at_most=0.01).at_most
    0.01
    >>> not_null("tzone", on_fail="fix", fill="America/New_York")
    NotNull(on_fail='fix', column='tzone', fill='America/New_York')
    """
    return NotNull(column, fill=fill, on_fail=on_fail, at_most=at_most)
