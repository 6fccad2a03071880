"""The steps of ingest: one a source."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from noria.contracts import ContractRule, rules_of
from noria.core import DataError, ResourceError, TransientError, content_key
from noria.declarations import Project, Source
from noria.ingest.availability import Contact, going_on, last_good
from noria.ingest.checked import Checking, Found
from noria.ingest.commit import committed, told_changes
from noria.ingest.corrections import Correction, corrections_of
from noria.ingest.evolution import Change, content_changes, version_change
from noria.ingest.load import Load, columns_now, gathered
from noria.ingest.references import tables_of
from noria.ingest.replay import replayed_rows, with_elders
from noria.ingest.rows import numbered, to_check
from noria.ingest.shape import Unlike, column_kinds
from noria.ingest.spool import Spool
from noria.ingest.state import TableState, blank, made_of, state_of
from noria.ingest.zones import refuse_unknown_zone
from noria.lake import open_lake
from noria.sources import Ask, connector, fingerprint
from noria.steps import Outcome, Step, StepContext

if TYPE_CHECKING:
    import polars as pl

    from noria.workspace import Workspace


def steps(project: Project, base: Path, workspace: Workspace | None = None) -> tuple[Step, ...]:
    """One step a source, ``ingest:<source>``; a rule that refers to another source waits for it.

    Parameters
    ----------
    project : Project
        Whose sources.
    base : Path
        The project's folder.
    workspace : Workspace, optional
        Where sources remember what they hold, so that looking again is cheap, and where people's corrections are.

    Raises
    ------
    DeclarationError
        A rule refers to a source that the project does not read, or that has no key to refer to.
    DataError
        A source cannot be read.
    """
    sources = {source.name: source for source in project.sources}
    return tuple(_step(source, base, workspace, sources) for source in project.sources)


def _step(source: Source, base: Path, workspace: Workspace | None, sources: Mapping[str, Source]) -> Step:
    rules = rules_of(source.contract)
    for rule in rules:
        _refuse_reference(source, rule, sources)
    refuse_unknown_zone(source)
    _refuse_vain_increments(source)
    try:
        found = fingerprint(source, base, workspace.digests if workspace is not None else None)
        digest, reads = found.digest, found.reads
    except TransientError as error:
        if source.contract.max_age is None:
            raise
        digest, reads = "", f"down: {error.message}"  # the step says so, and goes on with what there is
    corrections = corrections_of(workspace, source.name) if workspace is not None else ()
    mark = content_key(digest, [asdict(one) for one in corrections]) if corrections and digest else digest
    return Step(
        name=f"ingest:{source.name}", function=functools.partial(ingest, source, base, digest, corrections),
        declaration=source, fingerprint=mark or secrets.token_hex(16), reads=reads,
        looks=source.refresh if source.incremental is not None or not digest else None, tells=bool(digest),
        inputs=tuple(dict.fromkeys(f"ingest:{name}" for rule in rules for name in rule.refers_to)),
    )  # fmt: skip


def _refuse_vain_increments(source: Source) -> None:
    """Raise a DeclarationError where a source cannot tell what is new in it."""
    how = source.incremental
    if how is not None and how.cursor is None and connector(source).increments not in ("files", "log"):
        raise source.refuse(
            "this kind of source cannot tell what is new by itself", field="incremental",
            mend='name a column that grows: Incremental("updated_at")',
        )  # fmt: skip


def _refuse_reference(source: Source, rule: ContractRule, sources: Mapping[str, Source]) -> None:
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


def ingest(source: Source, base: Path, digest: str, corrections: tuple[Correction, ...], ctx: StepContext) -> Outcome:
    """Bring what is new in a source into its table, and what breaks its contract into its quarantine."""
    lake = open_lake(ctx.workspace.lake)
    before = state_of(lake, source.name)
    newest = next((one.version for one in lake.versions(source.name)), -1)
    load = Load(source, ctx, lake, before, made_of=made_of(source, digest), newest=newest)
    contact, ask = Contact(ctx.workspace.digests, source, ctx.clock), Ask(source, base, None, ctx.clock, ctx.say)
    try:
        if before is not None:
            contact.refuse_in_pause()
        try:
            outcome = _ingested(load, ask, digest, corrections, straight=True)
        except Unlike:
            outcome = None
        if outcome is None:  # not while the error is held, and with it what reads the source
            load = Load(source, ctx, lake, before, made_of=load.made_of, newest=newest)
            outcome = _ingested(load, ask, digest, corrections, straight=False)
    except TransientError as error:
        if load.asked and error is not load.down:
            raise  # the source answered: the fault is elsewhere
        if load.asked:
            contact.failed()
        age = ctx.clock.micros() - max(contact.answered, before.at if before is not None else 0)
        return going_on(source, lake, before, age, error)
    contact.succeeded()
    _acknowledge(load, ask)
    return outcome


def _acknowledge(load: Load, ask: Ask) -> None:
    """Tell a source up to where its rows are committed: no further, for what a log lets go is gone.

    That it does not hear is no fault of the load: it is told again by the next.
    """
    saved = load.position if load.saved else load.before.position if load.before is not None else None
    if saved is not None:
        try:
            connector(load.source).committed(ask, saved)
        except (TransientError, ResourceError) as error:
            load.ctx.say(f"the source was not told that its rows are committed: {error.message}")


class _Unchanged(Exception):
    """The rows are those of the version that is there."""


def _ingested(load: Load, ask: Ask, digest: str, corrections: tuple[Correction, ...], *, straight: bool) -> Outcome:
    source, ctx = load.source, load.ctx
    raw = Spool(ctx.scratch / "raw")
    batches = gathered(load, ask, raw, straight=straight)
    if batches.rest is None:
        _refuse_changed(load, ask, digest)
    fresh = blank(source, corrections)
    load.rechecks = load.carries_on and load.before is not None and load.before.contract != fresh.contract
    if not raw.rows and load.before is not None and load.carries_on and not load.rechecks:
        return last_good(source, load.lake, load.before)
    if not raw.rows and not load.rechecks:
        where = batches.told[0].place if batches.told else source.url
        raise DataError(f"source '{source.name}': there are columns but no row" if batches.told else
                        f"source '{source.name}': there is no row", place=where, mend="one row at least")  # fmt: skip
    changes: list[Change] = []
    kinds: dict[str, str] = dict(load.before.kinds) if load.before is not None else {}
    rows: Iterator[pl.DataFrame] = iter(())
    types: dict[str, pl.DataType] = {}
    if raw.rows:
        made, types = columns_now(load, batches)
        load.widens = any(one.widened for one in made.values())
        changes += {change.text: change for one in made.values() for change in one.changes}.values()
        filled = [name for name, kind in kinds.items() if kind == "null" and column_kinds(types).get(name) != "null"]
        load.rechecks |= load.carries_on and bool(filled)  # the table has a column for texts there
        kinds = column_kinds(types)
        rows = to_check(load, numbered(load, batches, made, types), corrections)
    if load.rechecks:
        rows = replayed_rows(load, rows, corrections, types)
    references = tables_of(ctx)
    checking = Checking(load, rows, references, list(kinds))

    def find() -> Found:
        raw.clear()
        if batches.rest is not None:
            _refuse_changed(load, ask, digest)
        found = checking.found()
        with_elders(load, found, references)
        if load.pinned is not None:
            changes.extend(content_changes(source, load.pinned.sketches, found.sketches))
            changes.extend(version_change(source, load.pinned.api, load.api))
            if load.before is not None and not load.rechecks and _nothing_new(load, load.before, fresh, found):
                raise _Unchanged
        return found

    try:
        if not load.merges or not load.carries_on:
            return committed(load, checking.rows(), find, kinds, changes, corrections)
        checking.hold()  # a merge takes what is kept of all rows, elders too
        found = find()
        return committed(load, found.kept, lambda: found, kinds, changes, corrections)
    except _Unchanged:
        assert load.before is not None
        same = last_good(source, load.lake, load.before)
        return Outcome(same.outputs, same.facts, told_changes(changes, same.outputs["table"]))


def _refuse_changed(load: Load, ask: Ask, digest: str) -> None:
    """Raise a TransientError where a source that is read whole was not whole.

    What comes while a source is read on is the next load's.
    """
    source, cache = load.source, load.ctx.workspace.digests
    if digest and source.incremental is None and fingerprint(source, ask.base, cache).digest != digest:
        raise TransientError(
            f"source '{source.name}' changed while it was read", place=source.url, mend="run again when it is whole"
        )


def _nothing_new(load: Load, before: TableState, fresh: TableState, found: Found) -> bool:
    """Whether a version with these rows would be the one that is there."""
    if load.carries_on:
        return not load.counts.kept and not load.counts.quarantined and not load.counts.deleted and load.retired is None
    same = before.made_of == fresh.made_of and before.contract == fresh.contract
    return same and before.content == found.content
