"""Rehearsal: a past period, lived again before going live."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, field_validator

from noria.core import UTC
from noria.declarations.declaration import Declaration, Micros


class Rehearsal(Declaration):
    """A past period that is lived again through the real parts, under a clock that is told.

    Parameters
    ----------
    start, end : datetime
        The period, end exclusive, in UTC.
    patience : duration
        The shortest time between two retrainings.
    """

    start: datetime = Field(kw_only=False)
    end: datetime = Field(kw_only=False)
    patience: Micros = 7 * 86400 * 10**6

    @field_validator("start", "end")
    @classmethod
    def _utc(cls, value: datetime) -> datetime:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
