"""Ingest: rows are read, typed, derived, checked and committed to the lake; what breaks the contract is kept apart."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.contracts import Checked, RowRule, check, rules_of, type_reason, typed
from noria.core import DataError, DeclarationError, TransientError, code_key, content_key
from noria.declarations import Project, Source
from noria.expressions import Kind, dtype_of, parse, polars_kinds, to_polars
from noria.lake import open_lake
from noria.sources import fingerprint, odd_value, read
from noria.steps import Outcome, Step, StepContext

if TYPE_CHECKING:
    import polars as pl

    from noria.workspace import Workspace


def steps(project: Project, base: Path, cache: Path | None = None) -> tuple[Step, ...]:
    """One step a source, ``ingest:<source>``; a rule that refers to another source waits for it.

    Parameters
    ----------
    project : Project
        Whose sources.
    base : Path
        The project's folder.
    cache : Path, optional
        Where sources remember what they hold, so that looking again is cheap; see `noria.sources.fingerprint`.

    Raises
    ------
    DeclarationError
        A rule refers to a source that the project does not read, or that has no key to refer to.
    DataError
        A source cannot be read.
    """
    sources = {source.name: source for source in project.sources}
    return tuple(_step(source, base, cache, sources) for source in project.sources)


def _step(source: Source, base: Path, cache: Path | None, sources: Mapping[str, Source]) -> Step:
    rules = rules_of(source.contract)
    for rule in rules:
        _refuse_reference(source, rule, sources)
    found = fingerprint(source, base, cache)
    return Step(
        name=f"ingest:{source.name}", function=functools.partial(ingest, source, base, found.digest),
        declaration=source, fingerprint=found.digest, reads=found.reads,
        inputs=tuple(dict.fromkeys(f"ingest:{name}" for rule in rules for name in rule.refers_to)),
    )  # fmt: skip


def _refuse_reference(source: Source, rule: RowRule, sources: Mapping[str, Source]) -> None:
    for name in rule.refers_to:
        if name == source.name:
            raise rule.refuse(f"the rule '{rule.text}' refers to its own source", value=name)
        if name not in sources:
            raise rule.refuse(
                f"the rule '{rule.text}' refers to a source that the project does not read",
                value=name,
                mend=f"add it to Project(references=[…]); the project reads {', '.join(sorted(sources))}",
            )
    rule.refuse_keys({name: sources[name].contract.key for name in rule.refers_to})


def ingest(source: Source, base: Path, digest: str, ctx: StepContext) -> Outcome:
    """Read a source into a new version of its table, and what breaks its contract into its quarantine."""
    raw = read(source, base)
    if fingerprint(source, base).digest != digest:
        raise TransientError(
            f"source '{source.name}' changed while it was read", place=source.url, mend="run again when it is whole"
        )
    ctx.say(f"{len(raw):,} rows read")
    checked = check(prepared(source, raw), source.contract, _tables(ctx), _place(source))
    assert len(checked.kept) + len(checked.quarantined) == len(raw), "rows in = rows kept + quarantined"
    return _committed(source, digest, checked, ctx)


def _place(source: Source) -> str:
    return f"source '{source.name}'"


def prepared(source: Source, raw: pl.DataFrame) -> pl.DataFrame:
    """Raw rows with the contract's types and the derived columns."""
    frame = typed(raw, source.contract.types, f"{source.written_at}, Source '{source.name}'")
    kinds = polars_kinds(frame.schema)
    for name, text in source.columns:
        if name in frame.columns or name == "_reasons":
            raise source.refuse(
                "a derived column has the name of one that is there", field=f"columns.{name}", value=name
            )
        derived = parse(text, place=f"{source.written_at}, Source '{source.name}', columns.{name}")
        kind = derived.kind(kinds)
        if kind == "interval":
            raise source.refuse(
                "a derived column is an interval, and tables have no type for one",
                field=f"columns.{name}",
                value=text,
                mend=f"EXTRACT(EPOCH FROM {text}): its seconds",
            )
        frame = frame.with_columns(to_polars(derived, kinds).alias(name))
        kinds[name] = kind
    if source.event_time is not None and kinds.get(source.event_time) not in ("timestamp", "null"):
        raise source.refuse(
            "the event time is not a timestamp",
            field="event_time",
            value=f"{source.event_time}: {kinds.get(source.event_time, 'no such column')}",
            mend="derive one in columns=…, or give its type in the contract",
        )
    return frame


