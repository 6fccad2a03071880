"""Splits, candidates, a search under a budget, calibration, and an honest test."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from noria.training.candidates import Baseline, Fitted, Learner, LightGBM, LogisticRegression
from noria.training.splits import Part, Parts, parts_of
from noria.training.steps import steps

if TYPE_CHECKING:
    from noria.training.bootstrap import blocks_of, tail
    from noria.training.metrics import METRICS, by_group, score, skill

_TABLE = {
    "METRICS": "metrics",
    "blocks_of": "bootstrap",
    "by_group": "metrics",
    "score": "metrics",
    "skill": "metrics",
    "tail": "bootstrap",
}

__all__ = [
    "METRICS",
    "Baseline",
    "Fitted",
    "Learner",
    "LightGBM",
    "LogisticRegression",
    "Part",
    "Parts",
    "blocks_of",
    "by_group",
    "parts_of",
    "score",
    "skill",
    "steps",
    "tail",
]


def __getattr__(name: str) -> Any:
    module = _TABLE.get(name)
    if module is None:
        raise AttributeError(f"module 'noria.training' has no attribute '{name}'")
    value = globals()[name] = getattr(importlib.import_module(f"noria.training.{module}"), name)
    return value
