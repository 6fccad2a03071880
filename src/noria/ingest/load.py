"""Load: what is new in a source is read, shaped, checked and committed to the lake, with where it was read to.

A load goes in two passes over bounded batches: the first reads and finds columns and types, the second shapes and
checks. Frames wait in memory up to a bound, beyond it in files of the step's scratch. Nothing is visible before the one
commit that brings rows and state together.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from noria.declarations import Source
from noria.expressions import dtype_of
from noria.ingest.evolution import Evolved, evolved
from noria.ingest.shape import OURS, Layouts, column_kinds, common_type, conformed, first_misfit
from noria.ingest.sketch import Sketch, Sketcher
from noria.ingest.spool import Spool
from noria.ingest.state import TableState, blank
from noria.lake import Lake
from noria.sources import Ask, Batch, connector
from noria.steps import StepContext

if TYPE_CHECKING:
    import polars as pl


@dataclass(slots=True)
class Counts:
    """What became of the rows of one load: ``read = kept + quarantined + known + superseded + deleted + dropped``."""

    read: int = 0
    kept: int = 0
    quarantined: int = 0
    known: int = 0
    superseded: int = 0
    deleted: int = 0
    dropped: int = 0

    def settle(self, source: Source) -> None:
        """Every row that was read became something."""
        parts = (self.kept, self.quarantined, self.known, self.superseded, self.deleted, self.dropped)
        assert self.read == sum(parts), f"source '{source.name}': rows in = rows kept + quarantined + dropped: {self}"

    @property
    def gone(self) -> int:
        """Rows that were declared not to stay."""
        return self.superseded + self.deleted + self.dropped


@dataclass(slots=True)
class Load:
    """One load of one source, as it goes.

    Attributes
    ----------
    source, ctx, lake
        What, for which step, into what.
    before : TableState, optional
        What the newest version of the table was made from.
    counts : Counts
        What became of rows.
    position : mapping, optional
        Where the source is read to.
    api : str
        The version of the API that answered.
    last_row : int
        The greatest number that a row has.
    again : bool
        Some of what is read may have been read before.
    gone : DataFrame, optional
        Rows that say that their key is gone.
    rechecks : bool
        The rows of loads before meet the contract again, beside those of this load, and all are written anew.
    aside_left : int
        Of the rows that were set aside before, those that still are.
    made_of : str
        All that whole rows are made of but rules, for a replay.
    version : int, optional
        The version of the table that `before` is of; None: the newest.
    """

    source: Source
    ctx: StepContext
    lake: Lake
    before: TableState | None
    counts: Counts = field(default_factory=Counts)
    position: Mapping[str, Any] | None = None
    api: str = ""
    last_row: int = 0
    again: bool = False
    gone: pl.DataFrame | None = None
    rechecks: bool = False
    aside_left: int = 0
    made_of: str = ""
    version: int | None = None

    @property
    def carries_on(self) -> bool:
        """Whether what is read is added to what is there."""
        fresh = blank(self.source)
        return self.source.incremental is not None and self.before is not None and self.before.made_of == fresh.made_of

    @property
    def merges(self) -> bool:
        """Whether a row takes the place of that of the same key."""
        how = self.source.incremental
        return how is not None and (how.update or ("merge" if self.source.contract.key else "append")) == "merge"

    def known(self, rows: pl.DataFrame, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Rows that are there already, kept or set aside, which some new rows may be the same as.

        Parameters
        ----------
        rows : DataFrame
            New rows. Where the source has a cursor, only what is not behind all of them is looked at.
        columns : sequence of str, optional
            Those wanted; by default all that they have. With columns, only rows that agree with a new one in them.
        """
        import polars as pl

        cursor = self.source.incremental.cursor if self.source.incremental is not None else None
        wanted = list(columns or (name for name in rows.columns if name not in OURS))
        parts = []
        for table, version in ((self.source.name, self.version), (f"{self.source.name}__quarantine", self._aside)):
            if version == -1:
                continue
            there = self.lake.read(table, version)
            names = there.collect_schema().names()
            if columns is not None:
                there = there.select(wanted).join(rows.lazy().select(wanted), on=wanted, how="semi")
            elif cursor in names and (least := rows[cursor].min()) is not None:
                there = there.filter((pl.col(cursor) >= least) | pl.col(cursor).is_null())
            parts.append(there.select(name for name in wanted if name in names).collect())
        return pl.concat(parts, how="diagonal_relaxed")

    @property
    def _aside(self) -> int:
        return self.before.aside_version if self.before is not None else -1

    @property
    def pinned(self) -> TableState | None:
        """The state whose columns are the measure, as long as rows come from the same place."""
        same = self.before is not None and self.before.origin == blank(self.source).origin
        return self.before if same else None


