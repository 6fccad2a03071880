"""What a model version is: a graph, a signed package, a card, an entry in a registry.

What serves (`Package`, `open_package`, `Scorer`) needs no frame library and no training library; the rest is imported
when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from noria.models.steps import steps

if TYPE_CHECKING:
    from noria.models.onnx import Graph
    from noria.models.onnxruntime import Scorer
    from noria.models.package import Manifest, ModelFeature, Package, open_package
    from noria.models.vocabulary import Category, Vocabulary

_TABLE = {
    "Category": "vocabulary",
    "Graph": "onnx",
    "Manifest": "package",
    "ModelFeature": "package",
    "Package": "package",
    "Scorer": "onnxruntime",
    "Vocabulary": "vocabulary",
    "open_package": "package",
}

__all__ = [
    "Category",
    "Graph",
    "Manifest",
    "ModelFeature",
    "Package",
    "Scorer",
    "Vocabulary",
    "open_package",
    "steps",
]


def __getattr__(name: str) -> Any:
    module = _TABLE.get(name)
    if module is None:
        raise AttributeError(f"module 'noria.models' has no attribute '{name}'")
    value = globals()[name] = getattr(importlib.import_module(f"noria.models.{module}"), name)
    return value
