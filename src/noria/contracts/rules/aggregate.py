"""aggregate: an expression of sums, means and counts of the table is true."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from noria.contracts.condition import Subject
from noria.contracts.table import Finding, Measure, Moment, TableRule, Totals
from noria.contracts.wants import Want, text_of
from noria.declarations import OnFail
from noria.expressions import Kind

if TYPE_CHECKING:
    from sqlglot import exp

_FUNCTIONS = ("sum", "mean", "avg", "min", "max", "count", "count_if")


class AggregateRule(TableRule):
    """An expression of aggregates of all rows is true or null.

    Aggregates are ``sum``, ``mean`` (``avg``), ``min``, ``max``, ``count(x)`` (of values that are not null),
    ``count(*)`` and ``count_if(condition)``, each of a row expression. Null is passed over; NaN is above all numbers.
    Sums of floats hang on the order of the rows in their last digits: compare them within a distance. Sums of whole
    numbers are exact, and one beyond 64 bits breaks the rule. No rows break no rule: ``Contract(rows=…)`` says how many
    there must be.

    Parameters
    ----------
    sql : str
        What is true of the table.

    Examples
    --------
    >>> aggregate("ABS(sum(debit) - sum(credit)) < 0.005").columns
    ('credit', 'debit')
    """

    sql: str = Field(kw_only=False)

    @property
    def text(self) -> str:
        return self.sql

    @property
    def columns(self) -> tuple[str, ...]:
        from noria.expressions import parse

        _, asked = self._taken_apart()
        place = self.written_at
        wants = [want for want, _ in asked.values() if want.how != "rows"]
        return tuple(sorted({column for want in wants for column in parse(want.text, place=place).columns}))

    def measure(self, subject: Subject, moment: Moment) -> Measure:
        from noria.expressions import parse, to_python

        outer, asked = self._taken_apart()
        names = {name: _kind(self, want, mean, subject) for name, (want, mean) in asked.items()}
        place = f"{self.written_at}, {subject.place}"
        whole = parse(outer, place=place)
        if (kind := whole.kind(names)) not in ("bool", "null"):
            raise self.refuse(
                "a rule needs an expression that is true or false", field="sql", value=f"{self.sql} is {kind}"
            )
        return _Aggregates(asked, to_python(whole, names))

    def _taken_apart(self) -> tuple[str, dict[str, tuple[Want, bool]]]:
        """The expression with a name for each aggregate, and what each is (and whether it is a mean)."""
        import sqlglot
        from sqlglot.errors import SqlglotError

        try:
            tree = sqlglot.parse_one(self.sql, read="postgres")
        except (SqlglotError, RecursionError) as error:
            raise self.refuse(
                "not an expression", field="sql", value=self.sql, mend=str(error).splitlines()[0]
            ) from None
        asked: dict[str, tuple[Want, bool]] = {}
        tree = tree.transform(lambda node: self._named(node, asked))
        if not asked:
            raise self.refuse(
                "there is no aggregate in it", field="sql", value=self.sql,
                mend=f"one of {', '.join(_FUNCTIONS)}; what is true of each row is expression(…)",
            )  # fmt: skip
        return tree.sql("postgres"), asked

    def _named(self, node: exp.Expression, asked: dict[str, tuple[Want, bool]]) -> exp.Expression:
        from sqlglot import exp

        found = _aggregate(node)
        if found is None:
            if isinstance(node, exp.AggFunc | exp.Window | exp.Subquery | exp.Select):
                raise self.refuse(
                    "this is no aggregate that a rule can have", field="sql", value=node.sql("postgres"),
                    mend="one of " + ", ".join(_FUNCTIONS),
                )  # fmt: skip
            return node
        text = self._inner(node) if found != "count_all" else "*"
        name = f"{found} {text}"
        how = {"mean": "sum", "count_all": "rows", "count_if": "true"}.get(found, found)
        asked[name] = Want(how, text, self.written_at), found == "mean"  # type: ignore[arg-type]
        return exp.column(name, quoted=True)

    def _inner(self, node: exp.Expression) -> str:
        from sqlglot import exp

        inner = node.expressions[0] if isinstance(node, exp.Anonymous) else node.this
        if isinstance(inner, exp.Distinct) or inner.find(exp.AggFunc) or not inner.find(exp.Column):
            raise self.refuse("an aggregate of this cannot be taken", field="sql", value=node.sql("postgres"))
        return str(inner.sql("postgres"))


def _aggregate(node: exp.Expression) -> str | None:
    from sqlglot import exp

    if isinstance(node, exp.Anonymous) and node.name.lower() == "mean" and len(node.expressions) == 1:
        return "mean"
    if isinstance(node, exp.Count):
        return "count_all" if isinstance(node.this, exp.Star) else "count"
    kinds: tuple[tuple[type[exp.Expression], str], ...] = (
        (exp.Sum, "sum"), (exp.Avg, "mean"), (exp.Min, "min"), (exp.Max, "max"), (exp.CountIf, "count_if"),
    )  # fmt: skip
    if getattr(node, "expressions", None) and isinstance(node, exp.Min | exp.Max):
        return None
    return next((name for kind, name in kinds if isinstance(node, kind)), None)


def _kind(rule: AggregateRule, want: Want, mean: bool, subject: Subject) -> Kind:
    if want.how == "rows":
        return "int"
    kind = want.kind(subject.kinds)
    wanted: tuple[Kind, ...] = ("int", "float") if want.how == "sum" else ("bool",) if want.how == "true" else ()
    if wanted and kind not in (*wanted, "null"):
        raise rule.refuse(
            f"an aggregate needs what is of kind {' or '.join(wanted)}", field="sql", value=f"{want.text} is {kind}"
        )
    if want.how in ("count", "true"):
        return "int"
    return "float" if mean else kind


class _Aggregates(Totals):
    """Sums, counts, least and greatest values; a mean is a sum and a count."""

    def __init__(self, asked: Mapping[str, tuple[Want, bool]], true: Callable[[Mapping[str, Any]], Any]):
        self._asked, self._true = asked, true
        wants = [want for want, _ in asked.values()]
        # How many values there are tells a sum of nothing, which is null, from a sum of zeros.
        counts = [want if want.how == "rows" else Want("count", want.text, want.place) for want in wants]
        super().__init__([*wants, *counts])

    def finding(self) -> Finding:
        if not self.rows:
            return Finding(False, "there are no rows")
        row: dict[str, Any] = {}
        counts = self.values[len(self._asked) :]
        for (name, (want, mean)), value, count in zip(self._asked.items(), self.values, counts, strict=False):
            if want.how == "sum":
                value = None if not count else value / count if mean else value
            elif want.how == "true":
                value = value or 0
            row[name] = value
        said = ", ".join(f"{_shown(name)} = {text_of(value)}" for name, value in row.items())
        if any(isinstance(value, int) and abs(value) >= 1 << 63 for value in row.values()):
            return Finding(True, f"{said}: beyond 64 bits")
        return Finding(self._true(row) is False, said)


def _shown(name: str) -> str:
    how, _, text = name.partition(" ")
    return f"{'count' if how == 'count_all' else how}({text})"


def aggregate(sql: str, *, on_fail: OnFail = "fail") -> AggregateRule:
    """A rule: an expression of sums, means, counts, least and greatest values of the table is true or null.

    Examples
    --------
    >>> aggregate("sum(sold) <= sum(bought) AND count(*) > 0", on_fail="warn")
    AggregateRule(on_fail='warn', sql='sum(sold) <= sum(bought) AND count(*) > 0')
    """
    return AggregateRule(sql, on_fail=on_fail)
