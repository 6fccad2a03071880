"""The step that lives a past period again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from noria import child
from noria.declarations import Project
from noria.rehearsal.retrain import own_workspace
from noria.steps import Outcome, Step, StepContext
from noria.workspace import Workspace

_CODE = (
    "core",
    "cost",
    "declarations",
    "expressions",
    "features",
    "gates",
    "lake",
    "ledger",
    "models",
    "monitoring",
    "plan",
    "rehearsal",
    "run",
    "security",
    "serving",
    "steps",
    "training",
    "workspace",
)


def step(project: Project) -> tuple[Step, ...]:
    """The step ``rehearse``; none where the project has no rehearsal.

    Raises
    ------
    DeclarationError
        The rehearsal ends before it starts, a monitor never checks, or monitors and gates are not kinds that can.

    Notes
    -----
    The outcome's facts, all plain JSON; times are ISO 8601, seconds wall time, money in the price book's currency:

    ``start``, ``end``, ``metric``, ``frozen``, ``final``
        The period; what was maximised; the versions that had the requests at the start and at the end.
    ``questions``, ``requests``, ``single``, ``events``
        Questions asked; HTTP requests that carried them (questions of one moment go together); requests of one question;
        events that went through the stream path.
    ``p50_ms``, ``p99_ms``
        Latency of the requests with one question, as the client saw it.
    ``overall``, ``days``
        See `noria.rehearsal.compare.compare`.
    ``alarms``
        ``[{"monitor", "at", "action", "text", "facts", "version"}]``.
    ``retrainings``
        ``[{"at", "because", "monitor", "version", "passed", "seconds", "cost", "steps", "findings", "canary"}]``; canary is
        null where the version was refused or the period ended first, else ``{"ended", "promoted", "text", "rows", …}``.
    ``parity``
        Served features against the batch training set: ``rows``, ``features``, ``mismatches``, ``largest``, ``by_feature``,
        ``examples``.
    ``cost``
        ``{"currency", "retraining", "serving", "per_thousand"}``: of retrainings, of the server's processor and memory, of a
        thousand predictions.
    ``seconds``
        Where the time went: ``events``, ``requests``, ``duties``.
    """
    rehearsal = project.rehearsal
    if rehearsal is None:
        return ()
    if rehearsal.start >= rehearsal.end:
        raise rehearsal.refuse("the rehearsal ends before it starts", field="end", value=rehearsal.end.isoformat())
    for monitor in project.monitors:
        if not isinstance(monitor, Watch):
            raise monitor.refuse(
                "this monitor cannot check anything", mend="a kind of noria.monitoring, or a subclass of Watch"
            )
        if monitor.every <= 0 or monitor.window <= 0:
            field = "every" if monitor.every <= 0 else "window"
            raise monitor.refuse("a duration must be longer than nothing", field=field, value=getattr(monitor, field))
    declared = {"project": project}
    ingests = [f"ingest:{source.name}" for source in project.sources]
    inputs = (*ingests, "training-set", "train", "evaluate", "package", "gates")
    return (Step("rehearse", functools.partial(_rehearse, project=project), declared, _CODE, inputs=inputs),)


def _rehearse(ctx: StepContext, project: Project) -> Outcome:
    if not ctx.inputs["gates"].facts["promoted"]:
        return Outcome({}, {"skipped": "no version passed its gates, so there is nothing to rehearse"})
    began = time.perf_counter()
    own = own_workspace(ctx.workspace, ctx.scratch / "life", ctx.inputs)
    period = _alone(own, "read", functools.partial(_read_period, ctx, project))
    _alone(own, "fill", functools.partial(_fill, ctx, project, own))
    life, usage = _live(ctx, project, own, period)
    compared = _alone(own, "compare", functools.partial(_compared, ctx, project, life, period))
    facts = _facts(project, life, period, compared, usage)
    ...


def _alone(own: Workspace, what: str, function: Callable[[Callable[[str], None]], Any]) -> Any:
    """Do something heavy in a child: this process stays light and single-threaded, so that steps can be forked off it."""
    logs = own.root / "logs"
    return child.call(f"rehearsal: {what}", function, log=logs / f"{what}.log", crash=logs / f"{what}.txt")
