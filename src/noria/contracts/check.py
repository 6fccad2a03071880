"""Checking one frame against a contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.contracts.checker import Checker
from noria.contracts.verdict import Verdict
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


def check(frame: pl.DataFrame, contract: Contract, references: Mapping[str, pl.DataFrame], place: str) -> Checked:
    """Check rows against the key and the rules of a contract.

    Parameters
    ----------
    frame : DataFrame
        Rows with ``_row``, typed, with derived columns; a ``_reasons`` column (list of texts) is carried on.
    contract : Contract
        What they must be.
    references : mapping of str to DataFrame
        Tables of other sources, for `refers`.
    place : str
        The source, for errors.

    Raises
    ------
    DataError
        A rule that says ``fail`` is broken, or there are too few or too many rows.
    DeclarationError
        A rule does not fit the columns.
    """
    kinds = {name: kind for name, kind in polars_kinds(frame.schema).items() if name != "_reasons"}
    checker = Checker(contract, kinds, references, place)
    checker.observe(frame)
    split = checker.split(frame)
    return Checked(split.kept, split.quarantined, checker.verdicts(), split.dropped)
