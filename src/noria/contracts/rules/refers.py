"""refers: a column's values stand in another source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from noria.contracts.condition import RowRule, Subject
from noria.declarations import OnFail

if TYPE_CHECKING:
    import polars as pl


class Refers(RowRule):
    """Values stand in a column of another source's table, by default in its one key; null passes.

    Examples
    --------
    >>> refers("tailnum", to="planes").text
    'tailnum stands in planes'
    """

    column: str = Field(kw_only=False)
    to: str
    key: str | None = None

    @property
    def text(self) -> str:
        return f"{self.column} stands in {self.to}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def broken(self, subject: Subject) -> pl.Expr:
        import polars as pl

        table = subject.references[self.to]
        key = self.key or table.columns[0]
        if key not in table.columns:
            raise self.refuse(
                f"'{self.to}' has no such column", field="key", value=key, mend="one of " + ", ".join(table.columns)
            )
        known = pl.lit(table[key].unique()).implode()
        return pl.col(self.column).is_in(known).not_().fill_null(False)


def refers(column: str, *, to: str, key: str | None = None, on_fail: OnFail = "fail") -> Refers:
    """A rule: values of a column stand in another source's table."""
    return Refers(column, to=to, key=key, on_fail=on_fail)
