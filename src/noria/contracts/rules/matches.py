"""matches: a column's texts have a form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field, field_validator, model_validator

from noria.contracts.condition import Subject
from noria.contracts.texts import TextMend, TextMends, TextRule, mended_text, refuse_lone_mend
from noria.contracts.wants import literal
from noria.declarations import OnFail

if TYPE_CHECKING:
    import polars as pl


class Matches(TextRule):
    r"""The whole text matches a regular expression; null passes.

    Parameters
    ----------
    column : str
        A column of texts.
    pattern : str
        What all engines understand alike, as in row expressions: no look-around, no ``\1``.
    fix : str or list of str, optional
        How texts that break the rule are mended where ``on_fail="fix"``: ``"trim"``, ``"lower"``, ``"upper"``, in that
        order; what then still breaks it is set aside.

    Examples
    --------
    >>> matches("tailnum", "N[0-9A-Z]{1,5}").text
    'tailnum matches N[0-9A-Z]{1,5}'
    """

    pattern: str = Field(kw_only=False)
    fix: TextMends = ()

    @model_validator(mode="after")
    def _fix_is_said(self) -> Matches:
        refuse_lone_mend(self.on_fail, self.fix)
        return self

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

    def right(self, column: str) -> str:
        return f"REGEXP_LIKE({column}, {literal(f'^(?:{self.pattern})$')})"

    def mended(self, subject: Subject) -> pl.Expr:
        return mended_text(self.column, self.fix)


def matches(
    column: str, pattern: str, *, on_fail: OnFail = "fail", at_most: float | None = None,
    fix: TextMend | Iterable[TextMend] = (),
) -> Matches:  # fmt: skip
    """A rule: the whole text of a column matches a regular expression.

    Examples
    --------
    >>> matches("tailnum", "N[0-9A-Z]{1,5}", on_fail="warn")
    Matches(on_fail='warn', column='tailnum', pattern='N[0-9A-Z]{1,5}', fix=())
    """
    return Matches(column, pattern, on_fail=on_fail, at_most=at_most, fix=fix)
