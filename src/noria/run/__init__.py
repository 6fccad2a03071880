"""Run: a plan is executed, step by step, each in a process of its own, within its limits."""

from noria.run.anomalies import alarms_of
from noria.run.execution import Progress, RunResult, Silent, State, execute
from noria.run.limits import refuse_unknown_limits
from noria.run.selection import select
from noria.run.told import recover

__all__ = [
    "Progress",
    "RunResult",
    "Silent",
    "State",
    "alarms_of",
    "execute",
    "recover",
    "refuse_unknown_limits",
    "select",
]
