"""The kinds of what stands in texts: a column is of a kind when every value in it is, otherwise it stays text.

So ``00501`` and ``+49123`` stay texts, as numbers they would lose letters, and so does a number that does not fit.
Casts are those of row expressions, so a source and a contract read a value alike.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from noria.expressions import parse, to_polars

if TYPE_CHECKING:
    import polars as pl

_WHOLE = r"^-?(?:0|[1-9][0-9]*)$"
_NUMBER = r"^-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_NOT_FINITE = r"^(?i:nan|[+-]?inf(?:inity)?)$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:$|[ T][0-9]{2}:[0-9]{2})"


def with_kinds(frame: pl.DataFrame, keep: Collection[str]) -> pl.DataFrame:
    """Columns of texts as whole numbers, numbers, truths, dates or UTC moments where all their values are.

    Parameters
    ----------
    frame : DataFrame
        Rows as read.
    keep : collection of str
        Columns that stay texts: a contract says their types.
    """
    import polars as pl

    return frame.with_columns(
        _of_kind(frame[name]) for name, dtype in frame.schema.items() if dtype == pl.String and name not in keep
    )


def _of_kind(values: pl.Series) -> pl.Series:
    import polars as pl

    present = values.drop_nulls()
    if present.is_empty():
        return values.cast(pl.Null)
    for tried in (_as_int, _as_float, _as_bool, _as_date, _as_moment):
        made = tried(values, present)
        if made is not None:
            return made
    return values


def _all(present: pl.Series, pattern: str) -> bool:
    # Most columns fail at their first value.
    return bool(present.head(1).str.contains(pattern).all()) and bool(present.str.contains(pattern).all())


def _cast(values: pl.Series, kind: str) -> pl.Series | None:
    """The values cast; None where one of them cannot be."""
    made = values.to_frame("x").select(to_polars(parse(f"CAST(x AS {kind})"), {"x": "string"})).to_series()
    return made.alias(values.name) if made.null_count() == values.null_count() else None


def _as_int(values: pl.Series, present: pl.Series) -> pl.Series | None:
    import polars as pl

    if not _all(present, _WHOLE):
        return None
    made = values.cast(pl.Int64, strict=False)
    return made if made.null_count() == values.null_count() else None  # else one does not fit 64 bits


def _as_float(values: pl.Series, present: pl.Series) -> pl.Series | None:
    words = present.str.contains(_NOT_FINITE)
    numbers = present.filter(~words)
    if numbers.is_empty() or not _all(numbers, _NUMBER):
        return None
    whole = numbers.filter(numbers.str.contains(_WHOLE))
    made = _cast(values, "double precision")
    # A whole number of more than 64 bits would lose digits, and 1e400 would become infinite.
    if made is None or (len(whole) and _as_int(whole, whole) is None) or made.is_infinite().sum() > words.sum():
        return None
    return made


def _as_bool(values: pl.Series, present: pl.Series) -> pl.Series | None:
    return _cast(values, "boolean") if _all(present, r"^(?i:true|false)$") else None


def _as_date(values: pl.Series, present: pl.Series) -> pl.Series | None:
    return _cast(values, "date") if _all(present, _DATE) else None


def _as_moment(values: pl.Series, present: pl.Series) -> pl.Series | None:
    return _cast(values, "timestamp") if _all(present, _MOMENT) else None


def odd_value(values: pl.Series) -> tuple[int, str] | None:
    """Where a column of texts is all numbers but for some: the position of the first other, and what stands there."""
    import polars as pl

    fits = values.cast(pl.Float64, strict=False).is_finite() & values.str.contains(_NUMBER)
    fits &= ~values.str.contains(_WHOLE) | values.cast(pl.Int64, strict=False).is_not_null()
    number = fits | values.str.contains(_NOT_FINITE)
    others = (~number.fill_null(False) & values.is_not_null()).arg_true()
    if 0 < len(others) < (len(values) - values.null_count()) / 2:
        return others[0], values[others[0]]
    return None


def in_utc(frame: pl.DataFrame) -> pl.DataFrame:
    """Moments of any precision and zone in UTC microseconds (without a zone: taken for UTC); labels as texts."""
    import polars as pl

    return frame.with_columns(
        pl.col(name).cast(pl.String if isinstance(dtype, pl.Categorical | pl.Enum) else pl.Datetime("us", "UTC"))
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Categorical | pl.Enum | pl.Datetime)
    )
