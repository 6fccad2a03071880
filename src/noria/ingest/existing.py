"""A load beside the rows that are there already: what is known, what is another version of it, what is gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from noria.ingest.shape import common_type
from noria.ingest.zones import with_reason

if TYPE_CHECKING:
    import polars as pl


def without_known(rows: pl.DataFrame, known: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Rows less those that are known, the same in all of these columns; of equal rows as many as are known go.

    Examples
    --------
    >>> import polars as pl
    >>> without_known(pl.DataFrame({"x": [1, 1, 2]}), pl.DataFrame({"x": [1, 3]}), ["x"])["x"].to_list()
    [1, 2]
    """
    import polars as pl

    if not len(known) or not len(rows):
        return rows
    copy, at = free_name("_copy", columns), free_name("_at", columns)
    types = {name: common_type([rows.schema[name], known.schema[name]]) for name in columns}
    left, right = (
        frame.select(pl.col(name).cast(dtype) for name, dtype in types.items()).with_columns(
            pl.int_range(pl.len()).over(columns).alias(copy)
        )
        for frame in (rows, known)
    )
    there = left.with_row_index(at).join(right, on=[*columns, copy], how="semi", nulls_equal=True)[at]
    return rows.filter(~pl.int_range(pl.len()).is_in(there.implode()))


def free_name(name: str, taken: Collection[str]) -> str:
    """A name for a column of our own beside these.

    Examples
    --------
    >>> free_name("_at", ["id", "_at"])
    '_at_'
    """
    while name in taken:
        name += "_"
    return name


def newest_versions(rows: pl.DataFrame, key: Sequence[str], cursor: str | None) -> pl.DataFrame:
    """Of each key the row of the greatest cursor, of equal ones the last that came; rows without a key all stay.

    Examples
    --------
    >>> import polars as pl
    >>> rows = pl.DataFrame({"id": [1, 2, 1], "at": [5, 5, 4], "x": ["new", "one", "old"]})
    >>> newest_versions(rows, ["id"], "at")["x"].to_list()
    ['new', 'one']
    """
    import polars as pl

    whole = pl.all_horizontal([pl.col(name).is_not_null() for name in key])
    keyed, rest = rows.filter(whole), rows.filter(~whole)
    ordered = keyed.sort(cursor, maintain_order=True, nulls_last=False) if cursor else keyed
    kept = ordered.unique(subset=list(key), keep="last", maintain_order=True)
    return pl.concat([kept, rest]).sort("_row") if "_row" in rows.columns else pl.concat([kept, rest])


def not_outdated(rows: pl.DataFrame, known: pl.DataFrame, key: Sequence[str], cursor: str | None) -> pl.DataFrame:
    """Rows less those whose key is known with a greater cursor: they come too late to say how it is now."""
    import polars as pl

    if cursor is None or not len(known) or not len(rows):
        return rows
    name = free_name("_last", (*key, cursor))
    last = known.group_by(list(key)).agg(pl.col(cursor).max().alias(name))
    found = rows.select({*key, cursor}).join(last, on=list(key), how="left", maintain_order="left")
    return rows.filter((found[cursor] >= found[name]).fill_null(True))


def with_repeated_keys(rows: pl.DataFrame, known: pl.DataFrame, key: Sequence[str], reason: str) -> pl.DataFrame:
    """Rows with a reason where their key is known already."""
    import polars as pl

    if not len(known) or not len(rows):
        return rows
    at = free_name("_at", key)
    there = rows.select(key).with_row_index(at).join(known.select(key).unique(), on=list(key), how="semi")[at]
    repeated = rows.select(pl.int_range(pl.len()).is_in(there.implode()).alias("wrong"))["wrong"]
    return with_reason(rows, repeated, pl.lit(reason))
