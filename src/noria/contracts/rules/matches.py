"""matches: a column's texts have a form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from noria.contracts.condition import RowRule, Subject
from noria.declarations import OnFail

if TYPE_CHECKING:
    import polars as pl


class Matches(RowRule):
    """The whole text matches a regular expression; null passes.

    Examples
    --------
    >>> matches("tailnum", "N[0-9A-Z]{1,5}").text
    'tailnum matches N[0-9A-Z]{1,5}'
    """

    column: str = Field(kw_only=False)
    pattern: str = Field(kw_only=False)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return value

    @property
    def text(self) -> str:
        return f"{self.column} matches {self.pattern}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def broken(self, subject: Subject) -> pl.Expr:
        import polars as pl

        if subject.kinds[self.column] not in ("string", "null"):
            raise self.refuse(
                "matches needs a column of texts",
                field="column",
                value=f"{self.column} is {subject.kinds[self.column]}",
            )
        return pl.col(self.column).cast(pl.String).str.contains(f"^(?:{self.pattern})$").not_().fill_null(False)


def matches(column: str, pattern: str, *, on_fail: OnFail = "fail") -> Matches:
    """A rule: the whole text of a column matches a regular expression."""
    return Matches(column, pattern, on_fail=on_fail)
