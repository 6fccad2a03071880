"""Replay: rows that are in the lake already, kept and set aside, meet the contract again without their source."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from noria.contracts import Checker
from noria.core import DeclarationError
from noria.declarations import Source
from noria.expressions import parse, polars_kinds, to_polars
from noria.ingest.checked import Found, checked
from noria.ingest.commit import committed
from noria.ingest.corrections import Correction, corrected
from noria.ingest.existing import newest_versions
from noria.ingest.load import Load
from noria.ingest.prepare import prepared
from noria.ingest.references import tables_of
from noria.ingest.shape import together
from noria.ingest.state import made_of, quarantine_of, state_of
from noria.lake import open_lake
from noria.ledger import table_and_version
from noria.steps import Outcome, Step, StepContext

if TYPE_CHECKING:
    import polars as pl

    from noria.workspace import Workspace


def replayed_rows(
    load: Load,
    new: Iterator[pl.DataFrame],
    corrections: tuple[Correction, ...] = (),
    types: Mapping[str, pl.DataType] | None = None,
) -> Iterator[pl.DataFrame]:
    """The rows of loads before, in order of their numbers, then new ones; merged where the source merges.

    They are held in memory whole. Columns that had no value yet become of the `types` that new rows have.
    """

    if not load.merges:
        there = _rows_there(load, corrections, types or {})
        load.counts.read += len(there)
        yield there
        yield from new
        return
    later = list(new)
    there = _rows_there(load, corrections, types or {})
    load.counts.read += len(there)
    parts = [there, *later]
    whole = together([part for part in parts if len(part)] or [there])
    how, key = load.source.incremental, load.source.contract.key
    assert how is not None
    rows = newest_versions(whole, key, how.cursor)
    load.counts.superseded += len(whole) - len(rows)
    if load.gone is not None and len(load.gone):
        left = rows.join(load.gone.select(key), on=list(key), how="anti")
        load.counts.superseded += len(rows) - len(left)
        rows = left
    load.elders = whole.join(rows.select("_row"), on="_row", how="anti")
    yield rows


def with_elders(load: Load, found: Found, references: Mapping[str, pl.DataFrame]) -> None:
    """Keep, of a key whose newest row does not hold, the newest before it that does: it is how it was."""
    import polars as pl

    key = list(load.source.contract.key)
    elders, aside = load.elders, [frame for frame in found.aside if len(frame)]
    if elders is None or not len(elders) or not aside:
        return
    wanted = pl.concat([frame.select(key) for frame in aside], how="vertical_relaxed").unique()
    how = load.source.incremental
    rows = newest_versions(elders.join(wanted, on=key, how="semi"), key, how.cursor if how is not None else None)
    if not len(rows):
        return
    checker = Checker(load.source.contract, polars_kinds(rows.drop("_reasons", strict=False).schema), references,
                      f"source '{load.source.name}'", now=load.ctx.clock.now())  # fmt: skip
    checker.observe(rows)
    kept = checker.split(rows).kept
    found.kept.add(kept)
    load.counts.superseded -= len(kept)
    load.counts.kept += len(kept)


def _rows_there(load: Load, corrections: tuple[Correction, ...], types: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """All rows of the table and its quarantine, as they were before the contract, with derived columns made anew."""
    import polars as pl

    source, before = load.source, load.before
    assert before is not None
    parts = [load.lake.read(source.name, load.version).collect()]
    if before.aside_version >= 0:
        parts.append(load.lake.read(quarantine_of(source.name), before.aside_version).collect())
    whole = together(parts).sort("_row")
    load.last_row = max(load.last_row, before.rows)
    raw = whole.drop([name for name, _ in source.columns], strict=False)
    empty = [name for name, kind in before.kinds.items() if kind == "null" and raw[name].null_count() == len(raw)]
    raw = raw.with_columns(pl.lit(None, types.get(name, pl.Null())).alias(name) for name in empty)
    if "_reasons" in raw.columns:
        # A value that is not of its type is gone from its column: its reason stays.
        raw = raw.with_columns(_reasons=_lasting(raw.columns))
    return prepared(source, raw, corrections)


def _lasting(columns: Sequence[str]) -> pl.Expr:
    """The reasons that a row keeps, whatever the rules: of values not of their type, and of rows that came too late."""
    import polars as pl

    reason = pl.element()
    of_type = reason.str.contains(r" is no (?:bool|int|float|string|date|timestamp|time in \S+): ")
    of_column = pl.any_horizontal([reason.str.starts_with(f"{name} is no ") for name in columns])
    stays = (of_type & of_column) | reason.str.starts_with("later than ")
    return pl.col("_reasons").fill_null([]).list.eval(reason.filter(stays))


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
        More than rules, references and corrections changed since, or rules have mended rows: only the source has their
        old values.
    """
    assert isinstance(step.function, functools.partial)
    _, _, digest, corrections = step.function.args
    mend = "noria run reads the source again, and checks all of its rows"
    now = made_of(source, digest)
    if now != before.facts.get("made_of"):
        raise source.refuse("more than the rules changed since the rows were set aside", mend=mend)
    mended = [v["rule"] for v in before.facts["verdicts"] if v["on_fail"] == "fix" and v["failed"]]
    if mended and source.incremental is None:
        raise source.refuse("rules have mended rows, whose old values only the source has", value=mended[0], mend=mend)
    # Of a source that is read on the newest rows count, told or not: going back would need what its log has let go.
    version = None if source.incremental is not None else table_and_version(before.outputs["table"])[1]
    return dataclasses.replace(step, function=functools.partial(_replay, source, now, corrections, version))


