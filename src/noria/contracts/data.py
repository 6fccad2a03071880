"""What can be checked: frames, lazy frames, Arrow tables and files, each as batches of rows in bounded memory."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from noria.core import DataError, DeclarationError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    Data: TypeAlias = pl.DataFrame | pl.LazyFrame | pa.Table | str | Path | Sequence[str | Path]
    _Frame = TypeVar("_Frame", pl.DataFrame, pl.LazyFrame)
else:
    Data: TypeAlias = Any

BATCH = 1_000_000
"""Rows that are looked at together where they do not lie in memory already."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that can be gone over more than once.

    Attributes
    ----------
    frame : DataFrame or LazyFrame
        The rows, with ``_row``.
    parquet : tuple of str
        The files that they are read from, where these are Parquet: their own statistics can be asked.
    """

    frame: pl.DataFrame | pl.LazyFrame
    parquet: tuple[str, ...] = ()

    @property
    def schema(self) -> pl.Schema:
        """The columns."""
        import polars as pl

        return self.frame.schema if isinstance(self.frame, pl.DataFrame) else self.frame.collect_schema()

    def batches(self, columns: Iterable[str]) -> Iterator[pl.DataFrame]:
        """The rows in order, with ``_row`` and some columns; those that do not lie in memory in bounded batches."""
        import polars as pl

        names = list(dict.fromkeys(["_row", *columns]))
        if isinstance(self.frame, pl.DataFrame):
            yield self.frame.select(names)
            return
        try:
            yield from self.frame.select(names).collect_batches(chunk_size=BATCH, lazy=True)
        except pl.exceptions.PolarsError as error:
            raise DataError("the rows cannot be read", value=str(error).strip().splitlines()[0]) from None


def rows_of(data: Data, texts: Iterable[str] = ()) -> Rows:
    """Rows of whatever holds them.

    Parameters
    ----------
    data : DataFrame, LazyFrame, Arrow table, or path(s)
        Paths are of ``.parquet`` or ``.csv`` files, all of one form; ``*`` stands for any name.
    texts : list of str
        Columns of CSV files that are read as they are written.
    """
    import polars as pl

    if isinstance(data, pl.DataFrame):
        return Rows(_numbered(data, data.columns))
    if isinstance(data, pl.LazyFrame):
        return Rows(_numbered(data, data.collect_schema().names()))
    if isinstance(data, str | Path):
        return _of_files([data], texts)
    if isinstance(data, list | tuple) and data and all(isinstance(each, str | Path) for each in data):
        return _of_files(data, texts)
    if hasattr(data, "__arrow_c_stream__"):
        made = pl.DataFrame(data)
        return Rows(_numbered(made, made.columns))
    raise DeclarationError(
        "these are no rows that can be checked", value=type(data).__name__,
        mend="a DataFrame or LazyFrame of Polars, an Arrow table, or paths of .parquet or .csv files",
    )  # fmt: skip


def _of_files(paths: Sequence[str | Path], texts: Iterable[str]) -> Rows:
    import polars as pl

    files = [found for path in paths for found in (sorted(glob.glob(os.fspath(path))) or [os.fspath(path)])]
    if missing := [file for file in files if not os.path.isfile(file)]:
        raise DataError("there is no such file", place=missing[0])
    ends = {Path(file).suffix.lower() for file in files}
    if ends not in ({".parquet"}, {".csv"}):
        raise DeclarationError(
            "files of this form cannot be checked",
            value=", ".join(sorted(ends)),
            mend=".parquet or .csv, all alike",
        )
    escaped = [glob.escape(file) for file in files]
    try:
        if ends == {".parquet"}:
            lazy = pl.scan_parquet(escaped)
            names = lazy.collect_schema().names()
            return Rows(_numbered(lazy, names), tuple(files))
        lazy = pl.scan_csv(escaped, infer_schema_length=100_000, schema_overrides=dict.fromkeys(texts, pl.String))
        names = lazy.collect_schema().names()
    except pl.exceptions.PolarsError as error:
        raise DataError("the file cannot be read", place=files[0], value=str(error).strip().splitlines()[0]) from None
    return Rows(_numbered(lazy, names))


def _numbered(rows: _Frame, columns: Sequence[str]) -> _Frame:
    """Rows with ``_row``, from 1, unless they have it."""
    return rows if "_row" in columns else rows.with_row_index("_row", 1)
