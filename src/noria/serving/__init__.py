"""The request path: one endpoint's versions behind HTTP, its routes, its prediction log.

What only reads or writes routes (gates, rehearsals) imports nothing heavy; the rest is imported when it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from noria.serving.routes import Routes, read_routes, write_routes

if TYPE_CHECKING:
    from noria.serving.logged import Logged, find_prediction, read_log
    from noria.serving.process import ServerProcess
    from noria.serving.server import serve

_TABLE = {
    "Logged": "logged",
    "ServerProcess": "process",
    "find_prediction": "logged",
    "read_log": "logged",
    "serve": "server",
}

__all__ = [
    "Logged",
    "Routes",
    "ServerProcess",
    "find_prediction",
    "read_log",
    "read_routes",
    "serve",
    "write_routes",
]


def __getattr__(name: str) -> Any:
    module = _TABLE.get(name)
    if module is None:
        raise AttributeError(f"module 'noria.serving' has no attribute '{name}'")
    value = globals()[name] = getattr(importlib.import_module(f"noria.serving.{module}"), name)
    return value
