"""The lake: versioned tables that other engines can read."""

from noria.core import backend_of
from noria.lake.delta import DeltaLake, TableVersion

BACKENDS = {"file": "noria.lake.delta:DeltaLake"}


def open_lake(url: str) -> DeltaLake:
    """The lake at a URL: ``file:///path``."""
    lake: DeltaLake = backend_of(url, BACKENDS, group="noria.lakes")(url)
    return lake


__all__ = ["BACKENDS", "DeltaLake", "TableVersion", "open_lake"]
