"""Load: what is new in a source is read, shaped, checked and committed to the lake, with where it was read to.

A load goes in two passes over bounded batches: the first reads and finds columns and types, the second shapes, checks
and writes. Where the first batch tells the types of all, the second pass takes batches as they are read, and a batch
that is unlike makes the load begin once more; else frames wait in memory up to a bound, beyond it in files of the
step's scratch. Nothing is visible before the one commit that brings rows and state together.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from noria.core import IntegrityError, TransientError, content_key
from noria.declarations import Source
from noria.expressions import dtype_of
from noria.ingest.evolution import Evolved, evolved
from noria.ingest.shape import Layouts, column_kinds, common_type, conformed, first_misfit
from noria.ingest.sketch import Sketch, Sketcher
from noria.ingest.spool import Spool
from noria.ingest.state import TableState, blank, quarantine_of
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
        if self.read != sum(parts):
            raise IntegrityError(
                f"source '{source.name}': rows in are not rows kept, set aside and dropped", value=str(self),
                mend="nothing was written; please report it",
            )  # fmt: skip

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
    asked : bool
        The source was asked.
    down : TransientError, optional
        What the source said when it did not answer any more.
    carries_on : bool
        What is read is added to what is there.
    pinned : TableState, optional
        The state whose columns are the measure, as long as rows come from the same place.
    newest : int
        The newest version of the table when `before` was read; -1 where there was none.
    saved : bool
        Whether the position is committed.
    widens : bool
        Columns of the table become wider.
    retired : DataFrame, optional
        Keys whose rows that are set aside are not how it is now.
    elders : DataFrame, optional
        Of rows that are checked again, those whose key has a newer one; they stand in where that does not hold.
    places : list
        Which numbers the rows of each place have: (place, first, last, whether it was read before).
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
    asked: bool = False
    down: TransientError | None = None
    newest: int = -1
    saved: bool = False
    widens: bool = False
    retired: pl.DataFrame | None = None
    elders: pl.DataFrame | None = None
    places: list[tuple[str, int, int, bool]] = field(default_factory=list)
    carries_on: bool = field(init=False)
    pinned: TableState | None = field(init=False)

    def __post_init__(self) -> None:
        fresh = blank(self.source)
        same = self.before is not None and self.before.made_of == fresh.made_of
        self.carries_on = same and self.source.incremental is not None
        self.pinned = self.before if self.before is not None and self.before.origin == fresh.origin else None

    @property
    def write_key(self) -> str:
        """Under which key rows are written: of a source that is read on, what it adds to counts, too."""
        if self.source.incremental is None:
            return self.ctx.key
        return content_key(self.ctx.key, self.newest, self.before.loads if self.before is not None else 0)

    @property
    def after(self) -> int | None:
        """The version that rows are written for; any will do for rows that replace all."""
        return self.newest if self.source.incremental is not None else None

    @property
    def by_place(self) -> bool:
        """Whether it is places, such as files, that are read again, and not all that is behind a cursor."""
        how = self.source.incremental
        return how is not None and how.cursor is None and connector(self.source).increments == "files"

    @property
    def again_ranges(self) -> list[tuple[int, int]]:
        """The numbers of rows of places that were read before."""
        return [(first, last) for _, first, last, again in self.places if again]

    @property
    def grows(self) -> bool:
        """Whether what is kept joins the rows that are there."""
        return self.carries_on and not self.rechecks

    @property
    def merges(self) -> bool:
        """Whether a row takes the place of that of the same key."""
        how = self.source.incremental
        return how is not None and (how.update or ("merge" if self.source.contract.key else "append")) == "merge"

    def known(self, rows: pl.DataFrame, on: Sequence[str], columns: Sequence[str], *, aside: bool) -> pl.DataFrame:
        """Rows that are there already, kept or set aside, which agree with a new one in some columns.

        They have the new ones' types.

        Parameters
        ----------
        rows : DataFrame
            New rows.
        on : sequence of str
            In which they agree; without any, all rows that are not behind the new ones by the source's cursor.
        columns : sequence of str
            Those wanted.
        aside : bool
            Of the rows that are set aside, or of those that are kept.
        """
        import polars as pl

        cursor = self.source.incremental.cursor if self.source.incremental is not None else None
        table = quarantine_of(self.source.name) if aside else self.source.name
        version = self._aside if aside else self.version
        if version == -1:
            return rows.select(columns).clear()
        there = self.lake.read(table, version)
        schema = there.collect_schema()
        if on := [name for name in on if name in schema]:
            same = rows.lazy().select(pl.col(name).cast(schema[name], strict=False) for name in on).unique()
            there = there.join(same, on=on, how="semi", nulls_equal=True)
        elif cursor is not None and cursor in schema and (least := rows[cursor].min()) is not None:
            value = (
                pl.col(cursor)
                if (schema[cursor] == pl.String) == (rows.schema[cursor] == pl.String)
                else pl.col(cursor).cast(rows.schema[cursor], strict=False)
            )
            there = there.filter((value >= least) | value.is_null())
        found = there.select(pl.col(name) if name in schema else pl.lit(None).alias(name) for name in columns).collect()
        # What had no value yet, or has wider values now, is of another type there.
        return found.cast({name: rows.schema[name] for name in columns}, strict=False)

    @property
    def _aside(self) -> int:
        return self.before.aside_version if self.before is not None else -1


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is read of a source: all of it or, where the first batch tells what the others are, that alone.

    Attributes
    ----------
    raw : Spool
        The batches that were read.
    told : list of Batch
        Where each came from; without rows.
    layouts : Layouts
        Their columns and types.
    rest : iterator of Batch, optional
        Those to come, of the same columns and types; None where all are read.
    """

    raw: Spool
    told: list[Batch]
    layouts: Layouts
    rest: Iterator[Batch] | None

    def __iter__(self) -> Iterator[Batch]:
        """The batches, whole. Those to come are read once."""
        for frame, batch in zip(self.raw, self.told, strict=True):
            yield dataclasses.replace(batch, frame=frame)
        for batch in self.rest or ():
            self.layouts.refuse_unlike(batch)
            yield batch


