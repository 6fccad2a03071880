"""The steps that say what the tables hold, and the step that writes the report."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
from collections.abc import Mapping

from noria.console.page import SECTIONS, look, page
from noria.console.profile import without_values
from noria.console.record import read_record
from noria.contracts import Profile, kinds_declared, profile_of
from noria.declarations import Project, Source
from noria.lake import open_lake
from noria.ledger import open_ledger, table_and_version
from noria.steps import Outcome, Step, StepContext
from noria.workspace import write_atomically

_CELLS, _ROWS = 4_000_000, 131_072
"""A batch that is profiled has no more cells and rows: some ten megabytes, of tables with many columns too."""


def step(project: Project) -> tuple[Step, ...]:
    """The steps ``profile:<source>``, and ``report``, which reads what all others left.

    Notes
    -----
    Output ``profile`` of the first: ``profile.json``, what the source's table holds. Facts: ``rows``, ``columns``, and
    ``personal``, column to what of people it seems to hold.

    Output ``report``: the workspace's ``report.html``. Facts: ``bytes``, ``sections``, ``events`` of the ledger that it
    looked at are ``seen``, and ``head``, the digest of the last of them.
    """
    profiles = tuple(_profiled(source) for source in project.sources)
    ingests = [f"ingest:{source.name}" for source in project.sources]
    after = ["rehearse"] if project.rehearsal is not None else []
    made = ("training-set", "materialise", "train", "evaluate", "package", "register", "gates")
    inputs = (*ingests, *(one.name for one in profiles), *made, *after)
    declared = {"project": project, "look": look()}
    return (*profiles, Step("report", functools.partial(_report, project=project), declared, inputs=inputs))


def _profiled(source: Source) -> Step:
    private = kinds_declared(source.contract.rules)
    work = functools.partial(_profile, source=source.name, private=private)
    declared = {"source": source.name, "private": private}
    return Step(f"profile:{source.name}", work, declared, inputs=(f"ingest:{source.name}",))


def _profile(ctx: StepContext, source: str, private: Mapping[str, str]) -> Outcome:
    table = open_lake(ctx.workspace.lake).read(*table_and_version(ctx.inputs[f"ingest:{source}"].outputs["table"]))
    size = min(_ROWS, _CELLS // max(1, len(table.collect_schema())))
    batches = table.collect_batches(chunk_size=max(size, 1000), lazy=True)
    no_rows = table.head(0).collect()  # so that a table without rows has columns, too
    found = without_values(profile_of(itertools.chain([no_rows], batches)), private)
    folder = ctx.scratch / "made"
    folder.mkdir(exist_ok=True)
    (folder / "profile.json").write_text(json.dumps(found.to_body(), ensure_ascii=False), encoding="utf-8")
    personal = {column.name: column.personal for column in found.columns if column.personal}
    return Outcome(
        {"profile": ctx.reference(ctx.publish(folder) / "profile.json")},
        {"rows": found.rows, "columns": len(found.columns), "personal": personal},
    )


def _profiles(ctx: StepContext) -> dict[str, Profile]:
    """Source to what its table holds."""
    return {
        name.partition(":")[2]: Profile.from_body(json.loads(ctx.path(each.outputs["profile"]).read_bytes()))
        for name, each in ctx.inputs.items()
        if name.startswith("profile:")
    }


def _report(ctx: StepContext, project: Project) -> Outcome:
    with contextlib.closing(open_ledger(ctx.workspace.ledger, ctx.clock)) as ledger:
        record = read_record(ledger, ctx.run, tuple(ctx.inputs))
    facts = {name: outcome.facts for name, outcome in ctx.inputs.items()}
    html = page(project, facts, _profiles(ctx), record, ctx.clock.now()).encode()
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
