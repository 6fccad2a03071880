"""Rules on a column of texts, and how texts are mended: declared one by one, done in that order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from noria.contracts.condition import RowRule, Subject
from noria.contracts.wants import quoted
from noria.declarations import OnFail

if TYPE_CHECKING:
    import polars as pl

TextMend = Literal["trim", "lower", "upper"]
TextMends = Annotated[
    tuple[TextMend, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
]
"""One mend or several: ``"trim"`` or ``["trim", "upper"]``."""


def mended_text(column: str, mends: Sequence[TextMend]) -> pl.Expr:
    """A column of texts, mended."""
    import polars as pl

    text = pl.col(column)
    for mend in mends:
        each = {"trim": text.str.strip_chars, "lower": text.str.to_lowercase, "upper": text.str.to_uppercase}
        text = each[mend]()
    return text


def refuse_lone_mend(on_fail: OnFail, mends: Sequence[object], name: str = "fix") -> None:
    """Raise a ValueError where a fix is asked for and not said, or said and not asked for."""
    if (on_fail == "fix") != bool(mends):
        raise ValueError(f"on_fail='fix' and {name}=… go together")


class TextRule(RowRule):
    """A rule on one column of texts; null passes. A kind says `right`."""

    column: str = Field(kw_only=False)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def right(self, column: str) -> str:
        """What is true or null of a right text, as a row expression."""
        raise NotImplementedError

    def condition(self, subject: Subject) -> str:
        self.needs(subject, self.column, "string")
        column = quoted(self.column)
        return f"{column} IS NULL" if subject.kinds[self.column] == "null" else self.right(column)
