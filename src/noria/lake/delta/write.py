"""A write: rows become files first, then one commit names them; whoever was overtaken looks again and commits anew.

The rows are read once. A commit is of exactly the next version, without delta-rs's own retries: these would let a
replacement stand beside rows that it never saw, and a step be done twice.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from noria.core import DataError, DeclarationError, TransientError
from noria.lake import Mode
from noria.lake.delta import log
from noria.lake.delta.change import Files, holds, newest_of_each_key, without_keys, without_values
from noria.lake.delta.commit import Change, add_columns, create
from noria.lake.delta.errors import unwritable
from noria.lake.delta.fit import cast_to, joined, storable
from noria.lake.delta.parts import Part, remove_parts, write_parts
from noria.lake.delta.places import Folder, Place
from noria.security import current_actor

if TYPE_CHECKING:
    import polars as pl
    from deltalake import DeltaTable

_TRIES = 50


@dataclass(frozen=True, slots=True)
class Ask:
    """What a write is asked for; see `noria.lake.Lake.write`."""

    table: str
    step_key: str
    mode: Mode
    key: tuple[str, ...]
    deleted: str | None
    where: Mapping[str, Any] | None
    state: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None
    widen: bool
    after: int | None = None

    def __post_init__(self) -> None:
        refuse: tuple[str, Any, str] | None = None
        if self.mode not in ("replace", "append", "merge"):
            refuse = ("there is no such mode", self.mode, "one of replace, append, merge")
        elif (self.mode == "merge") != bool(self.key):
            refuse = ("a merge, and nothing else, has keys", f"mode={self.mode!r}, key={self.key!r}",
                      'mode="merge", key=("id",)')  # fmt: skip
        elif self.deleted is not None and (self.mode != "merge" or self.deleted in self.key):
            refuse = ("only a merge deletes, by a column that is no key", self.deleted, 'mode="merge"')
        elif self.where is not None and (self.mode != "replace" or not self.where):
            refuse = ("only a replacement has a where, and it names columns", self.where, 'mode="replace"')
        elif self.widen and self.mode == "replace" and self.where is None:
            refuse = ("a replacement has the types of its rows", "widen=True", "leave widen out")
        if refuse is not None:
            raise DeclarationError(refuse[0], place=self.table, value=refuse[1], mend=refuse[2])

    @property
    def replaces(self) -> bool:
        """Whether no old row stays."""
        return self.mode == "replace" and self.where is None

    def settled(self) -> Ask:
        """With the state that is only known once all rows came."""
        return dataclasses.replace(self, state=self.state()) if callable(self.state) else self

    def metadata(self) -> dict[str, str]:
        """What the commit says beside its files."""
        assert not callable(self.state), "settled before it is committed"
        mode = self.mode if self.where is None else "replace where"
        return {log.STEP: self.step_key, log.MODE: mode, log.BY: current_actor(), **log.with_state(self.state)}


class Opener(Protocol):
    """What a write needs of its lake."""

    place: Place

    def path(self, table: str) -> str: ...
    def uri(self, table: str) -> str: ...
    def found(self, table: str) -> DeltaTable | None: ...
    def files(self, table: str, opened: DeltaTable) -> Files: ...
    def known(self, opened: DeltaTable | None, ask: Ask) -> int | None: ...
    def has(self, table: str, version: int) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Written:
    """What became of a write's rows: files, the schema that a table needs to take them, and a merge's keys."""

    schema: pl.Schema
    parts: list[Part]
    keys: pl.DataFrame | None


@dataclass(slots=True)
class _Growing:
    """The schema that the frames so far ask of the table; None before the first."""

    schema: pl.Schema | None


def write(lake: Opener, ask: Ask, rows: pl.DataFrame | Iterable[pl.DataFrame]) -> int:
    """One commit of the rows, or the one that was made under the same step key; gives its version."""
    import polars as pl

    opened = lake.found(ask.table)
    if (known := lake.known(opened, ask)) is not None:
        return known
    _refuse_overtaken(lake, ask, opened)
    frames = iter([rows] if isinstance(rows, pl.DataFrame) else rows)
    written = _written(lake, ask, frames, None if ask.replaces or opened is None else _schema_of(opened))
    try:
        ask = ask.settled()
    except BaseException:
        remove_parts(lake.place, ask.table, written.parts)
        raise
    for tries in range(_TRIES):
        if tries:  # the first is of what was found before the rows came, and fails if that is not the newest any more
            opened = lake.found(ask.table)
        if tries and (known := lake.known(opened, ask)) is not None:
            remove_parts(lake.place, ask.table, written.parts)
            return known
        try:
            _refuse_overtaken(lake, ask, opened)
        except TransientError:
            remove_parts(lake.place, ask.table, written.parts)
            raise
        version = _attempt(lake, ask, opened, written)
        if version is not None:
            return version
        time.sleep(random.uniform(0, min(0.5, 0.01 * 2**tries)))
    remove_parts(lake.place, ask.table, written.parts)
    raise TransientError("other writers keep committing to the table", place=lake.path(ask.table), mend="run again")


def _refuse_overtaken(lake: Opener, ask: Ask, opened: DeltaTable | None) -> None:
    """Raise a TransientError where the table is not at the version any more that the rows were made for."""
    newest = -1 if opened is None else opened.version()
    if ask.after is not None and newest != ask.after:
        raise TransientError(
            "another writer was first, and these rows were made without it",
            place=lake.path(ask.table), value=f"version {newest}, not {ask.after}", mend="run again",
        )  # fmt: skip


def _schema_of(opened: DeltaTable) -> pl.Schema:
    import polars as pl

    return pl.Schema(opened.schema().to_arrow())


def _written(lake: Opener, ask: Ask, frames: Iterator[pl.DataFrame], table: pl.Schema | None) -> _Written:
    import polars as pl

    found = _Growing(table)
    fitted = _fitted(ask, frames, found, lake.path(ask.table))
    parts: list[Part] = []
    keys = None
    if ask.mode != "merge":
        parts = write_parts(lake.place, ask.table, fitted)
    else:
        with tempfile.TemporaryDirectory(prefix="noria-merge-") as folder:
            spool = Folder(Path(folder))
            spooled = {part.path: str(spool.path / part.path) for part in write_parts(spool, ".", fitted)}
            if found.schema is not None:
                gone = {} if ask.deleted is None else {ask.deleted: pl.Boolean()}
                files = Files(spooled, pl.Schema({**found.schema, **gone}))
                keys, last = newest_of_each_key(files, ask.key, ask.deleted)
                parts = write_parts(lake.place, ask.table, last)
    if found.schema is None:
        raise DataError("there is no frame to take the columns of a new table from", place=lake.path(ask.table),
                        mend="give at least one, which may have no rows")  # fmt: skip
    return _Written(found.schema, parts, keys)


def _fitted(ask: Ask, frames: Iterable[pl.DataFrame], found: _Growing, place: str) -> Iterator[pl.DataFrame]:
    """The frames in types that the table has or is to have; `found` is told which.

    The first frame may make the table's types wider, where that is asked for; those behind it are cast to what it made.
    """
    import polars as pl

    first = True
    for raw in frames:
        frame = storable(raw, found.schema or {}, place)
        _refuse_rows(ask, frame, place)
        kept = frame.drop(ask.deleted) if ask.deleted is not None else frame
        found.schema = joined(found.schema or pl.Schema(), kept.schema, widen=ask.widen and first, place=place)
        gone = {} if ask.deleted is None else {ask.deleted: pl.Boolean()}
        yield cast_to(frame, pl.Schema({**found.schema, **gone}))
        first = False


def _refuse_rows(ask: Ask, frame: pl.DataFrame, place: str) -> None:
    needed = {*ask.key, *(ask.where or {}), *([ask.deleted] if ask.deleted is not None else [])}
    if lacking := sorted(needed - set(frame.columns)):
        raise DataError("the rows lack columns that the write goes by", place=place, value=", ".join(lacking))
    import polars as pl

    if ask.deleted is not None and frame.schema[ask.deleted] != pl.Boolean:
        raise DataError("what says that a row is deleted is true or false", place=place,
                        value=f"{ask.deleted} is {frame.schema[ask.deleted]}")  # fmt: skip
    if ask.where is not None and (odd := frame.filter(~holds(ask.where))).height:
        raise DataError(f"{odd.height:,} rows lie outside what they replace", place=place,
                        value=odd.select(list(ask.where)).row(0), mend=f"where={dict(ask.where)!r}")  # fmt: skip


def _attempt(lake: Opener, ask: Ask, opened: DeltaTable | None, written: _Written) -> int | None:
    """The version that was committed; None where another writer was first."""
    from deltalake.exceptions import CommitFailedError, DeltaError

    version = 0 if opened is None else opened.version() + 1
    stayed: list[Part] = []
    try:
        if opened is None:
            create(lake.uri(ask.table), written.schema, written.parts, ask.metadata(), ask.step_key)
            return version
        change = _change(lake, ask, opened, written)
        if change.new:
            add_columns(opened, change.new, {log.BY: current_actor()})
            version = opened.version() + 1
        stayed = write_parts(lake.place, ask.table, change.stay)
        change.commit(opened, [*stayed, *written.parts], ask.metadata(), ask.step_key)
        return version
    except (DeltaError, OSError) as error:
        said = log.actions(lake.place, ask.table, version)
        if log.info(said).get(log.STEP) == ask.step_key:
            return version  # it was made, though the answer said otherwise: an object store's may get lost
        if isinstance(error, CommitFailedError) or (opened is None and said):
            remove_parts(lake.place, ask.table, stayed)
            return None
        raise unwritable(lake.path(ask.table), error) from None


def _change(lake: Opener, ask: Ask, opened: DeltaTable, written: _Written) -> Change:
    """What the write does to the version that is now the newest."""
    if ask.replaces:
        return Change(written.schema, replaces=True)
    place, table = lake.path(ask.table), _schema_of(opened)
    schema = joined(table, written.schema, widen=ask.widen, place=place)
    if any(schema[name] != dtype for name, dtype in written.schema.items()):
        raise TransientError("another writer gave the table other types meanwhile", place=place, mend="run again")
    wider = any(schema[name] != dtype for name, dtype in table.items())
    new = {name: dtype for name, dtype in schema.items() if name not in table}
    if ask.mode == "append" and not wider:
        return Change(schema, new=new)
    files = lake.files(ask.table, opened)
    if wider:
        files = dataclasses.replace(files, schema=schema, stored=table)
    touched: list[str] = []
    stay: Iterator[pl.DataFrame] = iter(())
    if written.keys is not None:
        touched, stay = without_keys(files, written.keys)
    elif ask.where is not None:
        touched, stay = without_values(files, ask.where)
    if wider:
        others = (files.scan(name).collect() for name in files.paths if name not in set(touched))
        return Change(schema, replaces=True, stay=itertools.chain(stay, others))
    return Change(schema, removed={name: files.sizes[name] for name in touched}, stay=stay, new=new)
