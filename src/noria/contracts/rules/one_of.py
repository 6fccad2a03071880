"""one_of: a column's values come from a set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from noria.contracts.condition import RowRule, Subject, kind_of
from noria.contracts.texts import TextMend, TextMends, mended_text, refuse_lone_mend
from noria.contracts.wants import literal, quoted
from noria.declarations import OnFail
from noria.expressions import Kind

if TYPE_CHECKING:
    import polars as pl


class OneOf(RowRule):
    """Values are among those given; null passes.

    Parameters
    ----------
    column : str
        A column of texts, numbers or truths.
    values : list
        What there may be, all of one kind.
    fix : str or list of str, optional
        How texts that break the rule are mended where ``on_fail="fix"``: ``"trim"``, ``"lower"``, ``"upper"``, in that
        order; what then still breaks it is set aside.

    Examples
    --------
    >>> one_of("origin", ["EWR", "JFK"]).text
    'origin is one of EWR, JFK'
    """

    column: str = Field(kw_only=False)
    values: tuple[bool | int | float | str, ...] = Field(kw_only=False, min_length=1)
    fix: TextMends = ()

    @model_validator(mode="after")
    def _fix_is_said(self) -> OneOf:
        refuse_lone_mend(self.on_fail, self.fix)
        return self

    @property
    def text(self) -> str:
        return f"{self.column} is one of {', '.join(str(value) for value in self.values)}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def broken(self, subject: Subject) -> pl.Expr:
        import polars as pl

        return pl.col(self.column).is_in(self._values(subject)).not_().fill_null(False)

    def condition(self, subject: Subject) -> str:
        values = self._values(subject)
        if not values or subject.kinds[self.column] == "null":
            return f"{quoted(self.column)} IS NULL"
        return f"{quoted(self.column)} IN ({', '.join(literal(value) for value in values)})"

    def _values(self, subject: Subject) -> list[bool | int | float | str]:
        """The values in the column's kind; those that it cannot have are left out."""
        kinds: set[Kind] = {kind_of(value) for value in self.values}
        numbers: set[Kind] = {"int", "float"}
        if len(kinds) > 1 and kinds != numbers:
            raise self.refuse("the values are of several kinds", field="values", value=", ".join(sorted(kinds)))
        self.needs(subject, self.column, *sorted(kinds | numbers if kinds & numbers else kinds))
        if subject.kinds[self.column] == "float":
            return [float(value) for value in self.values]
        if subject.kinds[self.column] == "int":
            return [int(value) for value in self.values if value == int(value)]
        return list(self.values)

    def mended(self, subject: Subject) -> pl.Expr:
        self.needs(subject, self.column, "string")
        return mended_text(self.column, self.fix)


def one_of(
    column: str, values: Iterable[bool | int | float | str], *, on_fail: OnFail = "fail", at_most: float | None = None,
    fix: TextMend | Iterable[TextMend] = (),
) -> OneOf:  # fmt: skip
    """A rule: values of a column are among those given.

    Examples
    --------
    >>> one_of("origin", ["EWR", "JFK", "LGA"], on_fail="fix", fix=["trim", "upper"]).fix
    ('trim', 'upper')
    >>> one_of("origin", ["EWR", "JFK", "LGA"])
    OneOf(on_fail='fail', column='origin', values=('EWR', 'JFK', 'LGA'), fix=())
    """
    return OneOf(column, values, on_fail=on_fail, at_most=at_most, fix=fix)
