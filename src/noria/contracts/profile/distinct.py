"""How many distinct values a stream has, and whether every one came once, in bounded memory.

Counts are exact up to `EXACT` values; beyond, HyperLogLog (Flajolet et al., 2007) estimates them within about 1%.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

EXACT = 4_000_000
"""Hashes of 8 bytes that are held to know it exactly: 32 MB a column, and only while no value has come twice."""
SMALL = 4096
"""Distinct values that are counted exactly when values do come twice."""
_BITS = 14


@dataclass(slots=True)
class Distinct:
    """Counts distinct values by 64-bit hashes: 16 KB of registers, and what `EXACT` and `SMALL` say.

    Examples
    --------
    >>> import polars as pl
    >>> found = Distinct()
    >>> found.update(pl.Series(["a", "b", "a", None]))
    >>> found.count(), found.unique
    (2, False)
    """

    registers: NDArray[np.uint8] | None = None
    few: NDArray[np.uint64] | None = None
    many: bool = False
    held: list[NDArray[np.uint64]] = field(default_factory=list)
    seen: int = 0
    checked: int = 0
    repeated: bool = False
    beyond: bool = False

    @property
    def unique(self) -> bool | None:
        """Whether every value came once; None: too many came to know it for sure, and so far it looks like it."""
        if not self.repeated and not self.beyond:
            self._check()
        if self.repeated:
            return False
        return None if self.beyond and self.count() >= 0.95 * self.seen else not self.beyond

    def update(self, values: pl.Series) -> None:
        """Take values; nulls do not count."""
        present = values.drop_nulls()
        self._take(present.hash(seed=7).to_numpy(), len(present))

    def merge(self, other: Distinct) -> None:
        """Take what another has seen."""
        import numpy as np

        self.repeated |= other.repeated
        self.beyond |= other.beyond
        self.seen += other.seen
        for hashes in other.held:
            self._hold(hashes)
        if other.registers is not None:
            mine = self.registers
            self.registers = other.registers.copy() if mine is None else np.maximum(mine, other.registers)
        self.many |= other.many
        if other.few is not None:
            self._count_few(other.few)

    def count(self) -> int:
        """How many distinct values came: exact while they are few or none came twice, otherwise within about 1%."""
        import numpy as np

        if not self.seen or self.registers is None:
            return 0
        if self.few is not None and not self.many:
            return len(self.few)
        if not self.repeated and not self.beyond:
            return self.seen
        size = 1 << _BITS
        raw = 0.7213 / (1 + 1.079 / size) * size * size / float(np.sum(2.0 ** -self.registers.astype(np.float64)))
        empty = int(np.count_nonzero(self.registers == 0))
        estimate = size * math.log(size / empty) if raw <= 2.5 * size and empty else raw
        return min(self.seen, round(estimate))

    def _take(self, hashes: NDArray[np.uint64], rows: int) -> None:
        import numpy as np

        if not rows:
            return
        if self.many and (self.repeated or self.beyond):  # an estimate is all that is left to know
            self.seen += rows
            self._register(hashes)
            return
        distinct = np.unique(hashes)
        self.seen += rows
        if len(distinct) < rows:
            self.repeated, self.held = True, []
        else:
            self._hold(distinct)
        self._count_few(distinct)
        self._register(distinct)

    def _count_few(self, hashes: NDArray[np.uint64]) -> None:
        import numpy as np

        if not self.many:
            self.few = hashes if self.few is None else np.union1d(self.few, hashes)
            self.many = len(self.few) > SMALL
        if self.many:
            self.few = None

    def _hold(self, hashes: NDArray[np.uint64]) -> None:
        if self.repeated or self.beyond:
            self.held = []
            return
        self.held.append(hashes)
        if sum(map(len, self.held)) > EXACT:
            self._check()
            self.beyond, self.held = not self.repeated, []
        elif sum(map(len, self.held)) >= 2 * self.checked:
            self._check()  # at each doubling: columns whose values do come again are found out early

    def _check(self) -> None:
        import numpy as np

        if len(self.held) > 1:
            together = np.concatenate(self.held)
            together.sort()
            self.repeated = bool(np.any(together[1:] == together[:-1]))
            self.held = [] if self.repeated else [together]
        self.checked = sum(map(len, self.held))

    def _register(self, hashes: NDArray[np.uint64]) -> None:
        import numpy as np

        if self.registers is None:
            self.registers = np.zeros(1 << _BITS, np.uint8)
        places = (hashes >> np.uint64(64 - _BITS)).astype(np.int64)
        rest = (hashes << np.uint64(_BITS)) | np.uint64(1 << (_BITS - 1))
        # The number of leading zeros of a 64-bit number is told by its exponent as a float of its upper half.
        upper = (rest >> np.uint64(11)).astype(np.float64)
        ranks = (53 - np.frexp(upper)[1] + 1).astype(np.uint8)
        np.maximum.at(self.registers, places, ranks)
