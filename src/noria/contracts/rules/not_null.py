"""not_null: a column has a value in every row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from noria.contracts.condition import RowRule, Subject
from noria.declarations import OnFail

if TYPE_CHECKING:
    import polars as pl


class NotNull(RowRule):
    """Every row has a value. ``fix`` fills with `fill`.

    Examples
    --------
    >>> not_null("tailnum", on_fail="warn").text
    'tailnum is not null'
    """

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

        return pl.col(self.column).is_null()

    def mended(self, subject: Subject) -> pl.Expr:
        import polars as pl

        return pl.col(self.column).fill_null(self.fill)


def not_null(column: str, *, on_fail: OnFail = "fail", fill: bool | int | float | str | None = None) -> NotNull:
    """A rule: a column has a value in every row."""
    return NotNull(column, fill=fill, on_fail=on_fail)
