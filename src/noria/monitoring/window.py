"""Window: what a monitor looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Window:
    """The predictions of a stretch of time that ends now, and what to compare them with.

    Attributes
    ----------
    now : datetime
        Its end, exclusive, UTC.
    times : array of int64, [N]
        When each was asked: microseconds since 1970-01-01 UTC.
    columns : mapping of str to array or sequence, [N] each
        The features that were served: numbers as floats (NaN is null), categories as a sequence of str or None.
    scores : array of float64, [N]
        The probabilities that were answered.
    labels : array of float64, [N]
        0 or 1 where the answer is known by now, else NaN.
    reference : mapping
        What training left: ``{"features": {name: histogram}, "scores": histogram}``; see `noria.monitoring.histogram`.
    metric : str
        What the search maximised: ``average_precision``, ``roc_auc`` or ``log_loss``.
    skill : float
        The skill of the version on its sealed test, see `noria.training.skill`.
    """

    now: datetime
    times: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.floating[Any]] | Sequence[str | None]]
    scores: NDArray[np.float64]
    labels: NDArray[np.float64]
    reference: Mapping[str, Any] = field(default_factory=dict)
    metric: str = "average_precision"
    skill: float = 0.0

    @property
    def rows(self) -> int:
        """How many predictions."""
        return len(self.times)
