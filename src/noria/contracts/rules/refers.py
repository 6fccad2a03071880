"""refers: a column's values stand in another source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from noria.contracts.condition import RowRule, Subject
from noria.contracts.wants import quoted
from noria.declarations import OnFail
from noria.expressions import dtype_of, polars_kinds

if TYPE_CHECKING:
    import polars as pl


class Refers(RowRule):
    """Values stand in a column of another source's table; null passes.

    The other source must be one that the project reads: in its spine, its features or its references.

    Parameters
    ----------
    column : str
        A column.
    to : str
        The name of the other source.
    key : str, optional
        The column there; by default the one key of its contract.

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

    @property
    def refers_to(self) -> tuple[str, ...]:
        return (self.to,)

    def refuse_keys(self, keys: Mapping[str, tuple[str, ...]]) -> None:
        if self.key is None and len(keys[self.to]) != 1:
            raise self.refuse(
                f"'{self.to}' has no single key to refer to",
                field="key",
                value=", ".join(keys[self.to]) or "no key in its contract",
                mend="say which column is meant: key=…",
            )

    def broken(self, subject: Subject) -> pl.Expr:
        import polars as pl

        table = subject.references[self.to]
        key = self.key or table.columns[0]
        if key not in table.columns:
            raise self.refuse(
                f"'{self.to}' has no such column", field="key", value=key, mend="one of " + ", ".join(table.columns)
            )
        kind = polars_kinds(table.schema)[key]
        if kind == "null" or subject.kinds[self.column] == "null":
            return pl.col(self.column).is_not_null()
        self.needs(subject, self.column, kind)
        known = pl.lit(table[key].unique().cast(dtype_of(kind))).implode()
        return pl.col(self.column).cast(dtype_of(kind)).is_in(known).not_().fill_null(False)

    def broken_sql(self, subject: Subject, dialect: str) -> str:
        column, table = quoted(self.column), subject.references[self.to]
        key = quoted(self.key or table.columns[0])
        there = f"SELECT {key} FROM {quoted(f'reference {self.to}')} WHERE {key} IS NOT NULL"
        return f"({column} IS NOT NULL AND {column} NOT IN ({there}))"


def refers(
    column: str, *, to: str, key: str | None = None, on_fail: OnFail = "fail", at_most: float | None = None
) -> Refers:
    """A rule: values of a column stand in another source's table.

    Examples
    --------
    >>> refers("tailnum", to="planes", on_fail="warn")
    Refers(on_fail='warn', column='tailnum', to='planes', key=None)
    """
    return Refers(column, to=to, key=key, on_fail=on_fail, at_most=at_most)
