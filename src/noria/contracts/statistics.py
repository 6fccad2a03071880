"""What Parquet files say of their columns themselves: rules that it proves need no row to be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from noria.contracts.facts import Fact


def file_facts(files: Sequence[str], columns: Iterable[str]) -> dict[str, Fact]:
    """What is known of columns of Parquet files from their footers.

    A column is left out where a row group does not tell its nulls; bounds are, where one does not tell them, or where
    they are of floats: a file's bounds pass over NaN.
    """
    import pyarrow.parquet as pq

    wanted = set(columns)
    merged: dict[str, Fact | None] = {}
    for file in files:
        metadata = pq.read_metadata(file)
        for group in range(metadata.num_row_groups):
            row_group = metadata.row_group(group)
            for index in range(row_group.num_columns):
                column = row_group.column(index)
                if column.path_in_schema in wanted:
                    name = column.path_in_schema
                    new = _fact(column, row_group.num_rows)
                    merged[name] = _both(merged[name], new) if name in merged else new
    return {name: fact for name, fact in merged.items() if fact is not None}


def _fact(column: Any, rows: int) -> Fact | None:
    known = column.statistics
    if known is None or not known.has_null_count:
        return None
    low, high = (known.min, known.max) if known.has_min_max else (None, None)
    if isinstance(low, float | bytes | str) or not isinstance(low, int | date | datetime):
        low = high = None
    return Fact(rows, known.null_count, low, high)


def _both(one: Fact | None, two: Fact | None) -> Fact | None:
    if one is None or two is None:
        return None
    rows, nulls = one.rows + two.rows, one.nulls + two.nulls
    if one.empty or two.empty:  # bounds of no value are those of the other
        told = two if one.empty else one
        return Fact(rows, nulls, told.low, told.high)
    if one.low is None or two.low is None:
        return Fact(rows, nulls)
    return Fact(rows, nulls, min(one.low, two.low), max(one.high, two.high))
