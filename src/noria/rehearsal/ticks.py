"""Ticks: events, questions and duties of a period, merged in the order in which a live system would meet them."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment at which something is asked or has to be done.

    Attributes
    ----------
    at : int
        The moment: microseconds since 1970-01-01 UTC.
    events : slice
        The events to apply before anything else: all that have arrived before `at` and were not applied yet.
    questions : slice
        The questions asked at `at`.
    duty : bool
        Whether something has to be done at `at`, before the questions.
    """

    at: int
    events: slice
    questions: slice
    duty: bool


def ticks(arrivals: Sequence[int], questions: Sequence[int], duties: Sequence[int]) -> Iterator[Tick]:
    """Merge sorted moments; equal times are not seen: a question at t sees the events that arrived before t.

    Parameters
    ----------
    arrivals, questions, duties : sequence of int
        Microseconds since 1970-01-01 UTC, each in ascending order. Events that arrive at or after the last question or
        duty belong to no tick.

    Examples
    --------
    >>> for tick in ticks([5, 10, 10, 12], [10, 11, 11], [11, 20]):
    ...     print(tick.at, tick.events, tick.questions, tick.duty)
    10 slice(0, 1, None) slice(0, 1, None) False
    11 slice(1, 3, None) slice(1, 3, None) True
    20 slice(3, 4, None) slice(3, 3, None) True
    """
    applied = asked = done = 0
    for at, _ in groupby(heapq.merge(questions, duties)):
        arrived = bisect_left(arrivals, at, applied)
        answered = bisect_right(questions, at, asked)
        kept = bisect_right(duties, at, done)
        yield Tick(at, slice(applied, arrived), slice(asked, answered), kept > done)
        applied, asked, done = arrived, answered, kept


def duties(start: int, end: int, every: Sequence[int]) -> list[int]:
    """The moments in (start, end] that are a whole number of some `every` after `start`, ascending.

    Examples
    --------
    >>> duties(0, 10, [5, 3])
    [3, 5, 6, 9, 10]
    """
    return sorted({at for step in every for at in range(start + step, end + 1, step)})
