"""Selection: a part of a plan."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import replace

from noria.core import DeclarationError
from noria.plan import Plan


def select(plan: Plan, *, only: Sequence[str] = (), until: Sequence[str] = ()) -> Plan:
    """The plan without the due steps that are not asked for; without `only` and `until` the whole plan.

    Parameters
    ----------
    plan : Plan
        From `compile_plan`.
    only : sequence of str
        Run these steps and no others.
    until : sequence of str
        Run these steps and what they wait for.

    Raises
    ------
    DeclarationError
        There is no such step, or it waits for one that is not asked for.
    """
    if not (only or until):
        return plan
    inputs = {planned.step.name: planned.step.inputs for planned in plan.steps}
    for name in (*only, *until):
        if name not in inputs:
            near = difflib.get_close_matches(name, inputs, n=1)
            mend = f"did you mean '{near[0]}'?" if near else "one of " + ", ".join(inputs)
            raise DeclarationError("the project has no such step", value=name, mend=mend)
    wanted = {*only, *until}
    for planned in reversed(plan.steps):
        if planned.step.name in wanted and planned.step.name not in only:
            wanted |= set(planned.step.inputs)
    due = {planned.step.name for planned in plan.due}
    for name in only:
        _refuse_waiting(name, [other for other in inputs[name] if other in due and other not in wanted])
    return replace(plan, steps=tuple(p for p in plan.steps if p.step.name in wanted or not p.due))


def _refuse_waiting(name: str, others: Collection[str]) -> None:
    if others:
        raise DeclarationError(
            f"step '{name}' waits for steps that have to run first",
            value=", ".join(others),
            mend=f"--until {name} runs them too",
        )