def schemas_of(project: Project, base: Path, known: Mapping[str, Mapping[str, Kind]]) -> dict[str, Mapping[str, Kind]]:
    """The kinds of every source's columns, and a check that each contract fits them, before anything is ingested.

    The kinds of texts depend on all rows, so a source that is not known yet is read: one after the other, and of none
    more is kept than its columns.

    Parameters
    ----------
    project : Project
        Whose sources.
    base : Path
        The project's folder.
    known : mapping
        Kinds by source, of those that are ingested and unchanged: they are neither read nor checked again.

    Raises
    ------
    DeclarationError
        A rule, a type or a derived column does not fit the columns.
    DataError
        A source cannot be read, or a column is not there.
    """
    import polars as pl

    empty: dict[str, pl.DataFrame] = {}
    for source in project.sources:
        if source.name in known:
            schema = {name: dtype_of(kind) for name, kind in known[source.name].items()}
            empty[source.name] = pl.DataFrame(schema=schema)
        else:
            with _telling_odd_values(source, base):
                empty[source.name] = prepared(source, read(source, base).clear())
    for source in project.sources:
        if source.name not in known:
            _refuse_stale(source)
            rules = rules_of(source.contract)
            references = {to: _key_first(empty[to], _key(project, to)) for rule in rules for to in rule.refers_to}
            with _telling_odd_values(source, base):
                check(empty[source.name], source.contract.replace(rows=None), references, _place(source))
    return {name: known.get(name) or polars_kinds(frame.schema) for name, frame in empty.items()}


@contextlib.contextmanager
def _telling_odd_values(source: Source, base: Path) -> Iterator[None]:
    """Where one odd value makes a text of a column of numbers, the data are wrong and not the declaration.

    The source is read again to find it.
    """
    import polars as pl

    try:
        yield
    except DeclarationError as error:
        raw = read(source, base)
        for column in raw.columns:
            named = re.search(rf"\b{re.escape(column)}\b", str(error)) is not None
            if not named or column in source.contract.types or raw.schema[column] != pl.String:
                continue
            if (odd := odd_value(raw[column])) is not None:
                raise DataError(
                    f"{_place(source)}: a value makes a text of the column '{column}', which would be numbers",
                    place=f"{source.url}, row {odd[0] + 1}, {column}",
                    value=odd[1],
                    mend=f'mend it, or say Contract(types={{"{column}": "float"}}): such rows are then set aside',
                ) from None
        raise


def _refuse_stale(source: Source) -> None:
    """A rule mends after columns are derived: what is derived from a mended column would be of the old value."""
    for name, text in source.columns:
        read_by = parse(text).columns
        for rule in rules_of(source.contract):
            # A rule mends the first of its columns.
            if rule.on_fail == "fix" and rule.columns[0] in read_by:
                raise rule.refuse(
                    f"a rule mends '{rule.columns[0]}', but '{name}' is derived from it before",
                    field="on_fail",
                    value=f"{name}: {text}",
                    mend="mend it in columns=… instead, such as with COALESCE, LEAST or GREATEST",
                )


def _key(project: Project, name: str) -> tuple[str, ...]:
    return next(source.contract.key for source in project.sources if source.name == name)


