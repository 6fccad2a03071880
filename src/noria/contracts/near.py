"""A watch over rows of the same keys whose times lie close."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from noria.contracts.among import flags_at
from noria.contracts.seen import hashes

if TYPE_CHECKING:
    import polars as pl


class NearStays:
    """In order of time, a row breaks the rule where the one of its keys before it is no further away.

    40 bytes are remembered of each row.
    """

    streams = False

    def __init__(self, keys: Sequence[str], time: str, within: int):
        self._keys, self._time, self._within = tuple(keys), time, within
        self._parts: list[pl.DataFrame] = []
        self._found: pl.Series | None = None
        self._rows = self._asked = 0

    def observe(self, frame: pl.DataFrame) -> None:
        import polars as pl

        at = frame.select(at=pl.col(self._time).cast(pl.Datetime("us")).cast(pl.Int64))
        part = pl.concat([hashes(frame, self._keys), at], how="horizontal").with_row_index("row", self._rows)
        self._parts.append(part.drop_nulls("at"))
        self._rows += len(frame)
        self._found = None

    def count(self) -> int:
        return len(self._close())

    def broken(self, frame: pl.DataFrame) -> pl.Series | None:
        found = self._close()
        start, stop = (int(found.search_sorted(place)) for place in (self._asked, self._asked + len(frame)))
        rows = found.slice(start, stop - start) - self._asked
        self._asked += len(frame)
        return flags_at(rows, len(frame)) if len(rows) else None

    def _close(self) -> pl.Series:
        """The rows that break the rule, by their place, in order."""
        import polars as pl

        if self._found is None:
            if not self._parts:
                return pl.Series("row", [], pl.UInt32)
            whole = pl.concat(self._parts).sort("first", "second", "at", "row")
            same = (pl.col("first") == pl.col("first").shift()) & (pl.col("second") == pl.col("second").shift())
            near = pl.col("at") - pl.col("at").shift() <= self._within
            self._found = whole.filter(same & near)["row"].sort()
            self._parts = [whole]
        return self._found
