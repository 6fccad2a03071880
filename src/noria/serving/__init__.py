"""The request path: one endpoint's versions behind HTTP, its routes, its prediction log.

What only reads or writes routes (gates, rehearsals) imports nothing heavy; the server is imported when it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from noria.serving.routes import Routes, read_routes, write_routes

if TYPE_CHECKING:
    from noria.serving.process import ServerProcess
    from noria.serving.server import serve

_TABLE = {"ServerProcess": "process", "serve": "server"}

__all__ = ["Routes", "ServerProcess", "read_routes", "serve", "write_routes"]


def __getattr__(name: str) -> Any:
    module = _TABLE.get(name)
    if module is None:
        raise AttributeError(f"module 'noria.serving' has no attribute '{name}'")
    value = globals()[name] = getattr(importlib.import_module(f"noria.serving.{module}"), name)
    return value
