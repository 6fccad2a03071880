"""Limits of a run, as `noria.declarations.Limits` says them: whom they fit, and whether a running step is over one."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase

from noria.child import Child
from noria.core import NoriaError, ResourceError
from noria.declarations import Limits, duration_text
from noria.plan import Plan


def limits_of(plan: Plan) -> Mapping[str, Limits]:
    """Step to its limits.

    Raises
    ------
    DeclarationError
        A limit is one that this system cannot hold a step to.
    """
    declared = plan.project.limits
    found = {planned.step.name: declared.of(planned.step.name) for planned in plan.steps}
    if sys.platform != "linux" and (held := [name for name in found if found[name].memory is not None]):
        mend = "leave memory out here: only Linux says what a process holds"
        raise declared.refuse("memory cannot be limited on this system", field="memory", value=held[0], mend=mend)
    return found


def refuse_unknown_limits(plan: Plan) -> None:
    """Refuse limits of steps that a project does not have; `plan` is the whole of it."""
    names, declared = [planned.step.name for planned in plan.steps], plan.project.limits
    for pattern, _ in declared.steps:
        if not any(fnmatchcase(name, pattern) for name in names):
            near = difflib.get_close_matches(pattern, names, n=1)
            mend = f"did you mean '{near[0]}'?" if near else "one of " + ", ".join(names)
            raise declared.refuse("no step has this name", field="steps", value=pattern, mend=mend)


def over(child: Child, seconds: float, limits: Limits, step: str) -> NoriaError | None:
    """Why a running step has to be ended; None where it is within its limits."""
    if limits.time is not None and seconds * 1e6 > limits.time:
        return _over(step, "took longer than it may", duration_text(limits.time), "time")
    if limits.memory is not None and child.memory() > limits.memory:
        return _over(step, "holds more memory than it may", f"{limits.memory / 1e6:,.0f} MB", "memory")
    return None


def _over(step: str, message: str, limit: str, field: str) -> NoriaError:
    mend = f"let it do less, or give it more: limits=nr.Limits(steps={{'{step}': nr.Limits({field}=…)}})"
    return ResourceError(f"step {step} {message} and was ended", value=f"its limit is {limit}", mend=mend)
