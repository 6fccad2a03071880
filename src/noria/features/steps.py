"""The steps of the features room: the training set, and the online store filled from the tables."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from noria.core import content_key
from noria.declarations import Project, RandomSplit
from noria.expressions import Kind, parse, to_polars
from noria.features.repair import keep_last_made, repaired
from noria.lake import open_lake
from noria.ledger import table_and_version
from noria.steps import Outcome, Step, StepContext

if TYPE_CHECKING:
    import polars as pl

    from noria.features.catalogue import Feature
    from noria.features.views import ViewPlan


def steps(project: Project) -> tuple[Step, ...]:
    """``training-set`` and ``materialise``, over the tables that were ingested."""
    inputs = tuple(f"ingest:{source.name}" for source in project.sources)
    declared = (project.spine, project.features)
    return (
        Step("training-set", functools.partial(make_training_set, project), (*declared, *_parting(project)), inputs),
        Step("materialise", functools.partial(_materialise, project), declared, inputs),
    )


def _parting(project: Project) -> tuple[Any, ...]:
    """What of a random split the training set hangs on: not how large its parts are."""
    split = project.search.split
    return (split.by, split.stratify, split.seed) if isinstance(split, RandomSplit) else ()


def schemas_of(inputs: Mapping[str, Outcome]) -> dict[str, dict[str, Kind]]:
    """Source to its columns' kinds, from the outcomes of the ingest steps."""
    return {
        name.removeprefix("ingest:"): dict(outcome.facts["schema"])
        for name, outcome in inputs.items()
        if name.startswith("ingest:")
    }


def tables_of(ctx_lake: str, inputs: Mapping[str, Outcome]) -> dict[str, pl.LazyFrame]:
    """Source to its table at the version that was ingested."""
    lake = open_lake(ctx_lake)
    found = {}
    for name, outcome in inputs.items():
        if name.startswith("ingest:"):
            found[name.removeprefix("ingest:")] = lake.read(*table_and_version(outcome.outputs["table"]))
    return found


def make_training_set(project: Project, ctx: StepContext) -> Outcome:
    """Write the spine with all features, and say what is in it."""
    from noria.features.catalogue import features_of, plans_of

    schemas = schemas_of(ctx.inputs)
    features = features_of(project, schemas)
    plans = plans_of(project.features, schemas)
    frame = joined(project, tables_of(ctx.workspace.lake, ctx.inputs), plans, schemas, features)
    folder = ctx.scratch / "made"
    folder.mkdir(exist_ok=True)
    frame.write_parquet(folder / "training_set.parquet", compression="zstd", compression_level=1)
    declaration = content_key(project.spine, project.features)
    numbered = project.spine.source.incremental is not None
    events = repaired(ctx.workspace, frame, declaration, numbered=numbered)
    made = ctx.publish(folder)
    reference = ctx.reference(made / "training_set.parquet")
    keep_last_made(ctx.workspace, reference, declaration)
    labels = frame["_label"]
    return Outcome({"set": reference}, {
        "rows": len(frame), "labelled": len(frame) - labels.null_count(), "unlabelled": labels.null_count(),
        "positives": int(labels.sum()), "features": [feature.to_body() for feature in features],
        "schemas": _schemas_read(project, plans, schemas),
    }, events)  # fmt: skip


def _schemas_read(
    project: Project, plans: tuple[ViewPlan, ...], schemas: Mapping[str, Mapping[str, Kind]]
) -> dict[str, dict[str, Kind]]:
    """What a server must know of the sources: the kinds of the columns that views and spine read."""
    from noria.features.catalogue import columns_read

    read = columns_read(project.spine, plans)
    return {
        name: {column: schemas[name][column] for column in sorted(columns)} for name, columns in sorted(read.items())
    }


