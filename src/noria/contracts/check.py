"""Checking rows against a contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, overload

from noria.contracts.checker import Checker
from noria.contracts.data import Data, rows_of
from noria.contracts.report import Engine, Report, reported
from noria.contracts.verdict import Verdict
from noria.core import DeclarationError
from noria.declarations import Contract
from noria.expressions import polars_kinds

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows kept, rows quarantined with ``_reasons``, how many were dropped, and what each rule found."""

    kept: pl.DataFrame
    quarantined: pl.DataFrame
    verdicts: tuple[Verdict, ...]
    dropped: int = 0


@overload
def check(
    data: pl.DataFrame, contract: Contract, references: Mapping[str, pl.DataFrame], place: str,
    *, memory: Mapping[str, Any] | None = None, now: datetime | None = None,
) -> Checked: ...  # fmt: skip


@overload
def check(
    data: Data, contract: Contract, references: Mapping[str, pl.DataFrame] | None = None, *, engine: Engine = "polars",
    memory: Mapping[str, Any] | None = None, now: datetime | None = None,
) -> Report: ...  # fmt: skip


def check(
    data: Data, contract: Contract, references: Mapping[str, pl.DataFrame] | None = None, place: str | None = None,
    *, engine: Engine = "polars", memory: Mapping[str, Any] | None = None, now: datetime | None = None,
) -> Report | Checked:  # fmt: skip
    """Check rows against a contract, wherever they are.

    Every rule is checked in full, on lazy frames too. Rows that do not lie in memory come in batches of a million; of
    Parquet files only the columns are read that the files' own statistics leave open.

    Parameters
    ----------
    data : DataFrame, LazyFrame, Arrow table, or path(s)
        The rows. Paths are of ``.parquet`` or ``.csv`` files.
    contract : Contract
        What they must be.
    references : mapping of str to DataFrame, optional
        Tables of other sources, for rules that refer to them; the key's column comes first.
    place : str, optional
        The source, for errors. With it, a frame is sorted out: the answer is a `Checked`, with rows kept and
        quarantined, and a rule that says ``fail`` raises. The frame has ``_row``, is typed and has its derived
        columns; a ``_reasons`` column (list of texts) is carried on.
    engine : str
        ``"polars"`` or ``"duckdb"``: the rules as one query.
    memory : mapping, optional
        Of the report of older rows of the same table.
    now : datetime, optional
        The time, for rules that ask for it; by default that of the wall.

    Returns
    -------
    Report
        What each rule found; with `place`, a `Checked`.

    Raises
    ------
    DataError
        The rows cannot be read, or a column is not there; with `place`, a rule that says ``fail`` is broken, or there
        are too few or too many rows.
    DeclarationError
        A rule does not fit the columns, or the engine cannot check it.

    Examples
    --------
    >>> import noria as nr, polars as pl
    >>> rows = pl.LazyFrame({"origin": ["EWR", "JFK", "X"], "distance": [200, 1400, 90]})
    >>> report = nr.check(rows, nr.Contract(rules=[nr.one_of("origin", ["EWR", "JFK", "LGA"])]))
    >>> print(report)
    3 rows, 1 rules, 1 broken
      fail: origin is one of EWR, JFK, LGA: 1 rows, such as row 3: X
    """
    if place is None:
        if engine not in ("polars", "duckdb"):
            raise DeclarationError("there is no such engine", value=engine, mend="'polars' or 'duckdb'")
        return reported(rows_of(data, contract.types), contract, references or {}, "the rows", engine, memory, now)
    import polars as pl

    if not isinstance(data, pl.DataFrame) or engine != "polars":
        raise DeclarationError(
            "only a frame can be sorted out, by Polars", value=type(data).__name__, mend="no place=…"
        )
    kinds = {name: kind for name, kind in polars_kinds(data.schema).items() if name != "_reasons"}
    checker = Checker(contract, kinds, references or {}, place, memory=memory, now=now)
    checker.observe(data)
    split = checker.split(data)
    return Checked(split.kept, split.quarantined, checker.verdicts(), split.dropped)
