"""JSON lines: an object a line. Values come as texts; what is nested, as JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from noria.core import DataError
from noria.sources.content import text_of, unpacked
from noria.sources.formats import Given

if TYPE_CHECKING:
    import polars as pl

_BLOCK = 8 << 20


def frames(given: Given) -> Iterator[pl.DataFrame]:
    """The rows of a file. Its keys are the columns: those seen so far, so that later frames may have more of them."""
    import polars as pl

    columns: dict[str, None] = {}
    any_rows = False
    for number, lines in _blocks(given):
        rows = _parsed(given, number, lines)
        if not rows:
            continue
        any_rows = True
        for row in rows:
            columns.update(dict.fromkeys(row))
        if "" in columns:
            raise DataError(
                f"source '{given.source.name}': a column has no name",
                place=f"{given.place}, from line {number} on", mend="give every key a name",
            )  # fmt: skip
        yield pl.DataFrame(
            {name: _texts([row.get(name) for row in rows]) for name in columns},
            schema=dict.fromkeys(columns, pl.String),
        )
    if not any_rows:
        yield pl.DataFrame()


def _blocks(given: Given) -> Iterator[tuple[int, list[bytes]]]:
    """Whole lines, and the number of the first of them."""
    number, rest = 1, b""
    with unpacked(given.source, given.place, given.file, given.size, given.packed) as (plain, _):
        text = text_of(given.source, given.place, plain, given.options.encoding or "")
        while block := text.read(_BLOCK):
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            yield number, lines
            number += len(lines)
    if rest:
        yield number, [rest]


def _parsed(given: Given, number: int, lines: list[bytes]) -> list[dict[str, Any]]:
    import msgspec

    decode, rows = msgspec.json.Decoder(dict[str, Any]).decode, []
    for offset, line in enumerate(lines):
        if not line or line.isspace():
            continue
        try:
            row = decode(line)
            # As many keys as colons after a quote: there cannot be one twice. Else it is looked at closely.
            if line.count(b'":') + line.count(b'" :') > len(row):
                json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise DataError(
                f"source '{given.source.name}': the file cannot be parsed",
                place=f"{given.place}, line {number + offset}",
                value=f"{error}: {line[:60].decode(errors='replace')}",
                mend="one JSON object a line, each key once",
            ) from None
        rows.append(row)
    return rows


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _texts(values: list[Any]) -> pl.Series:
    """Values as texts: numbers as they are written, objects and lists as JSON."""
    import polars as pl

    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {str}:
        return pl.Series(values, dtype=pl.String)
    if kinds == {int}:
        try:
            return pl.Series(values, dtype=pl.Int64).cast(pl.String)
        except (OverflowError, pl.exceptions.PolarsError, TypeError):
            pass
    elif kinds == {float}:
        return pl.Series(values, dtype=pl.Float64).cast(pl.String)
    return pl.Series([None if value is None else text_of_value(value) for value in values], dtype=pl.String)


def text_of_value(value: Any) -> str:
    """A value as a text.

    Examples
    --------
    >>> text_of_value({"a": [1, None]}), text_of_value("x"), text_of_value(True)
    ('{"a":[1,null]}', 'x', 'true')
    """
    import msgspec

    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
