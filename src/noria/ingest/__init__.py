"""Ingest: rows are read, shaped, checked and committed to the lake; what breaks the contract is kept apart."""

from noria.ingest.corrections import Correction, corrections_of, keep_correction
from noria.ingest.declared import schemas_of
from noria.ingest.prepare import prepared
from noria.ingest.replay import mends, replaying, set_aside
from noria.ingest.steps import steps

__all__ = [
    "Correction",
    "corrections_of",
    "keep_correction",
    "mends",
    "prepared",
    "replaying",
    "schemas_of",
    "set_aside",
    "steps",
]
