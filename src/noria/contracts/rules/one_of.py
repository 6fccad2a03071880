"""one_of: a column's values come from a set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from noria.contracts.condition import RowRule, Subject, kind_of
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

        kinds: set[Kind] = {kind_of(value) for value in self.values}
        numbers: set[Kind] = {"int", "float"}
        if len(kinds) > 1 and kinds != numbers:
            raise self.refuse("the values are of several kinds", field="values", value=", ".join(sorted(kinds)))
        self.needs(subject, self.column, *sorted(kinds | numbers if kinds & numbers else kinds))
        values: list[object] = list(self.values)
        if subject.kinds[self.column] == "float":
            values = [float(value) for value in self.values]
        elif subject.kinds[self.column] == "int":
            values = [int(value) for value in self.values if value == int(value)]
        return pl.col(self.column).is_in(values).not_().fill_null(False)


def one_of(column: str, values: Iterable[bool | int | float | str], *, on_fail: OnFail = "fail") -> OneOf:
    """A rule: values of a column are among those given.

    Examples
    --------
    >>> one_of("origin", ["EWR", "JFK", "LGA"])
    OneOf(on_fail='fail', column='origin', values=('EWR', 'JFK', 'LGA'))
    """
    return OneOf(column, tuple(values), on_fail=on_fail)