def joined(
    project: Project,
    tables: Mapping[str, pl.LazyFrame],
    plans: tuple[ViewPlan, ...],
    schemas: Mapping[str, Mapping[str, Kind]],
    features: tuple[Feature, ...],
) -> pl.DataFrame:
    """The spine joined to all features as they were at each row's time: the training set of docs/design.md."""
    import polars as pl

    from noria.features.catalogue import columns_read, known_text, request_kinds
    from noria.features.join import as_feature, training_set
    from noria.features.shares import groups_of, shares_of

    spine = project.spine
    schema = schemas[spine.source.name]
    read = columns_read(spine, plans)
    read[spine.source.name] |= set(groups_of(project))
    frames = {name: _collected(tables[name], columns) for name, columns in read.items()}
    rows = frames[spine.source.name]
    # Without a time all rows are asked, and answered, at one moment: the first of all.
    ever = pl.lit(0).cast(pl.Datetime("us", "UTC"))
    asked, known = (text and to_polars(parse(text), schema) for text in (spine.time, known_text(spine)))
    label = to_polars(parse(spine.label), schema).cast(pl.Int8)
    base = rows.select(
        "_row", _time=ever if asked is None else asked, _known=ever if known is None else known, _label=label
    )
    found = training_set(rows, base["_time"], frames, plans)
    whole = base.with_columns(list(found.values()))
    kinds = request_kinds(spine, plans, schema)
    request = rows.select(pl.col(name) for name in kinds if name in rows.columns)
    seen = whole.select(name for name in kinds if name in found).with_columns(pl.col(pl.Float32).cast(pl.Float64))
    own = zip(spine.features, features[len(found) :], strict=True)
    at_question = pl.concat([request, seen], how="horizontal").select(
        as_feature(parse(text), kinds, feature.kind).alias(feature.name) for (_, text), feature in own
    )
    whole = whole.with_columns(at_question.get_columns())
    parted = shares_of(project, rows, whole["_label"])
    return (
        whole.with_columns(parted)
        .select("_row", "_time", "_known", "_label", *(s.name for s in parted), *(f.name for f in features))
        .sort("_time", *(s.name for s in parted), "_row")
    )


def _collected(table: pl.LazyFrame, columns: set[str]) -> pl.DataFrame:
    """The columns that are read, in order of arrival."""
    names = table.collect_schema().names()
    return table.select("_row", *(name for name in names if name in columns and name != "_row")).sort("_row").collect()


def _materialise(project: Project, ctx: StepContext) -> Outcome:
    return materialise(project, ctx.inputs, ctx.workspace.lake, ctx.workspace.online, now=ctx.clock.now())


def materialise(
    project: Project,
    inputs: Mapping[str, Outcome],
    lake: str,
    online: str,
    until: datetime | None = None,
    *,
    now: datetime | None = None,
) -> Outcome:
    """Make an online store hold what the tables say; what it held of these views before is replaced.

    Parameters
    ----------
    project : Project
        Whose views.
    inputs : mapping of str to Outcome
        The outcomes of the ingest steps.
    lake, online : str
        URLs of the lake that is read and of the store that is filled.
    until : datetime, optional
        A moment of the past: events that were not known by then are left out, because a stream will bring them.
    now : datetime, optional
        The clock, where nothing is left out: events that are not known yet wait in the store for their time.
    """
    from noria.core import to_micros
    from noria.features.catalogue import columns_read, plans_of
    from noria.features.fill import fill
    from noria.features.stores import open_store

    moment = until or now
    assert moment is not None
    at = to_micros(moment)
    tables = tables_of(lake, inputs)
    plans = plans_of(project.features, schemas_of(inputs))
    wanted = columns_read(project.spine, plans)
    store = open_store(online)
    facts: dict[str, Any] = {}
    try:
        for plan in plans:
            source = plan.view.source
            rows = _collected(tables[source.name], wanted[source.name])
            if until is not None and source.event_time is not None:
                rows = rows.filter(rows[source.event_time].dt.epoch("us") < at - source.lag)
            facts[plan.view.name] = fill(plan, rows, store, at)
    finally:
        store.close()
    return Outcome({}, {"entities": facts})
