"""Agreement: are features from two paths the same, and if not, which, when and by how much?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noria.core import from_micros

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RELATIVE = 2.0**-22
"""Features are float32, whose last bit is worth 2**-23 to 2**-24 of the value: one bit of rounding on either path."""

ABSOLUTE = 1e-9

_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a comparison found.

    Attributes
    ----------
    rows, features : int
        How many were compared; rows times features is the number of values.
    mismatches : int
        Values that differ by more than float32 can hold, or of which only one is null.
    largest : float
        The largest absolute difference of two numbers.
    by_feature : mapping of str to int
        Mismatches by feature, only those that have some.
    examples : list of dict
        The first mismatches: ``{"feature", "row", "time", "offline", "online"}``.
    """

    rows: int
    features: int
    mismatches: int
    largest: float
    by_feature: Mapping[str, int]
    examples: list[dict[str, Any]]

    def to_body(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "rows": self.rows,
            "features": self.features,
            "mismatches": self.mismatches,
            "largest": self.largest,
            "by_feature": dict(self.by_feature),
            "examples": self.examples,
        }


def agreement(
    kinds: Mapping[str, str],
    rows: Sequence[int],
    times: Sequence[int],
    offline: Mapping[str, Any],
    online: Mapping[str, Any],
) -> Agreement:
    """Compare features from the training set with those of the request path.

    Parameters
    ----------
    kinds : mapping of str to str
        The features: ``number`` or ``category``.
    rows, times : sequence of int, [N]
        The spine's row of each, and when it was asked (microseconds since 1970-01-01 UTC).
    offline, online : mapping of str to array or sequence, [N] each
        Numbers with NaN for null; categories as texts, where null and the empty text are the same.
    """
    import numpy as np

    largest = 0.0
    by_feature: dict[str, int] = {}
    examples: list[dict[str, Any]] = []
    for name, kind in kinds.items():
        before, now = offline[name], online[name]
        if kind == "number":
            before, now = np.asarray(before, np.float64), np.asarray(now, np.float64)
            wrong, difference = _numbers(before, now)
            largest = max(largest, difference)
        else:
            wrong = np.fromiter(((a or "") != (b or "") for a, b in zip(before, now, strict=True)), bool, len(rows))
        found = np.flatnonzero(wrong)
        if len(found):
            by_feature[name] = len(found)
        examples += [
            {"feature": name, "row": rows[n], "time": from_micros(int(times[n])).isoformat(),
             "offline": _plain(before[n]), "online": _plain(now[n])}
            for n in found[: max(0, _EXAMPLES - len(examples))].tolist()
        ]  # fmt: skip
    return Agreement(len(rows), len(kinds), sum(by_feature.values()), largest, by_feature, examples)


def _numbers(before: NDArray[np.float64], now: NDArray[np.float64]) -> tuple[NDArray[np.bool_], float]:
    """Which differ, and the largest difference."""
    import numpy as np

    null = np.isnan(before) | np.isnan(now)
    with np.errstate(invalid="ignore"):
        difference = np.where(null | (before == now), 0.0, np.abs(before - now))
        limit = ABSOLUTE + RELATIVE * np.maximum(np.abs(before), np.abs(now))
    wrong = np.where(null, np.isnan(before) != np.isnan(now), ~(difference <= limit))
    finite = difference[np.isfinite(difference)]
    return wrong, float(finite.max(initial=0.0))


def _plain(value: Any) -> float | str | None:
    return None if value is None or value != value else value if isinstance(value, str) else float(value)
