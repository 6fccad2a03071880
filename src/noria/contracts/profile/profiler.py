"""Profiling in one pass over batches: states of parts that merge into the state of the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from noria.contracts.profile.column import ColumnState
from noria.contracts.profile.correlation import Correlations, correlated
from noria.contracts.profile.personal import personal_kind
from noria.contracts.profile.result import Profile
from noria.core import DataError
from noria.expressions import Kind, dtype_of, polars_kinds

if TYPE_CHECKING:
    import polars as pl

_SAMPLE = 20_000
_PAIRED = 12
_WIDE: dict[tuple[Kind, Kind], Kind] = {("int", "float"): "float", ("date", "timestamp"): "timestamp"}


@dataclass(slots=True)
class Profiler:
    """Takes batches, in order, and says what was in them.

    It holds what `ColumnState` says for each column, the sums of `Correlations`, and a sample of 20,000 rows; not more
    for more rows.

    Examples
    --------
    >>> import polars as pl
    >>> one, other = Profiler(), Profiler()
    >>> one.update(pl.DataFrame({"id": [1, 2], "town": ["Köln", None]}))
    >>> other.update(pl.DataFrame({"id": [3], "town": ["Bonn"]}))
    >>> one.merge(other)
    >>> found = one.result()
    >>> found.rows, found.keys, found.column("town").nulls
    (3, (('id',),), 1)
    """

    rows: int = 0
    columns: dict[str, ColumnState] = field(default_factory=dict)
    correlations: Correlations | None = None
    sample: pl.DataFrame | None = None

    def update(self, frame: pl.DataFrame) -> None:
        """Take a batch. Columns that row expressions cannot read (lists, structs) are left out.

        Raises
        ------
        DataError
            A column has another kind than in the batches before, and no kind holds both.
        """
        kinds = {name: kind for name, kind in polars_kinds(frame.schema).items() if name != "_row"}
        typed = frame.select(_cast(name, kind) for name, kind in kinds.items())
        for name, kind in kinds.items():
            self._column(name, kind).update(typed[name])
        for name in self.columns.keys() - kinds.keys():  # a batch without it
            self.columns[name].rows += len(frame)
            self.columns[name].nulls += len(frame)
        self.rows += len(frame)
        self._correlate(typed)
        self._keep(typed)

    def merge(self, other: Profiler) -> None:
        """Take what another profiler has seen, of rows that come after."""
        for name, state in other.columns.items():
            self._column(name, state.kind).merge(state)
        for name in self.columns.keys() - other.columns.keys():
            self.columns[name].rows += other.rows
            self.columns[name].nulls += other.rows
        self.rows += other.rows
        if self.correlations is None:
            self.correlations = other.correlations
        elif other.correlations is not None and other.correlations.names == self.correlations.names:
            self.correlations.merge(other.correlations)
        if other.sample is not None:
            self._keep(other.sample)

    def result(self) -> Profile:
        """What was in all of them."""
        sample = self.sample
        columns = tuple(
            state.result(personal_kind(name, sample[name]) if sample is not None and name in sample.columns else "")
            for name, state in self.columns.items()
        )
        keys = [(column.name,) for column in columns if column.is_key]
        pairs = [] if keys or sample is None else _pairs(self, sample)
        found = self.correlations.pairs() if self.correlations else []
        return Profile(self.rows, columns, tuple(keys or pairs), tuple(found))

    def _column(self, name: str, kind: Kind) -> ColumnState:
        state = self.columns.get(name)
        if state is None:
            state = self.columns[name] = ColumnState(name, kind, rows=self.rows, nulls=self.rows)
        elif state.kind != kind and kind != "null":
            wide = kind if state.kind == "null" else _WIDE.get((state.kind, kind)) or _WIDE.get((kind, state.kind))
            if wide is None:
                raise DataError(
                    "a column has values of two kinds",
                    place=f"column '{name}', after row {self.rows:,}",
                    value=f"{state.kind}, then {kind}",
                    mend="say its type in the contract, or mend the data",
                )
            state.kind = wide
        return state

    def _correlate(self, typed: pl.DataFrame) -> None:
        if self.correlations is None:
            kinds = [(name, state.kind) for name, state in self.columns.items()]
            self.correlations = Correlations(correlated(kinds))
        if all(name in typed.columns for name in self.correlations.names):
            self.correlations.update(typed)

    def _keep(self, typed: pl.DataFrame) -> None:
        """The first rows, and later ones in the place of every second of them: so that late values are in it too."""
        import polars as pl

        fresh = typed.gather_every(max(1, len(typed) // _SAMPLE)).head(_SAMPLE)
        if self.sample is None:
            self.sample = fresh
            return
        both = pl.concat([self.sample, fresh], how="diagonal_relaxed")
        self.sample = both.gather_every(2) if len(both) > _SAMPLE else both


def profile_of(batches: Iterable[pl.DataFrame]) -> Profile:
    """Profile rows that come in batches, in bounded memory.

    Parameters
    ----------
    batches : iterable of DataFrame
        The rows in order. A column ``_row`` is no part of the data.

    Examples
    --------
    >>> import polars as pl
    >>> found = profile_of([pl.DataFrame({"late": [True, False, True]}), pl.DataFrame({"late": [None, True]})])
    >>> found.column("late").top, found.column("late").nulls
    ((('true', 3), ('false', 1)), 1)
    """
    profiler = Profiler()
    for batch in batches:
        profiler.update(batch)
    return profiler.result()


def _cast(name: str, kind: Kind) -> pl.Expr:
    import polars as pl

    return pl.col(name) if kind == "interval" else pl.col(name).cast(dtype_of(kind))


def _pairs(profiler: Profiler, sample: pl.DataFrame) -> list[tuple[str, ...]]:
    """Pairs of columns that tell the rows of the sample apart, and that have enough distinct values for all rows."""
    import polars as pl

    likely = sorted(
        (state for state in profiler.columns.values()
         if not state.nulls and state.kind in ("int", "string", "date", "timestamp") and state.distinct.count() > 1),
        key=lambda state: -state.distinct.count(),
    )[:_PAIRED]  # fmt: skip
    for one, other in combinations(likely, 2):
        if one.distinct.count() * other.distinct.count() < 2 * profiler.rows or profiler.rows > len(sample):
            continue
        if not sample.select(pl.struct(one.name, other.name).is_duplicated().any()).item():
            return [(one.name, other.name)]
    return []
