"""Late rows: those whose event was before what is known already, and those that come later than is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noria.core import from_micros
from noria.declarations import Source, duration_text
from noria.ingest.zones import with_reason

if TYPE_CHECKING:
    import polars as pl


@dataclass(slots=True)
class Lateness:
    """Counts the late rows of a load.

    Attributes
    ----------
    source : Source
        Whose rows they are.
    newest : int, optional
        The newest event time of the loads before, in microseconds; None at the first.
    now : int
        When rows arrive that do not say so themselves.
    seen : int
        Rows up to this number were there before: nothing is said of them again.
    """

    source: Source
    newest: int | None
    now: int
    seen: int = 0
    rows: int = 0
    too_late: int = 0
    first: int | None = None
    last: int | None = None
    newest_now: int | None = None

    def observe(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Count a batch, and give those rows a reason that came too late and are to be set aside."""
        import polars as pl

        column = self.source.event_time
        if column is None or column not in frame.columns:
            return frame
        times = frame[column].cast(pl.Datetime("us", "UTC")).dt.epoch("us")
        if self.newest is not None:
            late = times.filter((times < self.newest) & (frame["_row"] > self.seen))
            self.rows += len(late)
            self.first = _least(self.first, late.min())  # type: ignore[arg-type]
            self.last = _most(self.last, late.max())  # type: ignore[arg-type]
        return self._bounded(frame, times)

    def kept(self, frame: pl.DataFrame) -> None:
        """See rows that hold: a time that breaks the contract is not how far the source is."""
        import polars as pl

        column = self.source.event_time
        if column is not None and column in frame.columns:
            newest = frame[column].cast(pl.Datetime("us", "UTC")).dt.epoch("us").max()
            self.newest_now = _most(self.newest_now, newest)  # type: ignore[arg-type]

    def _bounded(self, frame: pl.DataFrame, times: pl.Series) -> pl.DataFrame:
        import polars as pl

        limit, arrival = self.source.lateness, self.source.arrival_time
        if limit is None or (arrival is None and self.newest is None):
            return frame  # of the first load nobody knows when its rows arrived
        if arrival is not None:
            arrived = frame[arrival].cast(pl.Datetime("us", "UTC")).dt.epoch("us")
        else:
            arrived = pl.Series([self.now], dtype=pl.Int64).new_from_index(0, len(frame))
        wrong = ((arrived - times) > limit).fill_null(False) & (frame["_row"] > self.seen)
        self.too_late += int(wrong.sum())
        if self.source.on_late == "correct":
            return frame
        return with_reason(frame, wrong, pl.lit(f"later than {duration_text(limit)}"))

    def facts(self) -> dict[str, Any]:
        """What is told of it."""
        told: dict[str, Any] = {"rows": self.rows, "too_late": self.too_late}
        if self.first is not None and self.last is not None:
            told |= {"from": from_micros(self.first).isoformat(), "to": from_micros(self.last).isoformat()}
        return told


def _least(one: int | None, other: int | None) -> int | None:
    there = [value for value in (one, other) if value is not None]
    return min(there) if there else None


def _most(one: int | None, other: int | None) -> int | None:
    there = [value for value in (one, other) if value is not None]
    return max(there) if there else None
