"""The lake on Delta tables (delta-rs)."""

from noria.lake.delta.table import DeltaLake

__all__ = ["DeltaLake"]
