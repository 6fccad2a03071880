"""The step that writes the report."""

from __future__ import annotations

import contextlib
import functools

from noria.console.page import SECTIONS, look, page
from noria.console.record import read_record
from noria.declarations import Project
from noria.ledger import open_ledger
from noria.steps import Outcome, Step, StepContext
from noria.workspace import write_atomically


def step(project: Project) -> tuple[Step, ...]:
    """The step ``report``, which reads what all others left.

    Notes
    -----
    Output ``report``: the workspace's ``report.html``. Facts: ``bytes``, ``sections``, ``events`` of the ledger that it
    looked at are ``seen``, and ``head``, the digest of the last of them.
    """
    ingests = [f"ingest:{source.name}" for source in project.sources]
    after = ["rehearse"] if project.rehearsal is not None else []
    inputs = (*ingests, "training-set", "materialise", "train", "evaluate", "package", "register", "gates", *after)
    declared = {"project": project, "look": look()}
    return (Step("report", functools.partial(_report, project=project), declared, inputs=inputs),)


def _report(ctx: StepContext, project: Project) -> Outcome:
    with contextlib.closing(open_ledger(ctx.workspace.ledger, ctx.clock)) as ledger:
        record = read_record(ledger, ctx.run, tuple(ctx.inputs))
    facts = {name: outcome.facts for name, outcome in ctx.inputs.items()}
    html = page(project, facts, record, ctx.clock.now()).encode()
    write_atomically(ctx.workspace.report, html)
    return Outcome(
        {"report": ctx.reference(ctx.workspace.report)},
        {
            "bytes": len(html),
            "sections": [anchor for anchor, _ in SECTIONS],
            "seen": record.head.seq if record.head else 0,
            "head": record.head.digest if record.head else "",
        },
    )
