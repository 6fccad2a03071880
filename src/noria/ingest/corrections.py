"""Corrections: what people mended of a source's rows by hand, told once and applied whenever its rows are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from noria.core import DeclarationError, IntegrityError, canonical
from noria.declarations import Source
from noria.expressions import parse, polars_kinds, to_polars
from noria.workspace import Workspace, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

_FORMAT = 1
_WIDER = {("int", "float"), ("date", "timestamp")}


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction.

    Attributes
    ----------
    where : str
        A row expression: which rows are wrong. It may read ``_row``.
    set : mapping of str to str
        A column to the row expression that gives its right value.
    because : str
        Why.
    by : str
        Who said so.
    """

    where: str
    set: Mapping[str, str]
    because: str = ""
    by: str = ""


def corrections_of(workspace: Workspace, source: str) -> tuple[Correction, ...]:
    """The corrections of a source, in the order in which they were made.

    Raises
    ------
    IntegrityError
        The file that keeps them cannot be read.
    """
    path = _file(workspace, source)
    if not path.exists():
        return ()
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["format"] != _FORMAT:
            raise ValueError(f"format {kept['format']}")
        return tuple(Correction(**one) for one in kept["corrections"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise IntegrityError("corrections cannot be read", place=str(path), value=str(error)) from None


def keep_correction(workspace: Workspace, source: str, correction: Correction) -> None:
    """Add a correction to those of a source. The caller holds the workspace's lock."""
    kept = [*corrections_of(workspace, source), correction]
    write_atomically(_file(workspace, source), canonical({"format": _FORMAT, "corrections": [asdict(c) for c in kept]}))


def _file(workspace: Workspace, source: str) -> Path:
    return workspace.root / "corrections" / f"{source}.json"


def corrected(source: Source, frame: pl.DataFrame, corrections: tuple[Correction, ...]) -> pl.DataFrame:
    """Rows with their corrections; a value that is set has no reason against it any more.

    Raises
    ------
    DeclarationError
        A correction does not fit the columns.
    """
    import polars as pl

    for number, one in enumerate(corrections, 1):
        kinds, place = polars_kinds(frame.schema), f"correction {number} of source '{source.name}'"
        where = parse(one.where, place=place)
        if where.kind(kinds) not in ("bool", "null"):
            raise DeclarationError("which rows are wrong is true or false", place=place, value=one.where)
        wrong = frame.select(to_polars(where, kinds).fill_null(False).alias("wrong"))["wrong"]
        if not wrong.any():
            continue
        made = []
        for column, text in one.set.items():
            if column not in frame.columns or column in ("_row", "_reasons"):
                raise DeclarationError("there is no such column", place=place, value=column)
            given = parse(text, place=place)
            kind, wanted = given.kind(kinds), kinds.get(column)
            if wanted is not None and kind not in (wanted, "null") and (kind, wanted) not in _WIDER:
                raise DeclarationError(f"'{column}' is {wanted}, the value is {kind}", place=place, value=text)
            value = to_polars(given, kinds)
            made.append(pl.when(wrong).then(value.cast(frame.schema[column])).otherwise(pl.col(column)).alias(column))
        frame = frame.with_columns(made)
        if "_reasons" in frame.columns:
            of_column = pl.any_horizontal([pl.element().str.starts_with(f"{column} is no ") for column in one.set])
            fewer = pl.col("_reasons").list.eval(pl.element().filter(~of_column))
            frame = frame.with_columns(_reasons=pl.when(wrong).then(fewer).otherwise(pl.col("_reasons")))
    return frame