def _key_first(table: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
    """What rules refer to by default is the first column: the source's key."""
    return table.select(*key, *[name for name in table.columns if name not in key])


def _tables(ctx: StepContext) -> dict[str, pl.DataFrame]:
    """The tables of the steps that this one waits for, as the run pinned them."""
    lake = open_lake(ctx.workspace.lake)
    found = {}
    for step, outcome in ctx.inputs.items():
        table, version = _pinned(outcome.outputs["table"])
        found[step.removeprefix("ingest:")] = _key_first(lake.read(table, version).collect(), outcome.facts["key"])
    return found


def _pinned(reference: str) -> tuple[str, int]:
    name, _, version = reference.removeprefix("table:").rpartition("@")
    return name, int(version)


def _committed(
    source: Source, digest: str, checked: Checked, ctx: StepContext, events: tuple[dict[str, Any], ...] = ()
) -> Outcome:
    """Two commits under one key: a kill between them is made good by the next try, and nobody reads a version before
    the ledger names it."""
    lake = open_lake(ctx.workspace.lake)
    version = lake.write(source.name, checked.kept, step_key=ctx.key)
    outputs = {"table": f"table:{source.name}@{version}"}
    if len(checked.quarantined):
        aside = lake.write(f"{source.name}__quarantine", checked.quarantined, step_key=ctx.key)
        outputs["quarantine"] = f"table:{source.name}__quarantine@{aside}"
    verdicts = [verdict.to_body() for verdict in checked.verdicts]
    kept, quarantined = len(checked.kept), len(checked.quarantined)
    counts = {"read": kept + quarantined, "kept": kept, "quarantined": quarantined}
    return Outcome(outputs, {
        **counts,
        "null_event_time": checked.kept[source.event_time].null_count() if source.event_time else 0,
        "reasons": _reasons(checked.quarantined),
        "verdicts": verdicts,
        "schema": polars_kinds(lake.read(source.name, version).collect_schema()),
        "key": list(source.contract.key),
        "bytes": checked.kept.estimated_size(),
        "made_of": _made_of(source, digest),
    }, (
        {"kind": "contract.checked", "subject": outputs["table"], "body": {"verdicts": verdicts}},
        {"kind": "table.written", "subject": outputs["table"], "body": counts},
        *({**event, "subject": outputs["table"]} for event in events),
    ))  # fmt: skip


def _reasons(quarantined: pl.DataFrame) -> dict[str, int]:
    """How many rows each rule set aside; values of a wrong type are counted by column."""
    if not len(quarantined):
        return {}
    kinds = "|".join(("bool", "int", "float", "string", "date", "timestamp"))
    texts = quarantined["_reasons"].explode().str.replace(rf"(?s)({type_reason(f'(?:{kinds})')}).*", "${1}")
    counted = texts.str.strip_suffix(": ").value_counts(sort=True)
    return dict(sorted(counted.iter_rows(), key=lambda pair: (-pair[1], pair[0])))


def _made_of(source: Source, digest: str) -> str:
    """All that a table is made of but rules: while it is the same, quarantined rows can be replayed without reading."""
    loose = source.replace(contract=source.contract.replace(rules=(), key=(), rows=None))
    return content_key(loose, digest, code_key(ingest, loose))


def replaying(step: Step, source: Source, before: Outcome) -> Step:
    """The same step, done without reading the source again: all rows, kept and quarantined, meet today's rules.

    What it leaves is what reading the source anew would leave, under the same key.

    Parameters
    ----------
    step : Step
        ``ingest:<source>``, as it is now.
    source : Source
        As it is now.
    before : Outcome
        What the step left last.

    Raises
    ------
    DeclarationError
        More than rules and references changed since, or rules have mended rows: only the source has their old values.
    """
    mend = "noria run reads the source again, and checks all of its rows"
    if _made_of(source, step.fingerprint) != before.facts.get("made_of"):
        raise source.refuse("more than the rules changed since the rows were set aside", mend=mend)
    if mended := [v["rule"] for v in before.facts["verdicts"] if v["on_fail"] == "fix" and v["failed"]]:
        raise source.refuse("rules have mended rows, whose old values only the source has", value=mended[0], mend=mend)
    return dataclasses.replace(step, function=functools.partial(_replay, source, step.fingerprint, before))


def _replay(source: Source, digest: str, before: Outcome, ctx: StepContext) -> Outcome:
    import polars as pl

    lake = open_lake(ctx.workspace.lake)
    parts = [
        lake.read(*_pinned(before.outputs[name])).collect()
        for name in ("table", "quarantine")
        if name in before.outputs
    ]
    whole = pl.concat(parts, how="diagonal").sort("_row")
    if "_reasons" in whole.columns:
        # A value that is not of its type is gone from its column: its reason stays.
        kinds = [f"{column}{type_reason(kind)}" for column, kind in source.contract.types.items()]
        of_type = pl.any_horizontal([pl.element().str.starts_with(text) for text in kinds]) if kinds else pl.lit(False)
        whole = whole.with_columns(pl.col("_reasons").list.eval(pl.element().filter(of_type)))
    checked = check(whole, source.contract, _tables(ctx), _place(source))
    assert len(checked.kept) + len(checked.quarantined) == len(whole), "rows before = rows after"
    aside = set(parts[1]["_row"]) if len(parts) > 1 else set()
    still = set(checked.quarantined["_row"])
    counts = {"released": len(aside - still), "set_aside": len(still - aside), "quarantined": len(still)}
    return _committed(source, digest, checked, ctx, ({"kind": "quarantine.replayed", "body": counts},))


def set_aside(workspace: Workspace, outcome: Outcome, most: int) -> list[dict[str, Any]]:
    """The first rows that an ingest set aside, with ``_row`` and ``_reasons``."""
    if "quarantine" not in outcome.outputs:
        return []
    rows = open_lake(workspace.lake).read(*_pinned(outcome.outputs["quarantine"]))
    return rows.sort("_row").head(most).collect().to_dicts()
