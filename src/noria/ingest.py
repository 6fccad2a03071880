"""Ingest: a source's rows, read, typed, derived, checked, and committed to the lake; what breaks the contract is kept apart."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.contracts import Checked, Refers, check, typed
from noria.core import DeclarationError, content_key
from noria.declarations import Project, Source
from noria.expressions import Kind, parse, polars_kinds, to_polars
from noria.lake import open_lake
from noria.sources import fingerprint, read
from noria.steps import Outcome, Step, StepContext

if TYPE_CHECKING:
    import polars as pl

    from noria.workspace import Workspace

_CODE = ("expressions", "sources", "contracts", "lake", "ingest")


def steps(project: Project, base: Path) -> tuple[Step, ...]:
    """One step a source, ``ingest:<source>``; a rule that refers to another source waits for it.

    Parameters
    ----------
    project : Project
        Whose sources; sources that only rules refer to must be among those that the project uses.
    base : Path
        The project's folder.
    """
    names = {source.name for source in project.sources}
    return tuple(_step(source, base, names) for source in project.sources)


def _step(source: Source, base: Path, names: set[str]) -> Step:
    referred = tuple(dict.fromkeys(rule.to for rule in source.contract.rules if isinstance(rule, Refers)))
    for name in referred:
        if name not in names:
            raise source.refuse(
                "a rule refers to a source that the project does not have",
                value=name,
                mend="one of " + ", ".join(sorted(names)),
            )
    found = fingerprint(source, base)
    return Step(
        name=f"ingest:{source.name}", function=functools.partial(ingest, source, base), declaration=source, code=_CODE,
        inputs=tuple(f"ingest:{name}" for name in referred), fingerprint=found.digest, reads=found.reads,
    )  # fmt: skip


def ingest(source: Source, base: Path, ctx: StepContext) -> Outcome:
    """Read a source into a new version of its table, and what breaks its contract into its quarantine."""
    raw = read(source, base)
    ctx.say(f"{len(raw):,} rows read")
    references = {name.removeprefix("ingest:"): _table(ctx, name) for name in ctx.inputs}
    checked = check(prepared(source, raw), source.contract, references, f"source '{source.name}'")
    assert len(checked.kept) + len(checked.quarantined) == len(raw), "rows in = rows kept + quarantined"
    return _committed(source, checked, len(raw), ctx.workspace, ctx.key)


def prepared(source: Source, raw: pl.DataFrame) -> pl.DataFrame:
    """Raw rows with the contract's types and the derived columns."""
    frame = typed(raw, source.contract.types)
    kinds = polars_kinds(frame.schema)
    for name, text in source.columns:
        if name in kinds:
            raise source.refuse(
                "a derived column has the name of one that is there", field=f"columns.{name}", value=name
            )
        derived = parse(text, place=f"{source.written_at}, Source '{source.name}', columns.{name}")
        frame = frame.with_columns(to_polars(derived, kinds).alias(name))
        kinds[name] = derived.kind(kinds)
    if source.event_time is not None and kinds.get(source.event_time) not in ("timestamp", "null"):
        raise source.refuse(
            "the event time is not a timestamp",
            field="event_time",
            value=f"{source.event_time}: {kinds.get(source.event_time)}",
            mend="derive one in columns=…, or give its type in the contract",
        )
    return frame


def _table(ctx: StepContext, step: str) -> pl.DataFrame:
    name, _, version = ctx.inputs[step].outputs["table"].removeprefix("table:").rpartition("@")
    key = ctx.inputs[step].facts["key"]
    lazy = open_lake(ctx.workspace.lake).read(name, int(version))
    # The first column is what rules refer to by default: the source's key.
    return (
        lazy.select(*key, *[c for c in lazy.collect_schema().names() if c not in key]) if key else lazy.drop("_row")
    ).collect()


def _committed(source: Source, checked: Checked, rows: int, workspace: Workspace, key: str) -> Outcome:
    lake = open_lake(workspace.lake)
    outputs = {"table": f"table:{source.name}@{lake.write(source.name, checked.kept, step_key=key)}"}
    if len(checked.quarantined):
        version = lake.write(f"{source.name}__quarantine", checked.quarantined, step_key=key)
        outputs["quarantine"] = f"table:{source.name}__quarantine@{version}"
    verdicts = [verdict.to_body() for verdict in checked.verdicts]
    counts = {"read": rows, "kept": len(checked.kept), "quarantined": len(checked.quarantined)}
    return Outcome(outputs, {
        **counts,
        "null_event_time": checked.kept[source.event_time].null_count() if source.event_time else 0,
        "reasons": _reasons(checked.quarantined),
        "verdicts": verdicts,
        "schema": polars_kinds(checked.kept.schema),
        "key": list(source.contract.key),
        "bytes": checked.kept.estimated_size(),
        "events": [
            {"kind": "contract.checked", "subject": outputs["table"], "body": {"verdicts": verdicts}},
            {"kind": "table.written", "subject": outputs["table"], "body": counts},
        ],
    })  # fmt: skip


def _reasons(quarantined: pl.DataFrame) -> dict[str, int]:
    if not len(quarantined):
        return {}
    counted = quarantined["_reasons"].explode().value_counts(sort=True)
    return dict(counted.iter_rows())


def replay(workspace: Workspace, project: Project, name: str) -> dict[str, int]:
    """Check the quarantined rows of a source again, under today's contract; those that now hold join the table.

    Only rules and keys are looked at again, not types and derived columns: a change of those runs the whole step again.

    Returns
    -------
    dict
        ``replayed`` rows that left the quarantine, and how many are ``kept`` and ``quarantined`` now.
    """
    import polars as pl

    source = next((source for source in project.sources if source.name == name), None)
    if source is None:
        raise DeclarationError(
            "no such source", value=name, mend="one of " + ", ".join(source.name for source in project.sources)
        )
    lake = open_lake(workspace.lake)
    apart = lake.read(f"{name}__quarantine").collect()
    whole = pl.concat([lake.read(name).collect(), apart.drop("_reasons")], how="vertical_relaxed").sort("_row")
    checked = check(whole, source.contract, _references(lake, project, source), f"source '{name}'")
    key = content_key("replay", source, lake.versions(name)[0].version, lake.versions(f"{name}__quarantine")[0].version)
    if len(checked.quarantined) < len(apart):
        lake.write(name, checked.kept, step_key=key)
        lake.write(f"{name}__quarantine", checked.quarantined, step_key=key)
    return {
        "replayed": len(apart) - len(checked.quarantined),
        "kept": len(checked.kept),
        "quarantined": len(checked.quarantined),
    }


def _references(lake: Any, project: Project, source: Source) -> Mapping[str, pl.DataFrame]:
    keys = {other.name: other.contract.key for other in project.sources}
    found = {}
    for rule in source.contract.rules:
        if isinstance(rule, Refers):
            table = lake.read(rule.to).collect()
            found[rule.to] = table.select(*keys[rule.to], *[c for c in table.columns if c not in keys[rule.to]])
    return found


def schema_of(source: Source, base: Path) -> dict[str, Kind]:
    """The kinds of a source's columns before anything was ingested: as read, as typed, as derived."""
    return polars_kinds(prepared(source, read(source, base)).schema)
