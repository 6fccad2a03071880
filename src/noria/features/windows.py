"""WindowReader: the values of an entity's windows at a moment, from what the online store holds: the request path."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from noria.features.aggregates.algebra import NAN
from noria.features.online import FORMAT, decode, unreadable
from noria.features.views import ViewPlan

_Finalise = Callable[[Sequence[float]], float]


class WindowReader:
    """Reads windows of one view; which words to look at is worked out once.

    Parameters
    ----------
    plan : ViewPlan
        The view.
    """

    def __init__(self, plan: ViewPlan):
        self.plan = plan
        self.nothing = [
            kind.finalise_one(kind.identity) for kind in (plan.tracks[one.track].kind for one in plan.windowed)
        ]
        """The values for an entity that was never seen."""
        self._hops: list[tuple[int, list[tuple[int, list[tuple[int, int, int, _Finalise]]]]]] = []
        for hop in plan.hops:
            windows: dict[int, list[tuple[int, int, int, _Finalise]]] = {}
            for index, one in enumerate(plan.windowed):
                if one.hop == hop:
                    track = plan.tracks[one.track]
                    wanted = (index, track.first, track.first + track.width, track.kind.finalise_one)
                    windows.setdefault(one.window, []).append(wanted)
            self._hops.append((hop, list(windows.items())))

    def values(self, value: bytes | None, at: int) -> list[float]:
        """All windowed features at a moment (microseconds), in the view's order; NaN is null.

        Raises
        ------
        IntegrityError
            The value is of another format, or cut short.
        """
        values = self.nothing.copy()
        if value is None:
            return values
        t = at - self.plan.view.source.lag
        try:
            words, numbers = memoryview(value).cast("q"), memoryview(value).cast("d")
            if words[0] != FORMAT:
                raise unreadable(self.plan)
            place, width = 2, self.plan.width
            for hop, windows in self._hops:
                low, high = place + 1, place + 1 + words[place]
                place = high + (high - low) * width
                for window, wanted in windows:
                    row = bisect_left(words, (t - window) // hop * hop, low, high)
                    if row < high:
                        row = high + (row - low) * width
                        for index, first, stop, finalise in wanted:
                            values[index] = finalise(numbers[row + first : row + stop])
            if words[place] and words[place + 1] < t:
                return self._with_waiting(value, t)
        except (IndexError, TypeError, ValueError):
            raise unreadable(self.plan) from None
        return values

    def _with_waiting(self, value: bytes, t: int) -> list[float]:
        """The same where events have become known since the last write: they are merged first."""
        import numpy as np

        plan, entity = self.plan, decode(self.plan, value)
        times, states = entity.waiting
        young = np.array([np.searchsorted(times, t)])
        values = [NAN] * len(plan.windowed)
        for index, one in enumerate(plan.windowed):
            track = plan.tracks[one.track]
            tail = (t - one.window) // one.hop * one.hop
            starts, since = entity.since[plan.hops.index(one.hop)]
            first = np.searchsorted(starts, tail)
            body = since[first : first + 1, track.slice] if first < len(starts) else np.array([track.kind.identity])
            # A waiting event may be older than the window: it came before the last write, but became known after it.
            old = np.minimum(np.searchsorted(times, tail), young)
            head = track.kind.reduce(states[:, track.slice], old, young)
            values[index] = track.kind.finalise_one(track.kind.merge(body, head)[0].tolist())
        return values
