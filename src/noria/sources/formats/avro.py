"""Avro: the writer's schema gives the types; what is nested, or of several types, comes as JSON text."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from noria.core import require
from noria.sources.content import seekable
from noria.sources.formats import Given
from noria.sources.formats.json_lines import text_of_value
from noria.sources.formats.parquet import parsing

if TYPE_CHECKING:
    import polars as pl

_ROWS = 50_000


def frames(given: Given) -> Iterator[pl.DataFrame]:
    """The rows of a file."""
    import polars as pl

    fastavro = require("fastavro", extra="avro")
    with seekable(given.source, given.place, given.file, given.size, given.packed) as (file, _), parsing(given):
        with _any_error():
            reader = fastavro.reader(file)
            schema: Any = reader.writer_schema
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise ValueError("its items are no records")
        types = {field["name"]: _type(field["type"]) for field in schema["fields"]}
        yield pl.DataFrame(schema={name: dtype for name, (dtype, _) in types.items()})
        while True:
            with _any_error():
                rows = list(itertools.islice(reader, _ROWS))
            if not rows:
                return
            columns = {
                name: [convert(row[name]) for row in rows] if convert else [row[name] for row in rows]
                for name, (_, convert) in types.items()
            }
            yield pl.DataFrame({name: pl.Series(columns[name], dtype=dtype) for name, (dtype, _) in types.items()})


@contextmanager
def _any_error() -> Iterator[None]:
    """Of a file that is broken the library raises whatever it stumbles over, in types of its own and of others."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _json(value: Any) -> str | None:
    return None if value is None else text_of_value(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _type(schema: Any) -> tuple[pl.DataType, Callable[[Any], Any] | None]:
    """The type of a column, and what its values go through first."""
    import polars as pl

    if isinstance(schema, list):
        kinds = [kind for kind in schema if kind != "null"]
        if len(kinds) > 1:
            return pl.String(), _json
        return _type(kinds[0]) if kinds else (pl.Null(), None)
    logical = schema.get("logicalType") if isinstance(schema, dict) else None
    name = schema["type"] if isinstance(schema, dict) else schema
    if logical == "decimal":
        return pl.Decimal(schema["precision"], schema.get("scale", 0)), None
    found: dict[str, pl.DataType] = {
        "date": pl.Date(),
        "time-millis": pl.Time(),
        "time-micros": pl.Time(),
        "timestamp-millis": pl.Datetime("us", "UTC"),
        "timestamp-micros": pl.Datetime("us", "UTC"),
        "local-timestamp-millis": pl.Datetime("us"),
        "local-timestamp-micros": pl.Datetime("us"),
    }
    if logical in found:
        return found[logical], None
    if logical == "uuid":
        return pl.String(), _text
    plain: dict[str, pl.DataType] = {
        "null": pl.Null(),
        "boolean": pl.Boolean(),
        "int": pl.Int32(),
        "long": pl.Int64(),
        "float": pl.Float32(),
        "double": pl.Float64(),
        "bytes": pl.Binary(),
        "fixed": pl.Binary(),
        "string": pl.String(),
        "enum": pl.String(),
    }
    if isinstance(name, str) and name in plain:
        return plain[name], None
    return pl.String(), _json  # a record, an array, a map, or a type that has a name
