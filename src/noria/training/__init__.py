"""Splits, candidates, a search under a budget, calibration, and an honest test."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from noria.training.candidates import Baseline, Fitted, Learner, LightGBM, LogisticRegression
from noria.training.preprocessing import (
    Bins,
    Clip,
    Cycle,
    Encode,
    Impute,
    Rare,
    Scale,
    TextLength,
    Transform,
    Units,
    bins,
    clip,
    cycle,
    encode,
    impute,
    rare,
    scale,
    text_length,
    units,
)
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
    "Bins",
    "Clip",
    "Cycle",
    "Draws",
    "Encode",
    "Estimate",
    "Fitted",
    "Impute",
    "Learner",
    "LightGBM",
    "LogisticRegression",
    "Part",
    "Parts",
    "Rare",
    "Scale",
    "TextLength",
    "Transform",
    "Units",
    "bins",
    "check_search",
    "clip",
    "compare",
    "compare_unpaired",
    "cycle",
    "encode",
    "estimate",
    "impute",
    "parts_of",
    "rare",
    "scale",
    "score",
    "skill",
    "steps",
    "text_length",
    "units",
]


def __getattr__(name: str) -> Any:
    module = _TABLE.get(name)
    if module is None:
        raise AttributeError(f"module 'noria.training' has no attribute '{name}'")
    value = globals()[name] = getattr(importlib.import_module(f"noria.training.{module}"), name)
    return value
