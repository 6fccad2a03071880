"""Period: what happened in the rehearsed time, read from the lake and the training set."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.core import DataError
from noria.declarations import Project, Source
from noria.ledger import table_and_version

if TYPE_CHECKING:
    import polars as pl

NEVER = 2**62
"""The time of an answer that never becomes known."""


@dataclass(frozen=True, slots=True)
class Period:
    """The questions and the events of a period, each in the order of time; times are microseconds since 1970 in UTC.

    Attributes
    ----------
    rows : list of int
        The spine's row of each question.
    times : list of int
        When each was asked.
    requests : list of dict
        What each carried: the columns that are known before.
    known : list of int
        When each answer became known; `NEVER` where it did not.
    labels : list of float
        The answers; NaN where there is none.
    arrivals : list of int
        When each event arrived: event time plus lag.
    events : list of (str, dict)
        The source and the row of each event.
    """

    rows: list[int]
    times: list[int]
    requests: list[dict[str, Any]]
    known: list[int]
    labels: list[float]
    arrivals: list[int]
    events: list[tuple[str, dict[str, Any]]]


def read_period(project: Project, lake: str, training_set: Path, tables: Mapping[str, str]) -> Period:
    """Read what the rehearsal plays.

    Parameters
    ----------
    project : Project
        With a rehearsal.
    lake : str
        URL of the lake.
    training_set : Path
        The spine with its times and answers.
    tables : mapping of str to str
        Source to the reference of its table: ``table:flights@3``.

    Raises
    ------
    DataError
        Nothing was asked in the period.
    """
    import polars as pl

    from noria.lake import open_lake

    assert project.rehearsal is not None
    start, end = project.rehearsal.start, project.rehearsal.end
    opened = open_lake(lake)
    asked = (
        pl.scan_parquet(training_set)
        .select("_row", "_time", "_known", pl.col("_label").cast(pl.Float64))
        .filter(pl.col("_time").is_between(start, end, closed="left"))
        .collect()
    )
    if asked.is_empty():
        times = pl.scan_parquet(training_set).select(first=pl.col("_time").min(), last=pl.col("_time").max()).collect()
        raise DataError(
            "nothing was asked in the rehearsed period",
            place=project.rehearsal.written_at or "Rehearsal",
            value=f"{start} to {end}",
            mend="questions were asked from {} to {}".format(*times.row(0)),
        )
    spine = project.spine.source
    known_before = opened.read(*table_and_version(tables[spine.name])).select("_row", *spine.known_before)
    asked = asked.lazy().join(known_before, on="_row", how="left", maintain_order="left").collect()
    micros = {name: asked[name].dt.epoch("us") for name in ("_time", "_known")}
    events = sorted(
        (event for source in project.sources if source.event_time is not None
         for event in _events(opened.read(*table_and_version(tables[source.name])), source, start, end)),
        key=operator.itemgetter(0, 1, 2),
    )  # fmt: skip
    return Period(
        rows=asked["_row"].to_list(),
        times=micros["_time"].to_list(),
        requests=asked.select(spine.known_before).to_dicts(),
        known=micros["_known"].fill_null(NEVER).to_list(),
        labels=asked["_label"].fill_null(float("nan")).to_list(),
        arrivals=[arrival for arrival, *_ in events],
        events=[(source, row) for _, _, source, row in events],
    )


def _events(
    table: pl.LazyFrame, source: Source, start: datetime, end: datetime
) -> Iterator[tuple[int, int, str, dict[str, Any]]]:
    """Arrival, row number, source and row of each event that arrives in the period; ties go by row number."""
    import polars as pl

    arrival = pl.col(source.event_time or "") + pl.duration(microseconds=source.lag)
    found = table.filter(arrival.is_between(start, end, closed="left"))
    arrivals = found.select(arrival.dt.epoch("us")).collect().to_series()
    for moment, row in zip(arrivals, found.collect().iter_rows(named=True), strict=True):
        yield moment, row["_row"], source.name, row
