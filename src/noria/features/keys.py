"""Keys: which entity a row is about, as the one text that the online store knows it by, from a frame and from a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

_BETWEEN, _ESCAPE = "\x1f", "\x1e"


def key_bytes(row: Mapping[str, Any], keys: tuple[str, ...]) -> bytes | None:
    r"""The key of a row; None where a part of it is null.

    Examples
    --------
    >>> key_bytes({"carrier": "AA", "flight": 7}, ("carrier", "flight"))
    b'AA\x1f7'
    """
    parts = [row.get(key) for key in keys]
    if None in parts:
        return None
    texts = [part if type(part) is str else str(part).lower() if type(part) is bool else str(part) for part in parts]
    if len(texts) > 1:
        texts = [text.replace(_ESCAPE, _ESCAPE + "0").replace(_BETWEEN, _ESCAPE + "1") for text in texts]
    # A lone surrogate cannot be in any table: such a key is never found, and is no error.
    return _BETWEEN.join(texts).encode(errors="surrogatepass")


def key_text(frame: pl.DataFrame, keys: tuple[str, ...]) -> pl.Series:
    """The keys of rows, as a column ``key``; null where a part is."""
    import polars as pl

    parts = [pl.col(key).cast(pl.String) for key in keys]
    if len(parts) > 1:
        parts = [
            part.str.replace_all(_ESCAPE, _ESCAPE + "0", literal=True)
            .str.replace_all(_BETWEEN, _ESCAPE + "1", literal=True)
            for part in parts
        ]  # fmt: skip
    return frame.select(pl.concat_str(parts, separator=_BETWEEN).alias("key"))["key"]
