"""outliers: no value of a column lies far from the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from noria.contracts.among import RowsRule, Watch
from noria.contracts.condition import Subject
from noria.contracts.wants import quoted
from noria.declarations import Names, OnFail

if TYPE_CHECKING:
    import polars as pl

Method = Literal["iqr", "mad", "z"]
_WIDTHS: dict[Method, float] = {"iqr": 3.0, "mad": 5.0, "z": 3.5}


class Outliers(RowsRule):
    """No value lies far from the others of its group; null passes, NaN and infinities break the rule.

    A group of fewer than `least` values, or one whose spread is 0, has no outliers but those. The values are remembered
    (8 bytes a row, and the group), because quantiles are exact.

    Parameters
    ----------
    column : str
        A column of numbers.
    method : str
        What far is: ``"iqr"``: beyond the quartiles by `width` times the distance between them; ``"mad"``: from the
        median by more than `width` times the median distance; ``"z"``: the same in robust standard deviations, which
        are 1.4826 median distances.
    width : float, optional
        By default 3 for ``iqr``, 5 for ``mad``, 3.5 for ``z``.
    by : str or list of str, optional
        Each group of rows of the same values here is judged by itself; null is such a value.
    least : int
        How many values a group needs to be judged.

    Examples
    --------
    >>> outliers("fare", by="route").text
    'fare has no outliers (iqr, 3) by route'
    """

    column: str = Field(kw_only=False)
    method: Method = "iqr"
    width: float | None = Field(default=None, gt=0)
    by: Names = ()
    least: int = Field(default=10, ge=2)

    @property
    def text(self) -> str:
        groups = f" by {', '.join(self.by)}" if self.by else ""
        return f"{self.column} has no outliers ({self.method}, {self._width:g}){groups}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, *self.by)

    @property
    def _width(self) -> float:
        return self.width if self.width is not None else _WIDTHS[self.method]

    @property
    def _reach(self) -> float:
        """In distances between quartiles, or median distances."""
        return self._width * 1.4826 if self.method == "z" else self._width

    def watch(self, subject: Subject) -> Watch:
        self.needs(subject, self.column, "float", "int")
        return _Bounds(self)

    def broken_sql(self, subject: Subject, dialect: str) -> str:
        value = f"CAST({quoted(self.column)} AS DOUBLE)"
        finite = f"CASE WHEN isfinite({value}) THEN {value} END"
        groups = f"PARTITION BY {', '.join(quoted(name) for name in self.by)}" if self.by else ""
        if self.method == "iqr":
            low, high = (f"quantile_cont({finite}, {share}) OVER ({groups})" for share in (0.25, 0.75))
            spread = f"({high} - {low})"
        else:
            low = high = f"quantile_cont({finite}, 0.5) OVER ({groups})"
            spread = f"mad({finite}) OVER ({groups})"
        judged = f"COUNT({finite}) OVER ({groups}) >= {self.least} AND {spread} > 0"
        far = f"({value} < {low} - {self._reach!r} * {spread} OR {value} > {high} + {self._reach!r} * {spread})"
        return f"COALESCE(NOT isfinite({value}) OR ({judged} AND {far}), FALSE)"


class _Bounds:
    """The values of each group, and the bounds that follow from them when all are seen."""

    streams = False

    def __init__(self, rule: Outliers):
        self._rule, self._count = rule, -1
        self._parts: list[pl.DataFrame] = []
        self._bounds: pl.DataFrame | None = None

    def observe(self, frame: pl.DataFrame) -> None:
        import polars as pl

        self._parts.append(self._read(frame).filter(pl.col("value").is_not_null()))
        self._count, self._bounds = -1, None

    def _read(self, frame: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        names = [pl.col(name).alias(f"by {index}") for index, name in enumerate(self._rule.by)]
        groups = [name.cast(pl.String) for name in names]
        return frame.select(pl.col(self._rule.column).cast(pl.Float64).alias("value"), *groups)

    @property
    def _groups(self) -> list[str]:
        return [f"by {index}" for index in range(len(self._rule.by))]

    def _close(self) -> pl.DataFrame:
        import polars as pl

        if self._bounds is None:
            whole = pl.concat(self._parts)
            self._parts = [whole]
            value = pl.col("value")
            finite = whole.filter(value.is_finite())
            low, high = (value.quantile(share, "linear") for share in (0.25, 0.75))
            middle = value.median()
            spread = high - low if self._rule.method == "iqr" else (value - middle).abs().median()
            made = {"low": low, "high": high} if self._rule.method == "iqr" else {"low": middle, "high": middle}
            made |= {"spread": spread, "size": pl.len()}
            grouped = finite.group_by(self._groups).agg(**made) if self._groups else finite.select(**made)
            reach = pl.col("spread") * self._rule._reach
            judged = (pl.col("size") >= self._rule.least) & (pl.col("spread") > 0)
            self._bounds = grouped.filter(judged).with_columns(low=pl.col("low") - reach, high=pl.col("high") + reach)
            self._count = int(self._far(whole).sum())
        return self._bounds

    def _far(self, values: pl.DataFrame) -> pl.Series:
        import polars as pl

        assert self._bounds is not None
        value = pl.col("value")
        if self._groups:
            values = values.join(self._bounds, on=self._groups, how="left", nulls_equal=True, maintain_order="left")
            low, high = pl.col("low"), pl.col("high")
        else:
            pair = self._bounds.row(0)[:2] if len(self._bounds) else (None, None)
            low, high = (pl.lit(bound, pl.Float64) for bound in pair)
        far = value.is_finite().not_() | (value < low).fill_null(False) | (value > high).fill_null(False)
        return values.select(far.fill_null(False)).to_series()

    def count(self) -> int:
        if self._parts:
            self._close()
        return max(self._count, 0)

    def broken(self, frame: pl.DataFrame) -> pl.Series | None:
        if not self.count():
            return None
        return self._far(self._read(frame))


def outliers(
    column: str, method: Method = "iqr", *, width: float | None = None, by: str | Iterable[str] = (), least: int = 10,
    on_fail: OnFail = "fail", at_most: float | None = None,
) -> Outliers:  # fmt: skip
    """A rule: no value of a column lies far from the others.

    Examples
    --------
    >>> outliers("fare", "z", by="route", on_fail="quarantine")
    Outliers(on_fail='quarantine', column='fare', method='z', width=None, by=('route',), least=10)
    """
    return Outliers(column, method=method, width=width, by=by, least=least, on_fail=on_fail, at_most=at_most)