def _replay(
    source: Source, made: str, corrections: tuple[Correction, ...], version: int | None, ctx: StepContext
) -> Outcome:
    lake = open_lake(ctx.workspace.lake)
    before = state_of(lake, source.name, version)
    assert before is not None
    newest = next(one.version for one in lake.versions(source.name))
    load = Load(
        source, ctx, lake, before, made_of=made, rechecks=True, position=before.position, version=version, newest=newest
    )
    was = _numbers(load, before.aside_version)
    references = tables_of(ctx)
    found = checked(load, replayed_rows(load, iter(()), corrections), references, list(before.kinds))
    with_elders(load, found, references)
    still = {number for frame in found.aside for number in frame["_row"]}
    counts = {"released": len(was - still), "set_aside": len(still - was), "quarantined": len(still)}
    return committed(load, found.kept, lambda: found, before.kinds, (), corrections, replayed=counts)


def _numbers(load: Load, version: int) -> set[int]:
    """The numbers of the rows that are set aside."""
    if version < 0:
        return set()
    return set(load.lake.read(quarantine_of(load.source.name), version).select("_row").collect()["_row"])


def set_aside(workspace: Workspace, outcome: Outcome, most: int) -> list[dict[str, Any]]:
    """The first rows that an ingest set aside, with ``_row`` and ``_reasons``."""
    if "quarantine" not in outcome.outputs:
        return []
    rows = open_lake(workspace.lake).read(*table_and_version(outcome.outputs["quarantine"]))
    return rows.sort("_row").head(most).collect().to_dicts()


def mends(
    workspace: Workspace, source: Source, outcome: Outcome | None, correction: Correction
) -> tuple[Correction, int]:
    """A correction as it is kept, and how many rows that were set aside it is for.

    Of a source that is read whole, numbers of rows are others when it changed: rows that were named by number are kept
    by their key.

    Raises
    ------
    DeclarationError
        It does not fit the columns, there is no such row, or rows without a key are named by number.
    """
    where = parse(correction.where, place="--where")
    if outcome is None or "quarantine" not in outcome.outputs:
        raise DeclarationError("no row of this source is set aside", value=source.name)
    rows = open_lake(workspace.lake).read(*table_and_version(outcome.outputs["quarantine"])).collect()
    kinds = polars_kinds(rows.schema)
    if where.kind(kinds) not in ("bool", "null"):
        raise DeclarationError("which rows are wrong is true or false", place="--where", value=correction.where)
    derived = {name for name, _ in source.columns}
    if own := sorted(derived & set(correction.set)):
        mend = "mend what it is derived from"
        raise DeclarationError("a derived column cannot be set", place="--set", value=own[0], mend=mend)
    if read := sorted(derived & where.columns):
        mend = "rows are mended before columns are derived: name what it is derived from, or _row"
        raise DeclarationError("a derived column cannot say which rows", place="--where", value=read[0], mend=mend)
    corrected(source, rows, (correction,))
    wrong = rows.filter(to_polars(where, kinds).fill_null(False))
    if not len(wrong):
        raise DeclarationError("no row that is set aside is so", place="--where", value=correction.where)
    if "_row" in where.columns and source.incremental is None:
        correction = dataclasses.replace(correction, where=_by_key(source, wrong))
    return correction, len(wrong)


def _by_key(source: Source, rows: pl.DataFrame) -> str:
    """A row expression that is true of the rows with the keys of these."""
    key = [name for name in source.contract.key if name not in {column for column, _ in source.columns}]
    whole = bool(key) and len(key) == len(source.contract.key) and not sum(rows.select(key).null_count().row(0))
    if not whole:
        mend = "its numbers change when the source does: say which rows by their values"
        raise DeclarationError(
            "rows of this source cannot be named by number", place="--where", value="_row", mend=mend
        )
    quoted = ['"' + name.replace('"', '""') + '"' for name in key]
    return " OR ".join(
        "(" + " AND ".join(f"{name} = {_literal(value)}" for name, value in zip(quoted, row, strict=True)) + ")"
        for row in rows.select(key).iter_rows()
    )


def _literal(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return str(value).upper() if isinstance(value, bool) else repr(value)
    text = str(value).replace("'", "''")
    kind = "TIMESTAMP" if isinstance(value, datetime) else "DATE" if isinstance(value, date) else ""
    return f"CAST('{text}' AS {kind})" if kind else f"'{text}'"
