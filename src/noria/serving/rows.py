"""The named-columns form: rows of entity keys and request columns; their features are fetched here."""

from __future__ import annotations

import msgspec

from noria.serving.answer import Refusal
from noria.serving.tensors import MOST_ROWS

_LONGEST_ID = 128
Row = dict[str, str | int | float | bool | None]


class Rows(msgspec.Struct, forbid_unknown_fields=True):
    """A request: ``{"rows": [{"carrier": "UA", …}], "id": "optional"}``."""

    rows: list[Row]
    id: str = ""


class Predicted(msgspec.Struct):
    """The answer to a row."""

    id: str
    probability: float
    version: str


class Predictions(msgspec.Struct):
    """The answers, in the order of the rows."""

    predictions: list[Predicted]


_decode = msgspec.json.Decoder(Rows).decode
_encode = msgspec.json.Encoder().encode


def read_rows(body: bytes) -> Rows:
    """A request of this form.

    Raises
    ------
    Refusal
        400: it is not one; 413: too many rows.
    """
    try:
        asked = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise Refusal(400, f"not a request of rows: {text}") from None
    if not asked.rows:
        raise Refusal(400, "at least one row is needed")
    if len(asked.rows) > MOST_ROWS:
        raise Refusal(413, f"at most {MOST_ROWS} rows at a time")
    if len(asked.id) > _LONGEST_ID:
        raise Refusal(400, f"an id has at most {_LONGEST_ID} characters")
    return asked


def seed_of(row: Row) -> bytes:
    """What decides which version answers a row without an id: the same row always goes the same way."""
    return _encode(dict(sorted(row.items())))