def gathered(load: Load, ask: Ask, raw: Spool) -> tuple[list[Batch], Layouts]:
    """Read all that is new into a spool; what is left of each batch is what says where it came from."""
    layouts, told = Layouts(load.source), list[Batch]()
    since = load.before.position if load.carries_on and load.before is not None else None
    load.position = since
    reader = connector(load.source)
    cursor = load.source.incremental is not None and load.source.incremental.cursor is not None
    load.again = load.carries_on and (cursor or not reader.increments)
    for batch in reader.batches(ask, since):
        layouts.observe(batch)
        raw.add(batch.frame)
        told.append(dataclasses.replace(batch, frame=batch.frame.clear()))
        load.counts.read += len(batch.frame)
        load.position = batch.state if batch.state is not None else load.position
        load.api = load.api or batch.version
        load.again = load.again or batch.again
        load.ctx.say(f"{load.counts.read:,} rows read")
    return told, layouts


def again(raw: Spool, told: list[Batch]) -> Iterator[Batch]:
    """The batches of a spool, whole."""
    for frame, batch in zip(raw, told, strict=True):
        yield dataclasses.replace(batch, frame=frame)


Layout = tuple[str, ...]


def columns_now(
    load: Load, layouts: Layouts, raw: Spool, told: list[Batch]
) -> tuple[dict[Layout, Evolved], dict[str, pl.DataType]]:
    """What the columns of each layout become, and the columns and types that all of them end up in.

    The measure is what was pinned at first sight; at first sight, it is the columns of the first batch.
    """
    schemas, known = layouts.mapped(), load.pinned
    types: dict[str, pl.DataType] = {}
    for schema in schemas.values():
        for name, dtype in schema.items():
            types[name] = common_type([types[name], dtype]) if name in types else dtype
    found = column_kinds(types)
    measure, everywhere = _measure(load, layouts, schemas, found)
    before: Mapping[str, Sketch] | None = known.sketches if known is not None else None
    first, made = next(iter(schemas)), dict[Layout, Evolved]()
    for layout, schema in schemas.items():
        here = {name: found[name] for name in schema}
        if layout in layouts.sparse:
            here |= {name: found.get(name, "null") for name in everywhere}
        moved = bool(set(measure) - set(here)) and bool(set(here) - set(measure))
        if moved and before is None:
            before = _sketched(load, layouts, raw, told, first)
        now = _sketched(load, layouts, raw, told, layout) if moved else {}
        offender = functools.partial(_offender, load, layouts, raw, told)
        made[layout] = evolved(load.source, measure, here, before or {}, now, offender)
    renamed = {new: old for one in made.values() for new, old in one.renamed.items()}
    for new, old in renamed.items():
        types[old] = types.get(old, types[new])
    kinds = {name: kind for one in made.values() for name, kind in one.kinds.items()}
    return made, {name: _stored(load, kind, types.get(name)) for name, kind in kinds.items()}


def _measure(
    load: Load, layouts: Layouts, schemas: Mapping[Layout, pl.Schema], found: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """The columns that a load is measured by, and those that every sparse batch is taken to have."""
    known = load.pinned
    everywhere = list(dict.fromkeys(name for layout in schemas if layout in layouts.sparse for name in schemas[layout]))
    first = next(iter(schemas))
    if known is None:
        names = everywhere if first in layouts.sparse else list(schemas[first])
        return {name: found[name] for name in names}, everywhere
    if load.carries_on and layouts.sparse:
        everywhere += [name for name in known.kinds if name not in everywhere]  # a few rows need not have them all
    return dict(known.kinds), everywhere


def _stored(load: Load, kind: str, dtype: pl.DataType | None) -> pl.DataType:
    """The type that a column has: as it was read, but of the widest numbers where loads are added to each other."""
    import polars as pl

    if dtype is None or column_kinds({"x": dtype})["x"] != kind:
        return dtype_of(kind)  # type: ignore[arg-type]
    if load.source.incremental is not None and (dtype.is_integer() or dtype.is_float()):
        return pl.Int64() if dtype.is_integer() else pl.Float64()
    return dtype


def _sketched(load: Load, layouts: Layouts, raw: Spool, told: list[Batch], layout: Layout) -> Mapping[str, Sketch]:
    """What the columns of one layout look like."""
    sketcher, kinds = Sketcher(), layouts.text_kinds
    types = layouts.mapped()[layout]
    for batch in again(raw, told):
        if tuple(batch.frame.columns) == layout:
            sketcher.observe(conformed(load.source, batch, kinds, {}, types).drop("_reasons", strict=False))
    return sketcher.sketches()


def _offender(load: Load, layouts: Layouts, raw: Spool, told: list[Batch], column: str, kind: str) -> str | None:
    return first_misfit(again(raw, told), load.source, layouts.text_kinds, column, kind)
