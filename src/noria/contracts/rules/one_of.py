"""one_of: a column's values come from a set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from noria.contracts.condition import RowRule, Subject
from noria.declarations import OnFail

if TYPE_CHECKING:
    import polars as pl


class OneOf(RowRule):
    """Values are among those given; null passes.

    Examples
    --------
    >>> one_of("origin", ["EWR", "JFK"]).text
    'origin is one of EWR, JFK'
    """

    column: str = Field(kw_only=False)
    values: tuple[bool | int | float | str, ...] = Field(kw_only=False, min_length=1)

    @property
    def text(self) -> str:
        return f"{self.column} is one of {', '.join(str(value) for value in self.values)}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def broken(self, subject: Subject) -> pl.Expr:
        import polars as pl

        return pl.col(self.column).is_in(list(self.values)).not_().fill_null(False)


def one_of(column: str, values: Iterable[bool | int | float | str], *, on_fail: OnFail = "fail") -> OneOf:
    """A rule: values of a column are among those given."""
    return OneOf(column, tuple(values), on_fail=on_fail)
