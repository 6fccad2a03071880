"""Calibration: margins to probabilities that mean what they say.

Three ways are compared by log loss on rows that each had not seen: the validation rows are cut into stretches of
time, and each stretch is scored by a calibration of the others. The best way is then fitted to all of them. All ways
keep the order of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from noria.training.metrics import score

if TYPE_CHECKING:
    from noria.models import Graph

WAYS = ("none", "platt", "beta")
_FOLDS = 5
_WORTH = 1e-4  # log loss: a better way must be better by this much than a simpler one
_STEPS = 50


@dataclass(frozen=True, slots=True)
class Calibration:
    """A map from margin (log odds) to probability.

    ``none`` is the sigmoid; ``platt`` the sigmoid of ``slope * margin + shift``; ``beta`` (Kull and others, 2017) has
    one slope for ``log p`` and one for ``-log(1 - p)``.

    Attributes
    ----------
    way : str
        One of `WAYS`.
    slopes : tuple of float
        None, one or two.
    shift : float
        Added last.
    log_loss : mapping of str to float
        Of each way, on rows that it had not seen.
    """

    way: str
    slopes: tuple[float, ...] = ()
    shift: float = 0.0
    log_loss: Mapping[str, float] = field(default_factory=dict)

    def probability(self, margin: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities, float64 ``[n]``."""
        if self.way == "none":
            return _sigmoid(margin)
        return _sigmoid(_columns(self.way, margin) @ np.array(self.slopes) + self.shift)

    def draw(self, graph: Graph, margin: str) -> str:
        """The same in a graph; returns the name of the probability."""
        if self.way == "none":
            return graph.add("Sigmoid", margin)
        if self.way == "platt":
            total = graph.add("Mul", margin, graph.constant(np.array(self.slopes[0], np.float32)))
        else:
            low = graph.add("Softplus", graph.add("Neg", margin))  # -log p
            high = graph.add("Softplus", margin)  # -log(1 - p)
            total = graph.add(
                "Add",
                graph.add("Mul", low, graph.constant(np.array(-self.slopes[0], np.float32))),
                graph.add("Mul", high, graph.constant(np.array(self.slopes[1], np.float32))),
            )
        return graph.add("Sigmoid", graph.add("Add", total, graph.constant(np.array(self.shift, np.float32))))

    def to_body(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"way": self.way, "slopes": list(self.slopes), "shift": self.shift, "log_loss": dict(self.log_loss)}


def calibrate(margin: NDArray[np.float64], labels: NDArray[np.int8]) -> Calibration:
    """The way with the best log loss on rows that it had not seen, fitted to all rows.

    Parameters
    ----------
    margin : float64 [n]
        Of the validation rows, in order of time.
    labels : int8 [n]
        0 or 1.
    """
    folds = np.arange(len(labels)) * _FOLDS // max(len(labels), 1)
    loss = {}
    for way in WAYS:
        guessed = np.empty(len(labels))
        for fold in range(_FOLDS):
            held = folds == fold
            guessed[held] = _fit(way, margin[~held], labels[~held]).probability(margin[held])
        loss[way] = -score("log_loss", labels, guessed)
    best = "none"
    for way in WAYS[1:]:
        if loss[way] < loss[best] - _WORTH:
            best = way
    fitted = _fit(best, margin, labels)
    return Calibration(fitted.way, fitted.slopes, fitted.shift, loss)


def _fit(way: str, margin: NDArray[np.float64], labels: NDArray[np.int8]) -> Calibration:
    """Newton's method on the log loss; slopes that would turn the order round are set to 0, as the beta map demands."""
    if way == "none" or len(np.unique(labels)) < 2:
        return Calibration("none")
    columns = np.column_stack([_columns(way, margin), np.ones(len(margin))])
    weights = _newton(columns, labels, np.array([1.0] * (columns.shape[1] - 1) + [0.0]))
    if (weights[:-1] < 0).any():
        kept = np.append(weights[:-1] >= 0, True)
        again = np.zeros(len(weights))
        again[kept] = _newton(columns[:, kept], labels, np.zeros(int(kept.sum())))
        weights = np.append(np.maximum(again[:-1], 0.0), again[-1])
    return Calibration(way, tuple(float(slope) for slope in weights[:-1]), float(weights[-1]))


def _newton(
    columns: NDArray[np.float64], labels: NDArray[np.int8], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    ridge = np.eye(columns.shape[1]) * 1e-6
    for _ in range(_STEPS):
        guessed = _sigmoid(columns @ weights)
        gradient = columns.T @ (guessed - labels) + ridge @ weights
        curvature = (columns * (guessed * (1 - guessed))[:, None]).T @ columns + ridge
        step = np.clip(np.linalg.solve(curvature, gradient), -1.0, 1.0)
        weights = weights - step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def _columns(way: str, margin: NDArray[np.float64]) -> NDArray[np.float64]:
    if way == "platt":
        return margin[:, None]
    return np.column_stack([-np.logaddexp(0, -margin), np.logaddexp(0, margin)])


def _sigmoid(margin: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1 + np.tanh(margin / 2)), np.float64)
