"""Splits: which rows train, validate and test.

A row belongs to a part by the time of its question, and only if its answer was known before the part ended: what was
not known yet could not have been learned from, nor scored, at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from noria.declarations import TimeSplit

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of time; rows asked in ``[start, end)`` and answered before `end` are its rows.

    Attributes
    ----------
    start : datetime, optional
        None is the beginning.
    end : datetime
        Exclusive.
    """

    start: datetime | None
    end: datetime

    def rows(self) -> pl.Expr:
        """Which rows of a training set are in it: a boolean expression over ``_time`` and ``_known``."""
        import polars as pl

        inside = (pl.col("_time") < _literal(self.end)) & (pl.col("_known") < _literal(self.end))
        return inside if self.start is None else inside & (pl.col("_time") >= _literal(self.start))

    def to_body(self) -> dict[str, str | None]:
        """As plain JSON."""
        return {"start": None if self.start is None else self.start.isoformat(), "end": self.end.isoformat()}


@dataclass(frozen=True, slots=True)
class Parts:
    """The three parts, one after the other."""

    train: Part
    validate: Part
    test: Part


def parts_of(split: TimeSplit, as_of: datetime | None = None) -> Parts:
    """The parts of a split.

    Parameters
    ----------
    split : TimeSplit
        As declared.
    as_of : datetime, optional
        Retrain at this moment: the test ends here, and validation and test are as long as the split says for
        retrainings.

    Examples
    --------
    >>> split = TimeSplit(train_until="2013-09-01", validate_until="2013-11-01", test_until="2013-12-01")
    >>> parts_of(split).validate.to_body()
    {'start': '2013-09-01T00:00:00+00:00', 'end': '2013-11-01T00:00:00+00:00'}
    >>> from datetime import timezone
    >>> parts_of(split, datetime(2013, 12, 15, tzinfo=timezone.utc)).train.to_body()
    {'start': None, 'end': '2013-12-01T00:00:00+00:00'}
    """
    if as_of is None:
        ends = (split.train_until, split.validate_until, split.test_until)
    else:
        validate_until = as_of - timedelta(microseconds=split.retrain_test)
        ends = (validate_until - timedelta(microseconds=split.retrain_validate), validate_until, as_of)
    return Parts(Part(None, ends[0]), Part(ends[0], ends[1]), Part(ends[1], ends[2]))


def _literal(moment: datetime) -> pl.Expr:
    import polars as pl

    return pl.lit(moment, dtype=pl.Datetime("us", "UTC"))
