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
    r"""The whole text matches a regular expression; null passes.

    Parameters
    ----------
    column : str
        A column of texts.
    pattern : str
        What all engines understand alike, as in row expressions: no look-around, no ``\1``.

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
        from noria.expressions import parse, to_polars

        self.needs(subject, self.column, "string")
        pattern, column = self.pattern.replace("'", "''"), self.column.replace('"', '""')
        whole = parse(f"REGEXP_LIKE(\"{column}\", '^(?:{pattern})$')", place=f"{self.written_at}, {subject.place}")
        return to_polars(whole, {self.column: "string"}).not_().fill_null(False)


def matches(column: str, pattern: str, *, on_fail: OnFail = "fail") -> Matches:
    """A rule: the whole text of a column matches a regular expression.

    Examples
    --------
    >>> matches("tailnum", "N[0-9A-Z]{1,5}", on_fail="warn")
    Matches(on_fail='warn', column='tailnum', pattern='N[0-9A-Z]{1,5}')
    """
    return Matches(column, pattern, on_fail=on_fail)
