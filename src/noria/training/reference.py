"""Reference: what features and scores looked like on the validation rows, for monitors to compare with.

Numbers: ``{"edges": [e0, …, ek], "counts": [c1, …, ck], "nulls": n}``; a bin holds what is at least its lower edge and
less than its upper one, and what lies beyond falls into the first or last.
Categories: ``{"values": […], "counts": […], "other": n, "nulls": n}``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from noria.models import Category
from noria.training.rows import Rows

_BINS = 10
_VALUES = 50


def reference_of(rows: Rows, probabilities: NDArray[np.float64]) -> dict[str, Any]:
    """Histograms of every feature, and of the model's probabilities, as plain JSON.

    Parameters
    ----------
    rows : Rows
        n validation rows.
    probabilities : float64 [n]
        What the model says of them.
    """
    numbers = {name: _numbers(rows.numbers[:, place]) for place, name in enumerate(rows.number_names)}
    texts = {name: _values(rows.category(name)) for name in rows.category_names}
    return {"rows": len(rows), "features": {**numbers, **texts}, "scores": _numbers(probabilities)}


def _numbers(values: NDArray[Any]) -> dict[str, Any]:
    """Bins between deciles; a value that is many deciles has a bin of its own, so that a rare other one shows."""
    finite = np.sort(values[np.isfinite(values)].astype(np.float64))
    nulls = int(np.isnan(values).sum())
    if not len(finite):
        return {"edges": [0.0, 0.0], "counts": [len(values) - nulls], "nulls": nulls}
    deciles = np.quantile(finite, np.linspace(0, 1, _BINS + 1), method="inverted_cdf")
    frequent = np.unique(deciles[1:][np.diff(deciles) == 0])
    after = np.searchsorted(finite, frequent, side="right")
    inner = np.unique([*deciles[1:-1], *finite[after[after < len(finite)]]])
    edges = np.concatenate([finite[:1], inner[inner > finite[0]], finite[-1:]])
    found = np.searchsorted(edges[1:-1], values[~np.isnan(values)], side="right")
    counts = np.bincount(found, minlength=len(edges) - 1)
    return {"edges": edges.tolist(), "counts": counts.tolist(), "nulls": nulls}


def _values(column: Category) -> dict[str, Any]:
    counts = np.bincount(column.codes + 1, minlength=len(column.levels) + 1)
    order = np.argsort(-counts[1:], kind="stable")
    kept = [place for place in order[:_VALUES] if counts[1 + place]]
    shown = [int(counts[1 + place]) for place in kept]
    return {
        "values": [column.levels[place] for place in kept],
        "counts": shown,
        "other": int(counts[1:].sum()) - sum(shown),
        "nulls": int(counts[0]),
    }
