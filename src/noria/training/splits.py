"""Splits: which rows train, validate and test.

By time, a row belongs to a part by the time of its question, and only if its answer was known before the part ended:
what was not known yet could not have been learned from, nor scored, at that moment. At random, it belongs to a part by
its share, a number in [0, 1) that the training set holds for it.
"""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from noria.declarations import Project, RandomSplit, TimeSplit

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of time, or of shares; rows asked in ``[start, end)`` and answered before `end` are its rows.

    Attributes
    ----------
    start, end : datetime, optional
        None is the beginning, and the end of all time.
    shares : (float, float), optional
        Of a random split: its rows' shares, from and below; None is all.
    """

    start: datetime | None
    end: datetime | None
    shares: tuple[float, float] | None = None

    def rows(self) -> pl.Expr:
        """Which rows of a training set are in it: a boolean expression over ``_time``, ``_known`` and ``_share``."""
        import polars as pl

        asked = []
        if self.end is not None:
            asked += [pl.col("_time") < _literal(self.end), pl.col("_known") < _literal(self.end)]
        if self.start is not None:
            asked.append(pl.col("_time") >= _literal(self.start))
        if self.shares is not None:
            asked += [pl.col("_share") >= self.shares[0], pl.col("_share") < self.shares[1]]
        return functools.reduce(operator.and_, asked)

    def to_body(self) -> dict[str, Any]:
        """As plain JSON; ``share`` is how much of all rows a part of a random split is meant to have."""
        body: dict[str, Any] = {
            "start": None if self.start is None else self.start.isoformat(),
            "end": None if self.end is None else self.end.isoformat(),
        }
        return body if self.shares is None else {**body, "share": round(self.shares[1] - self.shares[0], 9)}


@dataclass(frozen=True, slots=True)
class Parts:
    """The three parts, one after the other."""

    train: Part
    validate: Part
    test: Part


def parts_of(split: TimeSplit | RandomSplit, as_of: datetime | None = None) -> Parts:
    """The parts of a split.

    Parameters
    ----------
    split : TimeSplit or RandomSplit
        As declared.
    as_of : datetime, optional
        Retrain at this moment. By time, the test ends here, and validation and test are as long as the split says for
        retrainings; at random, only rows whose answer was known by then are parted.

    Examples
    --------
    >>> split = TimeSplit(train_until="2013-09-01", validate_until="2013-11-01", test_until="2013-12-01")
    >>> parts_of(split).validate.to_body()
    {'start': '2013-09-01T00:00:00+00:00', 'end': '2013-11-01T00:00:00+00:00'}
    >>> from datetime import timezone
    >>> parts_of(split, datetime(2013, 12, 15, tzinfo=timezone.utc)).train.to_body()
    {'start': None, 'end': '2013-12-01T00:00:00+00:00'}
    >>> parts_of(RandomSplit(validation=0.2, test=0.1)).train.shares
    (0.0, 0.7)
    """
    if isinstance(split, RandomSplit):
        validate, test = (round(1 - share, 12) for share in (split.test + split.validation, split.test))
        return Parts(*(Part(None, as_of, shares) for shares in ((0.0, validate), (validate, test), (test, 1.0))))
    if as_of is None:
        ends = (split.train_until, split.validate_until, split.test_until)
    else:
        validate_until = as_of - timedelta(microseconds=split.retrain_test)
        ends = (validate_until - timedelta(microseconds=split.retrain_validate), validate_until, as_of)
    return Parts(Part(None, ends[0]), Part(ends[0], ends[1]), Part(ends[1], ends[2]))


def check_split(project: Project) -> None:
    """Refuse a split by a time that the spine does not have.

    Raises
    ------
    DeclarationError
        It is a `TimeSplit`, and the spine has no time.
    """
    if isinstance(project.search.split, TimeSplit) and project.spine.time is None:
        raise project.search.refuse(
            "a split by time needs rows that have one, and the spine has no time",
            field="split",
            mend="split=nr.RandomSplit(validation=0.2, test=0.2), or give Spine time=…",
        )


def _literal(moment: datetime) -> pl.Expr:
    import polars as pl

    return pl.lit(moment, dtype=pl.Datetime("us", "UTC"))
