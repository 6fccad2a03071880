"""The second pass of a load: rows meet the contract, what holds and what does not wait apart."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noria.contracts import Checker, Split, Verdict, type_reason
from noria.core import DataError, content_key
from noria.expressions import polars_kinds
from noria.ingest.late import Lateness
from noria.ingest.load import Load
from noria.ingest.sketch import Sketch, Sketcher
from noria.ingest.spool import Spool

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Found:
    """What a contract left of a load's rows.

    Attributes
    ----------
    kept, aside : Spool
        Rows that hold, and rows that do not. Those that hold are only counted where they were handed on.
    content : str
        A digest of both, whatever the order of rows: the same rows need no new version. It is compared with that of the
        load before alone, so it may change with the library that makes it.
    """

    kept: Spool
    aside: Spool
    content: str
    verdicts: tuple[Verdict, ...]
    memory: Mapping[str, Any]
    sketches: Mapping[str, Sketch]
    late: Lateness
    null_event_time: int


class Checking:
    """Checks the rows of a load: `rows` gives those that are kept, then `found` tells what became of all.

    Parameters
    ----------
    load : Load
        Whose rows they are; its counts are settled.
    frames : iterator of DataFrame
        Prepared rows, of one schema.
    references : mapping of str to DataFrame
        Tables that rules refer to.
    columns : list of str
        Those that came from the source, which are sketched.
    """

    def __init__(
        self, load: Load, frames: Iterator[pl.DataFrame], references: Mapping[str, pl.DataFrame], columns: list[str]
    ):
        self._load, self._frames, self._columns = load, frames, set(columns)
        self._kept, self._aside, self._waiting = (Spool(load.ctx.scratch / name) for name in _SPOOLS)
        newest = load.before.newest if load.carries_on and load.before is not None else None
        seen = load.before.rows if load.carries_on and load.before is not None else 0
        self._late, self._sketcher = Lateness(load.source, newest, load.ctx.clock.micros(), seen), Sketcher()
        self._hashes, self._nulls = [0, 0], 0
        first = next(frames, None)
        self._frames = frames if first is None else itertools.chain([first], frames)
        self._checker = _checker(load, first, references) if first is not None else None

    def hold(self) -> None:
        """Check all rows, and hold those that are kept in `Found.kept`."""
        for _ in self.rows(hold=True):
            pass

    def rows(self, *, hold: bool = False) -> Iterator[pl.DataFrame]:
        """The rows that are kept, as they come."""
        for parts in self._splits():
            if len(parts.quarantined):
                self._aside.add(parts.quarantined)
                self._hashes[1] += _hashed(parts.quarantined)
            self._kept.add(parts.kept, hold=hold)
            self._late.kept(parts.kept)
            self._hashes[0] += _hashed(parts.kept)
            self._load.counts.dropped += parts.dropped
            if self._load.source.event_time is not None:
                self._nulls += parts.kept[self._load.source.event_time].null_count()
            yield parts.kept

    def _splits(self) -> Iterator[Split]:
        checker = self._checker
        if checker is None:
            return
        for frame in self._frames:
            frame = self._late.observe(frame)
            self._sketcher.observe(frame.select(name for name in frame.columns if name in self._columns))
            checker.observe(frame)
            if checker.streams:
                yield checker.split(frame)
            else:
                self._waiting.add(frame)
        for frame in self._waiting:
            yield checker.split(frame)
        self._waiting.clear()

    def found(self) -> Found:
        """What became of all rows.

        Raises
        ------
        DataError
            A rule that says ``fail`` is broken, or there are too few or too many rows.
        """
        verdicts = self._checker.verdicts() if self._checker is not None else ()
        memory = self._checker.memory() if self._checker is not None else {}
        self._load.counts.kept += self._kept.rows
        self._load.counts.quarantined += self._aside.rows
        sums = [
            f"{spool.rows}:{total % 2**64}"
            for spool, total in zip((self._kept, self._aside), self._hashes, strict=True)
        ]
        content = content_key(sums, self._load.source.contract)
        sketches = self._sketcher.sketches()
        return Found(self._kept, self._aside, content, verdicts, memory, sketches, self._late, self._nulls)


_SPOOLS = ("kept", "aside", "prepared")


def checked(
    load: Load, frames: Iterator[pl.DataFrame], references: Mapping[str, pl.DataFrame], columns: list[str]
) -> Found:
    """Check all rows of a load, and hold those that are kept; see `Checking`."""
    checking = Checking(load, frames, references, columns)
    checking.hold()
    return checking.found()


def _hashed(frame: pl.DataFrame) -> int:
    named = frame.select(name for name in sorted(frame.columns) if name != "_row")
    return int(named.hash_rows().sum() or 0) if len(frame) else 0


def _checker(load: Load, first: pl.DataFrame, references: Mapping[str, pl.DataFrame]) -> Checker:
    contract = load.source.contract.replace(rows=None) if load.carries_on else load.source.contract
    memory = load.before.memory if load.before is not None and not load.rechecks else None
    kinds = polars_kinds(first.drop("_reasons", strict=False).schema)
    return Checker(contract, kinds, references, place_of(load), memory=memory, now=load.ctx.clock.now())


def place_of(load: Load) -> str:
    """The source, for errors."""
    return f"source '{load.source.name}'"


def refuse_rows(load: Load, rows: int) -> None:
    """Raise a DataError where a table that grew has too few or too many rows."""
    bounds = load.source.contract.rows
    if load.carries_on and bounds is not None and not bounds[0] <= rows <= bounds[1]:
        raise DataError(
            f"{place_of(load)}: the number of rows is out of bounds",
            value=f"{rows:,} rows",
            mend=f"between {bounds[0]:,} and {bounds[1]:,} were declared",
        )


def reasons_of(aside: Iterable[pl.DataFrame]) -> dict[str, int]:
    """How many rows each rule set aside; values of a wrong type are counted by column."""
    counted: dict[str, int] = {}
    kinds = "|".join(("bool", "int", "float", "string", "date", "timestamp"))
    for frame in aside:
        texts = frame["_reasons"].explode().str.replace(rf"(?s)({type_reason(f'(?:{kinds})')}).*", "${1}")
        texts = texts.str.replace(r"(?s)( is no time in [^:]*): .*", "${1}").str.strip_suffix(": ")
        for reason, count in texts.value_counts().iter_rows():
            counted[reason] = counted.get(reason, 0) + count
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))
