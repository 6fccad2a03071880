"""How far a histogram has moved from its reference, and how far it would move by chance.

A reference histogram is plain JSON, as training leaves it:

- of numbers: ``{"edges": [e0, …, ek], "counts": [c1, …, ck], "nulls": n}``; a value beyond the
  first or last edge falls into the first or last bin, so only the inner edges count;
- of categories: ``{"values": [v1, …, vk], "counts": [c1, …, ck], "other": n, "nulls": n}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a histogram has moved.

    Attributes
    ----------
    psi : float
        Population stability index: 0 is none, 0.1 some, 0.25 much, as is usual.
    p : float
        How probable at least so much is by chance alone.
    rows : float
        How many independent rows the window's rows are worth.
    """

    psi: float
    p: float
    rows: float


def bins(values: NDArray[np.floating[Any]] | Sequence[str | None], reference: Mapping[str, Any]) -> NDArray[np.intp]:
    """The bin of each value; the last bin is null, and for categories the one before it is any other value."""
    import numpy as np

    last = len(reference["counts"])
    if "values" in reference:
        place = {value: index for index, value in enumerate(reference["values"])}
        found = (last + 1 if value is None or value == "" else place.get(value, last) for value in values)
        return np.fromiter(found, np.intp, len(values))
    numbers = np.asarray(values, np.float64)
    found_bins = np.searchsorted(np.asarray(reference["edges"][1:-1], np.float64), numbers, side="right")
    return np.where(np.isnan(numbers), last, found_bins)


@dataclass(frozen=True, slots=True)
class Daily:
    """How often each bin was seen on each day: all that is kept of a window's rows, and mergeable.

    Attributes
    ----------
    days : int64 [d]
        Days since 1970-01-01 UTC, ascending, each once.
    counts : float64 [d, b]
        Of each day and bin: whole numbers, so that sums are exact in any order.

    Examples
    --------
    >>> import numpy as np
    >>> one, two = (daily(np.array([0, 1]), np.array([0, day]), 2) for day in (1, 86_400_000_000))
    >>> one.merge(two).days.tolist(), one.merge(two).counts.tolist()
    ([0, 1], [[2.0, 1.0], [0.0, 1.0]])
    """

    days: NDArray[np.int64]
    counts: NDArray[np.float64]

    def merge(self, other: Daily) -> Daily:
        """Both together, as if their rows had been counted at once: servers count apart, whoever watches merges."""
        import numpy as np

        days, place = np.unique(np.concatenate([self.days, other.days]), return_inverse=True)
        counts = np.zeros((len(days), self.counts.shape[1]))
        np.add.at(counts, place, np.concatenate([self.counts, other.counts]))
        return Daily(days, counts)


def daily(found: NDArray[np.intp], times: NDArray[np.int64], size: int) -> Daily:
    """Count bins by day.

    Parameters
    ----------
    found : array of int, [N]
        Bins, see `bins`.
    times : array of int64, [N]
        When each row was asked: microseconds since 1970-01-01 UTC.
    size : int
        How many bins there are, see `size_of`.
    """
    import numpy as np

    days, day = np.unique(times // _DAY, return_inverse=True)
    counts = np.bincount(day * size + found, minlength=len(days) * size)
    return Daily(days, counts.reshape(len(days), size).astype(np.float64))


def size_of(reference: Mapping[str, Any]) -> int:
    """How many bins a reference has: its own, one for other values of categories, and one for null."""
    return len(reference["counts"]) + (2 if "values" in reference else 1)


def shift(seen: Daily, reference: Mapping[str, Any]) -> Shift:
    """Compare what was seen with a reference.

    Two samples of one population have a PSI of about chi-square times (1/N + 1/M), so small windows cry wolf under a
    fixed threshold. Rows of one day resemble each other (one weather, one timetable), so M rows are worth fewer: their
    worth is estimated from how much the days of the window differ (Rao and Scott's second-order correction), and the
    test is F with as many denominator degrees as days allow. Within one day rows are taken as independent.

    Parameters
    ----------
    seen : Daily
        Bins by day.
    reference : mapping
        The histogram that the bins belong to.
    """
    import numpy as np
    from scipy.special import chdtrc, fdtrc

    other = [reference["other"]] if "values" in reference else []
    before = np.asarray([*reference["counts"], *other, reference["nulls"]], np.float64)
    now = seen.counts.sum(axis=0)
    used = before + now > 0
    before, now = before[used], now[used]
    if len(now) < 2 or not now.sum() or not before.sum():
        return Shift(0.0, 1.0, float(now.sum()))
    # Half a row in each bin, so that an empty one says "rare" and not "infinitely different".
    old, new = (before + 0.5) / (before + 0.5).sum(), (now + 0.5) / (now + 0.5).sum()
    psi = float(((new - old) * np.log(new / old)).sum())
    effect, free, blocks = _design(seen.counts[:, used])
    chi_square = psi / (1 / before.sum() + 1 / now.sum()) / effect
    p = chdtrc(free, chi_square) if blocks < 2 else fdtrc(free, free * (blocks - 1), chi_square / (len(now) - 1))
    return Shift(psi, float(p), float(now.sum() / effect))


def _design(days: NDArray[np.float64]) -> tuple[float, float, int]:
    """From counts [days, bins]: rows that are worth one independent row (at least 1), degrees of freedom, days."""
    import numpy as np

    blocks, bins_, total = len(days), days.shape[1], days.sum()
    share = (days.sum(axis=0) + 0.5) / (total + 0.5 * bins_)
    if blocks < 2:
        return 1.0, bins_ - 1.0, blocks
    excess = days - days.sum(axis=1, keepdims=True) * share
    covariance = blocks / (blocks - 1) * (excess.T @ excess) / total / np.sqrt(np.outer(share, share))
    first, second = float(np.trace(covariance)), float((covariance**2).sum())
    free = min(max(first**2 / second, 1.0), bins_ - 1.0) if second > 0 else bins_ - 1.0
    return max(1.0, first / (bins_ - 1)), free, blocks
