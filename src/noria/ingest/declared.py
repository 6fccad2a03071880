"""What the columns of every source are, before anything is ingested, and whether contracts fit them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from noria.contracts import check, rules_of
from noria.core import DataError, DeclarationError
from noria.declarations import Project, Source
from noria.expressions import Kind, dtype_of, parse, polars_kinds
from noria.ingest.prepare import prepared
from noria.ingest.references import key_first
from noria.ingest.shape import Layouts
from noria.sources import Ask, connector, odd_value, read

if TYPE_CHECKING:
    import polars as pl

MOST_ROWS = 2_000_000
"""Of a longer source the columns are told by its first rows; what later ones are is found when they are ingested."""


def schemas_of(project: Project, base: Path, known: Mapping[str, Mapping[str, Kind]]) -> dict[str, Mapping[str, Kind]]:
    """The kinds of every source's columns, and a check that each contract fits them, before anything is ingested.

    The kinds of texts depend on all rows, so a source that is not known yet is read: one after the other, and of none
    more is kept than its columns.

    Parameters
    ----------
    project : Project
        Whose sources.
    base : Path
        The project's folder.
    known : mapping
        Kinds by source, of those that are ingested and unchanged: they are neither read nor checked again.

    Raises
    ------
    DeclarationError
        A rule, a type or a derived column does not fit the columns.
    DataError
        A source cannot be read, or a column is not there.
    """
    import polars as pl

    empty: dict[str, pl.DataFrame] = {}
    for source in project.sources:
        if source.name in known:
            schema = {name: dtype_of(kind) for name, kind in known[source.name].items()}
            empty[source.name] = pl.DataFrame(schema=schema)
        else:
            with _telling_odd_values(source, base):
                empty[source.name] = prepared(source, columns_of(source, base))
    for source in project.sources:
        if source.name not in known:
            _refuse_stale(source)
            rules = rules_of(source.contract)
            references = {to: key_first(empty[to], _key(project, to)) for rule in rules for to in rule.refers_to}
            with _telling_odd_values(source, base):
                check(empty[source.name], source.contract.replace(rows=None), references, f"source '{source.name}'")
    return {name: known.get(name) or polars_kinds(frame.schema) for name, frame in empty.items()}


def columns_of(source: Source, base: Path) -> pl.DataFrame:
    """No row of a source, but its columns as they come to the contract, ``_row`` among them."""
    import polars as pl

    ask, rows = Ask(source, base), 0
    layouts = Layouts(source)
    for batch in connector(source).batches(ask):
        layouts.observe(batch)
        rows += len(batch.frame)
        if rows >= MOST_ROWS:
            break
    if not rows:
        raise DataError(f"source '{source.name}': there are columns but no row", place=source.url, mend="one at least")
    types: dict[str, pl.DataType] = {"_row": pl.Int64()}
    for schema in layouts.mapped().values():
        types |= {name: dtype for name, dtype in schema.items() if name not in types or types[name] == pl.Null}
    return pl.DataFrame(schema=types)


@contextlib.contextmanager
def _telling_odd_values(source: Source, base: Path) -> Iterator[None]:
    """Where one odd value makes a text of a column of numbers, the data are wrong and not the declaration.

    The source is read again to find it.
    """
    import polars as pl

    try:
        yield
    except DeclarationError as error:
        raw = read(source, base)
        for column in raw.columns:
            named = re.search(rf"\b{re.escape(column)}\b", str(error)) is not None
            if not named or column in source.contract.types or raw.schema[column] != pl.String:
                continue
            if (odd := odd_value(raw[column])) is not None:
                raise DataError(
                    f"source '{source.name}': a value makes a text of the column '{column}', which would be numbers",
                    place=f"{source.url}, row {odd[0] + 1}, {column}",
                    value=odd[1],
                    mend=f'mend it, or say Contract(types={{"{column}": "float"}}): such rows are then set aside',
                ) from None
        raise


def _refuse_stale(source: Source) -> None:
    """A rule mends after columns are derived: what is derived from a mended column would be of the old value."""
    for name, text in source.columns:
        read_by = parse(text).columns
        for rule in rules_of(source.contract):
            # A rule mends the first of its columns.
            if rule.on_fail == "fix" and rule.columns[0] in read_by:
                raise rule.refuse(
                    f"a rule mends '{rule.columns[0]}', but '{name}' is derived from it before",
                    field="on_fail",
                    value=f"{name}: {text}",
                    mend="mend it in columns=… instead, such as with COALESCE, LEAST or GREATEST",
                )


def _key(project: Project, name: str) -> tuple[str, ...]:
    return next(source.contract.key for source in project.sources if source.name == name)
