"""Rehearsal: a past period is lived again through the real parts, under a clock that is told."""

from noria.rehearsal.steps import step

__all__ = ["step"]