def gathered(load: Load, ask: Ask, raw: Spool, *, straight: bool) -> Gathered:
    """Read what is new into a spool; where `straight`, only its first rows, if these tell what the others are."""
    layouts, told = Layouts(load.source), list[Batch]()
    rest = _read(load, ask)
    for batch in rest:
        layouts.observe(batch)
        raw.add(batch.frame)
        told.append(dataclasses.replace(batch, frame=batch.frame.clear()))
        if straight and raw.rows and _tells(load, layouts):
            return Gathered(raw, told, layouts, rest)
    return Gathered(raw, told, layouts, None)


def _tells(load: Load, layouts: Layouts) -> bool:
    """Whether rows can go on before all are read: their types do not hang on values, nothing is to be found by them."""
    if load.carries_on or not layouts.steady:
        return False
    ((_, schema),) = layouts.mapped().items()
    return load.pinned is None or column_kinds(schema) == dict(load.pinned.kinds)


def _read(load: Load, ask: Ask) -> Iterator[Batch]:
    """The batches that are new; what is told with them is noted."""
    since = load.before.position if load.carries_on and load.before is not None else None
    load.position = since
    reader, load.asked = connector(load.source), True
    cursor = load.source.incremental is not None and load.source.incremental.cursor is not None
    load.again = load.carries_on and (cursor or not reader.increments)
    try:
        for batch in reader.batches(ask, since):
            load.counts.read += len(batch.frame)
            load.position = batch.state if batch.state is not None else load.position
            load.api = load.api or batch.version
            load.again = load.again or batch.again
            load.ctx.say(f"{load.counts.read:,} rows read")
            yield batch
    except TransientError as error:
        load.down = error
        raise


Layout = tuple[str, ...]


def columns_now(load: Load, batches: Gathered) -> tuple[dict[Layout, Evolved], dict[str, pl.DataType]]:
    """What the columns of each layout become, and the columns and types that all of them end up in.

    The measure is what was pinned at first sight; at first sight, it is the columns of the first batch.
    """
    layouts = batches.layouts
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
            before = _sketched(load, batches, first)
        now = _sketched(load, batches, layout) if moved else {}
        offender = functools.partial(_offender, load, batches)
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
    if dtype in (pl.UInt64, pl.Int128, pl.UInt128):
        return pl.Int64()  # tables have no wider ones
    if load.source.incremental is not None and (dtype.is_integer() or dtype.is_float()):
        return pl.Int64() if dtype.is_integer() else pl.Float64()
    return dtype


def _sketched(load: Load, batches: Gathered, layout: Layout) -> Mapping[str, Sketch]:
    """What the columns of one layout look like."""
    sketcher, kinds = Sketcher(), batches.layouts.text_kinds
    types = batches.layouts.mapped()[layout]
    for batch in batches:
        if tuple(batch.frame.columns) == layout:
            sketcher.observe(conformed(load.source, batch, kinds, {}, types).drop("_reasons", strict=False))
    return sketcher.sketches()


def _offender(load: Load, batches: Gathered, column: str, kind: str) -> str | None:
    return first_misfit(iter(batches), load.source, batches.layouts.text_kinds, column, kind)
