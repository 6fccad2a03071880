"""Monitor: what is watched, and what an alarm does."""

from __future__ import annotations

from typing import Literal

from noria.declarations.declaration import Declaration, Micros


class Monitor(Declaration):
    """Something watched on an endpoint, in rehearsals. Kinds live in `noria.monitoring`, one file each.

    Parameters
    ----------
    window : duration
        How much of the past one check looks at.
    every : duration
        How often it checks.
    action : str
        What an alarm does: ``"alarm"`` only tells, ``"retrain"`` also trains a new version, which must pass the same
        gates.
    """

    window: Micros = 7 * 86400 * 10**6
    every: Micros = 86400 * 10**6
    action: Literal["alarm", "retrain"] = "alarm"
