"""The change log of PostgreSQL, decoded: messages of its plug-in ``pgoutput`` (version 1) as rows of texts.

The format: https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

Values = tuple[bytes | bool | None, ...]
"""One row: a text a column, None for null, and True for a long value that did not change and so was not sent."""
_2000 = 946_684_800_000_000


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as it was at a moment: names, type numbers, type modifiers."""

    schema: str
    name: str
    columns: tuple[str, ...]
    types: tuple[int, ...]
    modifiers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One change: ``insert``, ``update`` or ``delete``, the row after it and, where it was sent, before it."""

    kind: str
    relation: Relation
    new: Values | None
    old: Values | None


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction begins: what its commit lies at, when that was (microseconds since 1970), its number."""

    commit: int
    at: int
    number: int


@dataclass(frozen=True, slots=True)
class End:
    """A transaction is over: where the log goes on."""

    lsn: int


@dataclass(frozen=True, slots=True)
class Emptied:
    """Tables were truncated."""

    relations: tuple[Relation, ...]


class Decoder:
    """Reads message after message; it remembers the tables that later ones refer to by number."""

    def __init__(self) -> None:
        self._relations: dict[int, Relation] = {}

    def read(self, data: bytes) -> Begin | End | Change | Emptied | None:
        """One message; None for what says nothing about rows."""
        kind = data[:1]
        if kind in b"IUD":
            return self._change(kind, data)
        if kind == b"B":
            commit, at, number = struct.unpack_from(">QqI", data, 1)
            return Begin(commit, at + _2000, number)
        if kind == b"C":
            return End(struct.unpack_from(">Q", data, 10)[0])
        if kind == b"R":
            self._relation(data)
        elif kind == b"T":
            (count,) = struct.unpack_from(">I", data, 1)
            return Emptied(tuple(self._relations[n] for n in struct.unpack_from(f">{count}I", data, 6)))
        return None

    def _relation(self, data: bytes) -> None:
        (number,), at = struct.unpack_from(">I", data, 1), 5
        schema, at = _text(data, at)
        name, at = _text(data, at)
        (count,), at = struct.unpack_from(">h", data, at + 1), at + 3
        columns, types, modifiers = [], [], []
        for _ in range(count):
            column, at = _text(data, at + 1)
            kind, modifier = struct.unpack_from(">Ii", data, at)
            at += 8
            columns.append(column)
            types.append(kind)
            modifiers.append(modifier)
        self._relations[number] = Relation(schema, name, tuple(columns), tuple(types), tuple(modifiers))

    def _change(self, kind: bytes, data: bytes) -> Change:
        relation = self._relations[struct.unpack_from(">I", data, 1)[0]]
        old, at = None, 5
        if data[at : at + 1] in (b"K", b"O"):
            old, at = _row(data, at + 1)
        new = _row(data, at + 1)[0] if kind != b"D" else None
        return Change({b"I": "insert", b"U": "update", b"D": "delete"}[kind], relation, new, old)


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(0, at)
    return data[at:end].decode(), end + 1


def _row(data: bytes, at: int) -> tuple[Values, int]:
    count = int.from_bytes(data[at : at + 2], "big")
    at += 2
    values: list[bytes | bool | None] = []
    for _ in range(count):
        kind = data[at]
        at += 1
        if kind == 116:  # "t": a text
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            values.append(data[at + 4 : end])
            at = end
        else:  # "n": null; "u": not changed
            values.append(True if kind == 117 else None)
    return tuple(values), at


def series(name: str, type: str, values: Sequence[bytes | None]) -> pl.Series:
    """Texts as the server writes them, as the same values that a SELECT gives.

    Examples
    --------
    >>> series("seats", "int4", [b"180", None]).to_list(), series("old", "date", [b"0044-03-15 BC"]).to_list()
    ([180, None], [datetime.date(1, 1, 1)])
    """
    import polars as pl

    if type == "bytea":
        made = [None if value is None else bytes.fromhex(value[2:].decode()) for value in values]
        return pl.Series(name, made, pl.Binary)
    texts = pl.Series(name, [None if value is None else value.decode() for value in values], pl.String)
    plain: dict[str, Any] = {
        "int2": pl.Int16, "int4": pl.Int32, "int8": pl.Int64, "oid": pl.Int64, "xid": pl.Int64, "cid": pl.Int64,
        "numeric/0": pl.Int64, "float4": pl.Float32, "float8": pl.Float64, "numeric": pl.Float64,
    }  # fmt: skip
    if type in plain:
        return texts.cast(plain[type])
    other: dict[str, Callable[[pl.Series], pl.Series]] = {
        "bool": lambda found: found == "t",
        "money": lambda found: found.str.replace_all(r"[$,]", "").cast(pl.Float64),
        "date": lambda found: _in_calendar(found, "").str.to_date("%Y-%m-%d"),
        "timestamp": lambda found: _in_calendar(found, " 00:00:00").str.to_datetime(_MOMENT, time_unit="us"),
        "timestamptz": lambda found: (
            _in_calendar(found.str.strip_suffix("+00"), " 00:00:00")
            .str.to_datetime(_MOMENT, time_unit="us")
            .dt.replace_time_zone("UTC")
        ),
    }
    return other[type](texts).alias(name) if type in other else texts


_MOMENT = "%Y-%m-%d %H:%M:%S%.f"


def _in_calendar(texts: pl.Series, midnight: str) -> pl.Series:
    """What lies outside of the years 1 to 9999, infinity too, as the first or the last of them."""
    import polars as pl

    first, last = f"0001-01-01{midnight}", "9999-12-31" + (" 23:59:59.999999" if midnight else "")
    text = pl.col(texts.name)
    before = text.str.ends_with("BC") | (text == "-infinity")
    kept = pl.when(before).then(pl.lit(first)).when(~text.str.contains(r"^\d{4}-")).then(pl.lit(last)).otherwise(text)
    return texts.to_frame().select(kept.alias(texts.name)).to_series()
