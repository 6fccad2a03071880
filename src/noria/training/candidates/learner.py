"""Learner: what every kind of candidate can do."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from noria.declarations import Candidate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.models import Graph
    from noria.training.rows import Rows

Params = Mapping[str, Any]
"""Chosen parameters: plain JSON."""


class Fitted(Protocol):
    """A trained model, before calibration."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a reader of the leaderboard wants to know of it: plain JSON."""

    def margin(self, rows: Rows) -> NDArray[np.float64]:
        """Log odds, float64 ``[n]``."""

    def draw(self, graph: Graph) -> str:
        """Add the same computation to a graph; returns the name of the margin, float32 of N elements."""

    def importances(self) -> dict[str, float]:
        """How much each feature counts: shares that sum to 1; empty where nothing does."""


class Learner(Candidate):
    """A kind of candidate: its parameters are its fields, its behaviour these methods."""

    most_trials: ClassVar[int | None] = None
    """The most trials that are worth it; None for one that takes what is left."""

    @abstractmethod
    def first(self) -> dict[str, Any]:
        """The parameters of the first trial: good ones to start from, within `space`."""

    @abstractmethod
    def space(self, trial: Any) -> dict[str, Any]:
        """The parameters of a later trial, by ``trial.suggest_float``, ``suggest_int`` and ``suggest_categorical``."""

    @abstractmethod
    def trainer(self, train: Rows, validate: Rows, metric: str, seed: int) -> Callable[[Params], Fitted]:
        """Prepare the rows once; what is returned trains with given parameters, and gives the same model every time.

        `validate` may be used to stop early, and for nothing else.
        """
