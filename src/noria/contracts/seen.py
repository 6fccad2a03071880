"""Seen: which keys there were in the rows before, in sorted runs of 128-bit hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import polars as pl

    Run: TypeAlias = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]

_LARGEST_RUN = 1 << 24
"""Longer runs are not merged: merging one takes twice its memory."""


class Seen:
    """The keys of all rows so far, 16 bytes each.

    Two keys are taken for one where both of their 64-bit hashes are equal: among 100 million keys that happens by
    chance once in 10^22 tables.
    """

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._waiting: pl.DataFrame | None = None

    def add(self, keys: pl.DataFrame) -> pl.Series | None:
        """Which rows repeat a key of a row before, in these or in those added earlier; None where none does.

        Parameters
        ----------
        keys : DataFrame
            The columns ``first`` and ``second``, as `hashes` gives them.
        """
        import polars as pl

        if self._waiting is None and not self._runs:
            self._waiting = keys  # sorted only when there is a batch after it
            # All hashes being different proves all keys to be, and is quicker to find than which are not.
            if keys["first"].n_unique() == len(keys):
                return None
            flags = ~keys.select(pl.struct("first", "second").is_first_distinct()).to_series()
            self._waiting = keys.filter(~flags)
            return flags if flags.any() else None
        if self._waiting is not None:
            _, run = _sorted(self._waiting)
            self._keep(run)
            self._waiting = None
        return self._add_sorted(keys)

    def _add_sorted(self, keys: pl.DataFrame) -> pl.Series | None:
        import numpy as np
        import polars as pl

        order, (first, second) = _sorted(keys)
        hit = np.zeros(len(keys), bool)
        for run in self._runs:
            hit |= _found(run, first, second)
        flags = np.zeros(len(keys), bool)
        flags[order] = hit
        if (first[1:] == first[:-1]).any():
            flags |= ~keys.select(pl.struct("first", "second").is_first_distinct()).to_series().to_numpy()
        if not flags.any():
            self._keep((first, second))
            return None
        new = ~flags[order]
        self._keep((first[new], second[new]))
        return pl.Series(flags)

    def _keep(self, run: Run) -> None:
        if not len(run[0]):
            return
        self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2][0]) <= 2 * len(self._runs[-1][0]) <= _LARGEST_RUN:
            self._runs[-2:] = [_merged(self._runs[-2], self._runs[-1])]


def hashes(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Two hashes of some columns of each row; equal values give equal hashes, null is a value, NaN equals NaN."""
    import polars as pl

    schema = frame.schema  # made anew each time that it is asked for
    read = [_plain(schema[column], pl.col(column)) for column in columns]
    whole = read[0] if len(read) == 1 else pl.struct(read)
    return frame.select(whole.hash(1).alias("first"), whole.hash(0x9E3779B97F4A7C15).alias("second"))


def _plain(dtype: pl.DataType, column: pl.Expr) -> pl.Expr:
    """The column in a form whose hash does not depend on the batch."""
    import polars as pl

    return column.cast(pl.Int64) if dtype.is_signed_integer() else text_of_category(dtype, column)


def text_of_category(dtype: pl.DataType, column: pl.Expr) -> pl.Expr:
    """A column of categories as its texts: each batch numbers them by itself."""
    import polars as pl

    return column.cast(pl.String) if isinstance(dtype, pl.Categorical | pl.Enum) else column


def _sorted(keys: pl.DataFrame) -> tuple[np.ndarray[Any, Any], Run]:
    """The order of keys, and these in it."""
    import numpy as np

    first, second = keys["first"].to_numpy(), keys["second"].to_numpy()
    order = np.argsort(first)
    return order, (first[order], second[order])


def _merged(one: Run, two: Run) -> Run:
    import numpy as np

    place = np.searchsorted(one[0], two[0]) + np.arange(len(two[0]))
    size = len(one[0]) + len(two[0])
    mine = np.ones(size, bool)
    mine[place] = False
    first, second = np.empty(size, one[0].dtype), np.empty(size, one[1].dtype)
    first[place], second[place] = two
    first[mine], second[mine] = one
    return first, second


def _found(run: Run, first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which of sorted keys are in a run."""
    import numpy as np

    place = np.minimum(np.searchsorted(run[0], first), len(run[0]) - 1)
    same = run[0][place] == first
    hit = same & (run[1][place] == second)
    for index in np.flatnonzero(same & ~hit):  # two keys of one first hash: next to never
        stop = np.searchsorted(run[0], first[index], side="right")
        hit[index] = bool((run[1][place[index] : stop] == second[index]).any())
    return np.asarray(hit)
