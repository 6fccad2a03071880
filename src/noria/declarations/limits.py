"""Limits: what a run, and each of its steps, may take."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from noria.declarations.declaration import Declaration, Micros, as_pairs

_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*(B|kB|KB|MB|GB|TB)$")
_UNITS = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def _as_bytes(value: object) -> object:
    if isinstance(value, str):
        match = _SIZE.match(value.strip())
        if not match:
            raise ValueError("a size is a number and one of B, kB, MB, GB, TB: '800MB', '4GB'")
        return round(float(match.group(1)) * _UNITS[match.group(2)])
    return value


class Limits(Declaration):
    """What a run, and each of its steps, may take.

    Parameters
    ----------
    jobs : int, optional
        Steps that run at once; by default as many as there are cores. ``noria run --jobs`` comes before it.
    tries : int
        How often a step is tried that fails by an outside fault, such as a server that is away. Other errors, and a
        limit that is broken, would come again: they are not tried again.
    pause : duration
        Before the second try, on average; each further pause is twice as long.
    time : duration, optional
        The most that a step may take by the clock. Beyond it the step is ended and the run fails.
    memory : size, optional
        The most memory that a step may hold, such as ``"4GB"``; looked at five times a second, on Linux only.
    steps : dict, optional
        Limits of single steps, by name: ``{"train": Limits(time="2h"), "ingest:*": Limits(tries=5)}``. What one of them
        does not say is as said here; where several fit a step, the last that says something counts.

    Examples
    --------
    >>> limits = Limits(tries=2, steps={"train": Limits(time="30m", memory="4GB")})
    >>> limits.of("train").time == 30 * 60 * 10**6, limits.of("train").tries, limits.of("report").time
    (True, 2, None)
    """

    jobs: int | None = Field(default=None, ge=1)
    tries: int = Field(default=3, ge=1)
    pause: Micros = Field(default=1_000_000, ge=0)
    time: Micros | None = Field(default=None, gt=0)
    memory: Annotated[int | None, BeforeValidator(_as_bytes)] = Field(default=None, gt=0)
    steps: Annotated[tuple[tuple[str, Limits], ...], BeforeValidator(as_pairs)] = ()

    @model_validator(mode="after")
    def _of_one_step(self) -> Limits:
        for name, one in self.steps:
            if one.jobs is not None or one.steps:
                raise ValueError(f"a step has no jobs and no steps of its own: {name}")
        return self

    def of(self, step: str) -> Limits:
        """What holds for one step, by its name."""
        from fnmatch import fnmatchcase

        fields = {name: getattr(self, name) for name in ("tries", "pause", "time", "memory")}
        for pattern, one in self.steps:
            if fnmatchcase(step, pattern):
                fields |= {name: getattr(one, name) for name in one.model_fields_set}
        return Limits(**fields)
