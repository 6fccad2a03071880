"""expression: a row expression is true."""

from __future__ import annotations

from pydantic import Field

from noria.contracts.condition import RowRule, Subject
from noria.declarations import OnFail


class ExpressionRule(RowRule):
    """A row expression (SQL) is true or null in every row.

    Parameters
    ----------
    sql : str
        What is true of a right row; it may read derived columns.

    Examples
    --------
    >>> expression("arrived > departed").text
    'arrived > departed'
    """

    sql: str = Field(kw_only=False)

    @property
    def text(self) -> str:
        return self.sql

    @property
    def columns(self) -> tuple[str, ...]:
        from noria.expressions import parse

        return tuple(sorted(parse(self.sql, place=self.written_at).columns))

    def condition(self, subject: Subject) -> str:
        from noria.expressions import parse

        parsed = parse(self.sql, place=f"{self.written_at}, {subject.place}")
        if (kind := parsed.kind(subject.kinds)) not in ("bool", "null"):
            raise self.refuse(
                "a rule needs an expression that is true or false", field="sql", value=f"{self.sql} is {kind}"
            )
        if not parsed.columns:
            raise self.refuse("a rule needs an expression that reads a column", field="sql", value=self.sql)
        return self.sql


def expression(sql: str, *, on_fail: OnFail = "fail", at_most: float | None = None) -> ExpressionRule:
    """A rule: a row expression is true or null in every row.

    Examples
    --------
    >>> expression("arrived > departed", on_fail="quarantine")
    ExpressionRule(on_fail='quarantine', sql='arrived > departed')
    """
    return ExpressionRule(sql, on_fail=on_fail, at_most=at_most)
