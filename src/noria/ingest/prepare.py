"""Rows with the contract's types and the derived columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from noria.declarations import Source
from noria.expressions import Kind, parse, polars_kinds, to_polars
from noria.ingest.corrections import Correction, corrected
from noria.ingest.shape import typed_as
from noria.ingest.zones import texts_in_zone
from noria.sources import as_kinds

if TYPE_CHECKING:
    import polars as pl


def prepared(source: Source, raw: pl.DataFrame, corrections: tuple[Correction, ...] = ()) -> pl.DataFrame:
    """Raw rows with the contract's types, corrected, and with the derived columns; reasons of before are kept."""
    frame = corrected(source, _typed(source, raw), corrections)
    kinds = polars_kinds(frame.schema)
    for name, text in source.columns:
        if name in frame.columns or name == "_reasons":
            raise source.refuse(
                "a derived column has the name of one that is there", field=f"columns.{name}", value=name
            )
        derived = parse(text, place=f"{source.written_at}, Source '{source.name}', columns.{name}")
        kind = derived.kind(kinds)
        if kind == "interval":
            raise source.refuse(
                "a derived column is an interval, and tables have no type for one",
                field=f"columns.{name}",
                value=text,
                mend=f"EXTRACT(EPOCH FROM {text}): its seconds",
            )
        frame = frame.with_columns(to_polars(derived, kinds).alias(name))
        kinds[name] = kind
    for field in ("event_time", "arrival_time"):
        _refuse_no_time(source, field, getattr(source, field), kinds)
    return frame


def _typed(source: Source, raw: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    frame = typed_as(source, _as_plainly_written(raw, source.contract.types), source.contract.types)
    if source.time_zone == "UTC":
        return frame
    moments = [name for name, kind in source.contract.types.items() if kind == "timestamp"]
    return texts_in_zone(frame, raw, [n for n in moments if raw.schema.get(n) == pl.String], source.time_zone)


def _as_plainly_written(raw: pl.DataFrame, types: Mapping[str, Kind]) -> pl.DataFrame:
    """Texts as their type where all are written plainly: the values that a cast gives, several times as fast."""
    import polars as pl

    made = []
    for name, kind in types.items():
        if raw.schema.get(name) == pl.String and kind != "string":
            values = as_kinds(raw.select(name), {name: kind})[name]
            if values.null_count() == raw[name].null_count():
                made.append(values)
    return raw.with_columns(made)


def _refuse_no_time(source: Source, field: str, column: str | None, kinds: dict[str, Kind]) -> None:
    if column is not None and kinds.get(column) not in ("timestamp", "null"):
        raise source.refuse(
            f"the {field.replace('_', ' ')} is not a timestamp",
            field=field,
            value=f"{column}: {kinds.get(column, 'no such column')}",
            mend="derive one in columns=…, or give its type in the contract",
        )
