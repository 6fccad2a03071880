"""Vocabulary: the values of category columns that a model knows, and where all others go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_KNOWN = 2  # after null and other


@dataclass(frozen=True, slots=True)
class Category:
    """One category column of n rows.

    Attributes
    ----------
    codes : int32 [n]
        Position in `levels`; -1 is null.
    levels : tuple of str
        The values that occur, without the empty text, which is null.
    """

    codes: NDArray[np.int32]
    levels: tuple[str, ...]

    def strings(self) -> NDArray[np.object_]:
        """The values as text, null as ``""``: what a graph takes."""
        return np.array([*self.levels, ""], dtype=object)[self.codes]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What each of m category columns knows; index 0 is null, 1 any other value, then the known ones.

    Attributes
    ----------
    levels : tuple of m tuples of str
        Known values of each column, sorted.
    """

    levels: tuple[tuple[str, ...], ...]

    @classmethod
    def learn(cls, columns: Sequence[Category], rare: int) -> Vocabulary:
        """The values with at least `rare` rows."""
        known = []
        for column in columns:
            counts = np.bincount(column.codes + 1, minlength=len(column.levels) + 1)[1:]
            known.append(
                tuple(sorted(level for level, rows in zip(column.levels, counts, strict=True) if rows >= rare))
            )
        return cls(tuple(known))

    def sizes(self) -> list[int]:
        """How many indices each column has, null and other included."""
        return [len(levels) + _KNOWN for levels in self.levels]

    def indices(self, columns: Sequence[Category]) -> list[NDArray[np.int64]]:
        """The index of every row, column by column: m arrays of n.

        Examples
        --------
        >>> column = Category(np.array([0, -1, 1], np.int32), ("AA", "ZZ"))
        >>> Vocabulary((("AA",),)).indices([column])
        [array([2, 0, 1])]
        """
        found = []
        for column, levels in zip(columns, self.levels, strict=True):
            places = {level: place for place, level in enumerate(levels, start=_KNOWN)}
            found.append(np.array([*(places.get(level, 1) for level in column.levels), 0], np.int64)[column.codes])
        return found
