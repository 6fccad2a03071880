"""length: a column's texts are so long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from noria.contracts.condition import Subject
from noria.contracts.texts import TextMend, TextMends, TextRule, mended_text, refuse_lone_mend
from noria.declarations import OnFail

if TYPE_CHECKING:
    import polars as pl


class Length(TextRule):
    """Texts have so many characters; null passes.

    Parameters
    ----------
    column : str
        A column of texts.
    low, high : int, optional
        Fewest and most characters, both included; None is no bound.
    fix : str or list of str, optional
        How texts that break the rule are mended where ``on_fail="fix"``: ``"trim"``, ``"lower"``, ``"upper"``, in that
        order; what then still breaks it is set aside.

    Examples
    --------
    >>> length("carrier", 2, 3).text
    'carrier is 2 to 3 characters long'
    """

    low: int | None = Field(default=None, ge=0, kw_only=False)
    high: int | None = Field(default=None, ge=0, kw_only=False)
    fix: TextMends = ()

    @model_validator(mode="after")
    def _bounds_and_fix(self) -> Length:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"the lower bound {self.low} is above the upper bound {self.high}")
        refuse_lone_mend(self.on_fail, self.fix)
        return self

    @property
    def text(self) -> str:
        if self.high is None:
            return f"{self.column} is at least {self.low or 0} characters long"
        return f"{self.column} is {self.low or 0} to {self.high} characters long"

    def right(self, column: str) -> str:
        size = f"LENGTH({column})"
        low = f"{size} >= {self.low or 0}"
        return low if self.high is None else f"{low} AND {size} <= {self.high}"

    def mended(self, subject: Subject) -> pl.Expr:
        return mended_text(self.column, self.fix)


def length(
    column: str, low: int | None = None, high: int | None = None, *, on_fail: OnFail = "fail",
    at_most: float | None = None, fix: TextMend | Iterable[TextMend] = (),
) -> Length:  # fmt: skip
    """A rule: texts of a column have so many characters.

    Examples
    --------
    >>> length("carrier", 2, 2, on_fail="quarantine")
    Length(on_fail='quarantine', column='carrier', low=2, high=2, fix=())
    """
    return Length(column, low, high, on_fail=on_fail, at_most=at_most, fix=fix)
