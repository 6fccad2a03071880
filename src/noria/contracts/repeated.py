"""Watches over keys that come more than once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from noria.contracts.among import flags_at
from noria.contracts.seen import Seen, hashes

if TYPE_CHECKING:
    import polars as pl


class Rising:
    """Whole numbers that only rise, as keys most often do: being in order proves that none comes twice.

    It remembers 8 bytes a row, for when rows come that are not in order.
    """

    def __init__(self) -> None:
        self.before: list[pl.DataFrame] = []

    def takes(self, keys: pl.DataFrame) -> bool:
        """Whether these rise on from those before; if so they are remembered."""
        values = keys.to_series()
        if not values.dtype.is_signed_integer() or values.null_count():
            return False
        if len(values):
            if self.before and values[0] <= self.before[-1].item(-1, 0):
                return False
            if not (values[1:] > values[:-1]).all():
                return False
            self.before.append(keys)
        return True


class FirstStays:
    """Rows after the first with the same values break the rule; 16 bytes are remembered of each row that keeps it.

    Keys that are whole numbers and rise are not looked up, as long as they do.

    Parameters
    ----------
    keys : list of str
        The columns.
    null_breaks : bool
        Whether a row with a null among them breaks the rule; else null is a value like others.
    """

    streams = True

    def __init__(self, keys: Sequence[str], *, null_breaks: bool):
        self._keys, self._null_breaks = tuple(keys), null_breaks
        self._seen, self._count = Seen(), 0
        self._rising = Rising() if len(self._keys) == 1 else None
        self._flags: deque[pl.Series | None] = deque()

    def observe(self, frame: pl.DataFrame) -> None:
        import polars as pl

        flags = self._repeated(frame)
        if self._null_breaks and any(frame[key].null_count() for key in self._keys):
            missing = frame.select(pl.any_horizontal(pl.col(key).is_null() for key in self._keys)).to_series()
            flags = missing if flags is None else flags | missing
        self._count += int(flags.sum()) if flags is not None else 0
        self._flags.append(flags)

    def _repeated(self, frame: pl.DataFrame) -> pl.Series | None:
        if self._rising is not None:
            if self._rising.takes(frame.select(self._keys)):
                return None
            for keys in self._rising.before:
                self._seen.add(hashes(keys, self._keys))
            self._rising = None
        return self._seen.add(hashes(frame, self._keys))

    def count(self) -> int:
        return self._count

    def broken(self, frame: pl.DataFrame) -> pl.Series | None:
        return self._flags.popleft()


class NoneStays:
    """All rows whose values come more than once break the rule; rows with a null among them do not.

    16 bytes are remembered of each row, and as much again of each value that is repeated.
    """

    streams = False

    def __init__(self, keys: Sequence[str]):
        self._keys = tuple(keys)
        self._seen, self._count = Seen(), 0
        self._repeated: pl.DataFrame | None = None

    def observe(self, frame: pl.DataFrame) -> None:
        import polars as pl

        complete = frame.select(self._keys).drop_nulls()
        keys = hashes(complete, self._keys)
        flags = self._seen.add(keys)
        if flags is None:
            return
        found = keys.filter(flags)
        self._count += len(found)
        parts = [found] if self._repeated is None else [self._repeated, found]
        self._repeated = pl.concat(parts).unique()

    def count(self) -> int:
        return self._count + (len(self._repeated) if self._repeated is not None else 0)

    def broken(self, frame: pl.DataFrame) -> pl.Series | None:
        import polars as pl

        if self._repeated is None:
            return None
        keys = hashes(frame, self._keys)
        found = keys.with_row_index("row").join(self._repeated, on=["first", "second"], how="semi")["row"]
        complete = frame.select(pl.all_horizontal(pl.col(key).is_not_null() for key in self._keys)).to_series()
        return flags_at(found, len(frame)) & complete
