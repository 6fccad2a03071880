"""Facts: what is known of a column without looking at its rows one by one; rules are proven by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of one column of some rows.

    Attributes
    ----------
    rows, nulls : int
        How many there are.
    low, high : object
        The least and the greatest value; None where there is none or it was not asked. Of numbers with a NaN, `high` is
        NaN.
    """

    rows: int
    nulls: int
    low: Any = None
    high: Any = None

    @property
    def empty(self) -> bool:
        """Whether there is no value at all."""
        return self.nulls == self.rows
