"""distribution: a column's values are spread as they were elsewhere, or before."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from noria.contracts.condition import Subject
from noria.contracts.table import Finding, Measure, Moment, TableRule, Totals
from noria.contracts.wants import Want, literal, quoted
from noria.declarations import OnFail
from noria.expressions import polars_kinds

if TYPE_CHECKING:
    import polars as pl

Method = Literal["psi", "ks"]
_MOST: dict[Method, float] = {"psi": 0.2, "ks": 0.1}
_BINS: dict[Method, int] = {"psi": 10, "ks": 50}
_CATEGORIES, _SAMPLE, _LEAST = 20, 20_000, 1e-4


class Distribution(TableRule):
    """Values are spread as in a column of another source, or as in the first load since the rule was declared.

    Numbers are counted between quantiles of the reference (10 for ``psi``, 50 for ``ks``), texts and truths by the 20
    most frequent values of the reference and the rest; null is a value of its own. Of a first load, 20,000 rows are
    sampled (the same each time) and told to later ones; the rule then holds, and says so.

    Parameters
    ----------
    column : str
        A column of numbers, texts or truths.
    to : str, optional
        The name of the other source.
    there : str, optional
        Its column; by default of the same name.
    method : str
        ``"psi"``: the population stability index; ``"ks"``: the greatest distance of the two cumulative distributions,
        of numbers only.
    most : float, optional
        The greatest value that passes; by default 0.2 for ``psi``, 0.1 for ``ks``.

    Examples
    --------
    >>> distribution("fare", to="fares_2024").text
    'fare is spread as in fares_2024 (psi at most 0.2)'
    """

    column: str = Field(kw_only=False)
    to: str | None = None
    there: str | None = None
    method: Method = "psi"
    most: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _there_of_another(self) -> Distribution:
        if self.there is not None and self.to is None:
            raise ValueError("there=… is a column of another source: to=…")
        return self

    @property
    def text(self) -> str:
        where = f"in {self.to}" if self.to is not None else "before"
        return f"{self.column} is spread as {where} ({self.method} at most {self._most:g})"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def refers_to(self) -> tuple[str, ...]:
        return (self.to,) if self.to is not None else ()

    @property
    def _most(self) -> float:
        return self.most if self.most is not None else _MOST[self.method]

    def measure(self, subject: Subject, moment: Moment) -> Measure:
        self.needs(subject, self.column, "float", "int", *(("string", "bool") if self.method == "psi" else ()))
        bins = _BINS[self.method]
        if self.to is not None:
            return _Spread(self, _summary(self._of_reference(subject, self.to), bins), remembered=False)
        if moment.memory:
            return _Spread(self, Summary(**moment.memory), remembered=True)
        return _First(self, bins)

    def _of_reference(self, subject: Subject, to: str) -> pl.Series:
        table, name = subject.references[to], self.there or self.column
        kind = polars_kinds(table.schema).get(name)
        numbers = {"int", "float"}
        here = subject.kinds[self.column]
        if kind is None or not (kind == here or {kind, here} <= numbers or "null" in (kind, here)):
            raise self.refuse(
                f"'{to}' has no such column of kind {here}", field="there", value=f"{name}: {kind or 'not there'}",
                mend="one of " + ", ".join(table.columns),
            )  # fmt: skip
        return table[name]


@dataclass(frozen=True, slots=True)
class Summary:
    """A distribution: bounds or categories, and the share of rows in each bin; the last bin is of nulls."""

    edges: Sequence[float]
    categories: Sequence[Any]
    shares: Sequence[float]


def _summary(values: pl.Series, bins: int) -> Summary:
    """Of a column, as bins that a want can count."""
    import polars as pl

    nulls, size = values.null_count(), max(len(values), 1)
    values = values.drop_nulls()
    if values.dtype.is_numeric():
        numbers = values.cast(pl.Float64)
        finite = numbers.filter(numbers.is_finite())
        cuts = [finite.quantile(number / bins, "nearest") for number in range(1, bins)] if len(finite) else []
        edges = sorted({float(cut) for cut in cuts if cut is not None})
        below = [int((numbers <= edge).sum()) for edge in edges]
        counts = [after - before for before, after in pairwise([0, *below, len(values)])]
        return Summary(edges, [], [count / size for count in (*counts, nulls)])
    top = values.cast(pl.String).value_counts().sort("count", values.name, descending=[True, False]).head(_CATEGORIES)
    categories = top[values.name].to_list()
    if values.dtype == pl.Boolean:
        categories = [category == "true" for category in categories]
    counts = [*top["count"].to_list(), len(values) - int(top["count"].sum())]
    return Summary([], categories, [count / size for count in (*counts, nulls)])


class _Spread(Totals):
    """How many rows lie in each bin of the reference."""

    def __init__(self, rule: Distribution, reference: Summary, *, remembered: bool):
        self._rule, self._reference, self._remembered = rule, reference, remembered
        column = quoted(rule.column)
        bins = [f"{column} <= {edge!r}" for edge in reference.edges]
        bins += [f"{column} = {literal(category)}" for category in reference.categories]
        super().__init__([Want("true", text, rule.written_at) for text in (*bins, f"{column} IS NULL")])

    def finding(self) -> Finding:
        if not self.rows:
            return Finding(False, "there are no rows")
        *counts, nulls = [value or 0 for value in self.values]
        values = self.rows - nulls
        if self._reference.edges:
            counts = [after - before for before, after in pairwise([0, *counts, values])]
        else:
            counts = [*counts, values - sum(counts)]
        shares = [count / self.rows for count in (*counts, nulls)]
        found = (
            _psi(self._reference.shares, shares) if self._rule.method == "psi" else _ks(self._reference.shares, shares)
        )
        return Finding(found > self._rule._most, f"{self._rule.method} {found:.3g}, at most {self._rule._most:g}")

    def memory(self) -> Mapping[str, Any]:
        return asdict(self._reference) if self._remembered else {}


class _First:
    """The first load: a sample of it is what later ones are compared with."""

    wants: Sequence[Want] = ()

    def __init__(self, rule: Distribution, bins: int):
        self._rule, self._bins = rule, bins
        self.columns: Sequence[str] = ("_row", rule.column)
        self._sample: pl.DataFrame | None = None

    def observe(self, frame: pl.DataFrame, values: Sequence[Any]) -> None:
        import polars as pl

        drawn = frame.select(value=pl.col(self._rule.column), order=pl.col("_row").cast(pl.Int64).hash(7))
        drawn = drawn.bottom_k(_SAMPLE, by="order")
        parts = [drawn] if self._sample is None else [self._sample, drawn]
        self._sample = pl.concat(parts, how="vertical_relaxed").bottom_k(_SAMPLE, by="order")

    def seen(self, rows: int, values: Sequence[Any]) -> None:
        """Aggregates alone are no sample."""

    def finding(self) -> Finding:
        return Finding(False, "the first load: later ones are compared with it")

    def memory(self) -> Mapping[str, Any]:
        if self._sample is None or not len(self._sample):
            return {}
        return asdict(_summary(self._sample["value"], self._bins))


def _psi(before: Sequence[float], after: Sequence[float]) -> float:
    pairs = [(max(one, _LEAST), max(two, _LEAST)) for one, two in zip(before, after, strict=True)]
    return sum((two - one) * math.log(two / one) for one, two in pairs)


def _ks(before: Sequence[float], after: Sequence[float]) -> float:
    return max(abs(one - two) for one, two in zip(accumulate(before), accumulate(after), strict=True))


def distribution(
    column: str, *, to: str | None = None, there: str | None = None, method: Method = "psi", most: float | None = None,
    on_fail: OnFail = "fail",
) -> Distribution:  # fmt: skip
    """A rule: values of a column are spread as in another source, or as in the first load.

    Examples
    --------
    >>> distribution("fare", method="ks", on_fail="warn")
    Distribution(on_fail='warn', column='fare', to=None, there=None, method='ks', most=None)
    """
    return Distribution(column, to=to, there=there, method=method, most=most, on_fail=on_fail)
