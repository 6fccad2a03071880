"""Features: windowed aggregates and lookups that are the same in training, in the stream and in a request.

A kind of aggregate is one file in ``aggregates`` and one line here. What needs NumPy or Polars is imported
when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from noria.features.aggregates import (
    Count,
    First,
    Last,
    Max,
    Mean,
    Min,
    Std,
    Sum,
    WindowAggregate,
    count,
    first,
    last,
    max,
    mean,
    min,
    std,
    sum,
)
from noria.features.steps import joined, materialise, schemas_of, steps, tables_of
from noria.features.stores import OnlineStore, open_store, temporary_url

if TYPE_CHECKING:
    from noria.features.catalogue import Feature, features_of, plans_of
    from noria.features.service import FeatureService
    from noria.features.stream import StreamWorker

_LAZY = {
    "Feature": "catalogue",
    "FeatureService": "service",
    "StreamWorker": "stream",
    "features_of": "catalogue",
    "plans_of": "catalogue",
}

__all__ = [
    "Count",
    "Feature",
    "FeatureService",
    "First",
    "Last",
    "Max",
    "Mean",
    "Min",
    "OnlineStore",
    "Std",
    "StreamWorker",
    "Sum",
    "WindowAggregate",
    "count",
    "features_of",
    "first",
    "joined",
    "last",
    "materialise",
    "max",
    "mean",
    "min",
    "open_store",
    "plans_of",
    "schemas_of",
    "std",
    "steps",
    "sum",
    "tables_of",
    "temporary_url",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'noria.features' has no attribute '{name}'")
    return getattr(importlib.import_module(f"noria.features.{_LAZY[name]}"), name)
