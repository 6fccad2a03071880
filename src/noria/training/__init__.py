"""Splits, candidates, a search under a budget, calibration, and an honest test."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from noria.training.candidates import Baseline, Fitted, Learner, LightGBM, LogisticRegression
from noria.training.splits import Part, Parts, parts_of
from noria.training.steps import check_search, steps

if TYPE_CHECKING:
    from noria.training.bootstrap import Draws, Estimate, compare, compare_unpaired, estimate
    from noria.training.metrics import METRICS, score, skill

_TABLE = {
    "METRICS": "metrics",
    "Draws": "bootstrap",
    "Estimate": "bootstrap",
    "compare": "bootstrap",
    "compare_unpaired": "bootstrap",
    "estimate": "bootstrap",
    "score": "metrics",
    "skill": "metrics",
}

__all__ = [
    "METRICS",
    "Baseline",
    "Draws",
    "Estimate",
    "Fitted",
    "Learner",
    "LightGBM",
    "LogisticRegression",
    "Part",
    "Parts",
    "check_search",
    "compare",
    "compare_unpaired",
    "estimate",
    "parts_of",
    "score",
    "skill",
    "steps",
]


def __getattr__(name: str) -> Any:
    module = _TABLE.get(name)
    if module is None:
        raise AttributeError(f"module 'noria.training' has no attribute '{name}'")
    value = globals()[name] = getattr(importlib.import_module(f"noria.training.{module}"), name)
    return value
