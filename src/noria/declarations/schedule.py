"""Schedule: when a project is brought up to date."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from noria.core import UTC, require
from noria.declarations.declaration import Declaration, Micros

_FIELD = re.compile(r"[0-9A-Za-z*,/#-]+")
_LOOKED_AT = 100
"""So many times in a row are looked at for the shortest pause between two."""


class Schedule(Declaration):
    """When a project is brought up to date: ``noria schedule run`` follows it, ``noria schedule export`` hands it over.

    Parameters
    ----------
    cron : str
        Minute, hour, day of the month, month and day of the week, as cron has them: ``"0 6 * * 1-5"``. ``L`` is the
        last day of the month, ``MON#1`` the first Monday, ``5L`` the last Friday.
    zone : str
        The time zone of those, such as ``"Europe/Berlin"``. Where clocks go forward, a time that does not exist comes
        at the first minute after it; where they go back, a time that comes twice counts once, unless minute or hour
        begins with a ``*``.
    catch_up : str
        What becomes of times that passed while nobody was there to run: ``"last"`` runs once for all of them, ``"all"``
        once for each, ``"none"`` not at all. A run that was killed is always taken up again.
    jitter : duration
        Each run starts up to this much later, so that many projects do not start at once; for one time always the same.
    overlap : str
        What becomes of a time that comes while a run is going on: ``"skip"`` leaves it out, ``"wait"`` runs after it.

    Examples
    --------
    >>> Schedule("0 6 * * *", zone="Europe/Berlin", jitter="5m").catch_up
    'last'
    """

    cron: str = Field(kw_only=False)
    zone: str = "UTC"
    catch_up: Literal["none", "last", "all"] = "last"
    jitter: Micros = Field(default=0, ge=0)
    overlap: Literal["skip", "wait"] = "skip"

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, cron: str) -> str:
        fields = cron.split()
        if len(fields) != 5 or not all(_FIELD.fullmatch(field) for field in fields):
            raise ValueError("minute, hour, day, month and weekday, with blanks between: '0 6 * * *' is daily at six")
        cronsim = require("cronsim", extra="schedule")
        try:
            next(cronsim.CronSim(" ".join(fields), datetime(2024, 1, 1)))
        except cronsim.CronSimError as error:
            raise ValueError(f"{error}: '0 6 * * 1-5' is at six from Monday to Friday") from None
        except StopIteration:
            raise ValueError("this day never comes") from None
        return " ".join(fields)

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):  # OSError: the name of a folder of zones
            raise ValueError("a time zone as IANA names it: 'UTC', 'Europe/Berlin'") from None
        return zone

    @model_validator(mode="after")
    def _in_order(self) -> Schedule:
        if self.jitter:
            times = require("cronsim", extra="schedule").CronSim(self.cron, datetime(2024, 1, 1, tzinfo=UTC))
            shortest = min((b - a for a, b in pairwise(islice(times, _LOOKED_AT))), default=timedelta.max)
            if timedelta(microseconds=self.jitter) >= shortest:
                raise ValueError(f"jitter is not shorter than the time between two runs, {shortest}")
        return self
