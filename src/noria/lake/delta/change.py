"""Change: what a write does to a version of a table: the files that leave it and the rows of them that stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

_FILE, _AT = "__noria_file__", "__noria_at__"


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one version, and how to read them.

    Attributes
    ----------
    paths : dict of str
        Their names in the table's folder, to what Polars reads them by.
    schema : polars.Schema
        The columns to read; a file may lack some.
    sizes : dict of int
        Their bytes.
    stored : polars.Schema, optional
        The columns that the files have, where these are to be read in wider types or with more beside them.
    """

    paths: Mapping[str, str]
    schema: pl.Schema
    sizes: Mapping[str, int] = field(default_factory=dict)
    stored: pl.Schema | None = None

    def scan(self, *names: str, file: str | None = None) -> pl.LazyFrame:
        """Rows of some files, by default of all; `file` names a column for where each lies."""
        import polars as pl

        wanted = [self.paths[name] for name in names or self.paths]
        if not wanted:
            return pl.LazyFrame(schema=self.schema)
        stored = self.stored or self.schema
        rows = pl.scan_parquet(
            wanted,
            glob=False,
            hive_partitioning=False,
            schema=stored,
            missing_columns="insert",
            include_file_paths=file,
        )
        casts = [pl.col(name).cast(self.schema[name]) for name, dtype in stored.items() if self.schema[name] != dtype]
        new = [pl.lit(None, dtype).alias(name) for name, dtype in self.schema.items() if name not in stored]
        return rows.with_columns(*casts, *new)

    def where_found(self, met: pl.LazyFrame) -> list[str]:
        """The files that rows lie in which carry them."""
        found = met.select(_FILE).unique().collect(engine="streaming")[_FILE].to_list()
        back = {path: name for name, path in self.paths.items()}
        return sorted(back[path] for path in found)


def without_keys(files: Files, keys: pl.DataFrame) -> tuple[list[str], Iterator[pl.DataFrame]]:
    """The files that hold rows of some keys, and those of their rows that have none of them."""
    import polars as pl

    names = keys.columns
    if not keys.height or not files.paths:
        return [], iter(())
    first = keys[names[0]]
    rows = files.scan(file=_FILE)
    if not first.dtype.is_float() and not first.null_count():  # lets Parquet's own bounds skip what no key is in
        rows = rows.filter(pl.col(names[0]).is_between(pl.lit(first.min()), pl.lit(first.max())))
    touched = files.where_found(rows.join(keys.lazy(), on=names, how="semi", nulls_equal=True))

    def stay() -> Iterator[pl.DataFrame]:
        for name in touched:
            yield files.scan(name).join(keys.lazy(), on=names, how="anti", nulls_equal=True).collect()

    return touched, stay()


def without_values(files: Files, where: Mapping[str, Any]) -> tuple[list[str], Iterator[pl.DataFrame]]:
    """The files that hold rows with some values, and those of their rows that have not."""
    if not files.paths:
        return [], iter(())
    hit = holds(where)
    touched = files.where_found(files.scan(file=_FILE).filter(hit))
    return touched, (files.scan(name).filter(~hit).collect() for name in touched)


def holds(where: Mapping[str, Any]) -> pl.Expr:
    """Whether a row has all the values; a null is a value."""
    import polars as pl

    return pl.all_horizontal(pl.col(name).eq_missing(pl.lit(value)) for name, value in where.items())


def newest_of_each_key(
    spool: Files, key: tuple[str, ...], deleted: str | None
) -> tuple[pl.DataFrame, Iterator[pl.DataFrame]]:
    """The keys among rows that were spooled, and the last row of each key that is not deleted, in the order they came.

    Holds the keys and one spooled file.
    """
    import polars as pl

    offset = 0
    starts = {}
    for name, path in spool.paths.items():
        starts[name] = offset
        offset += pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
    numbered = spool.scan().select(key).with_row_index(_AT)
    last = numbered.group_by(key).agg(pl.col(_AT).max()).collect(engine="streaming")

    def rows() -> Iterator[pl.DataFrame]:
        for name, start in starts.items():
            frame = spool.scan(name).with_row_index(_AT, offset=start)
            kept = frame.join(last.lazy().select(_AT), on=_AT, how="semi").sort(_AT)
            if deleted is not None:
                kept = kept.filter(~pl.col(deleted).fill_null(False)).drop(deleted)
            yield kept.drop(_AT).collect()

    return last.select(key), rows()
