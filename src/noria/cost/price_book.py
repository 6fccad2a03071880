"""PriceBook: what a second of processor and a gigabyte cost, each figure with its source."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noria.core import DeclarationError
from noria.cost.meters import Meters

_GB = 1e9
_PARTS = ("cpu_hour", "memory_gb_hour", "storage_gb_month")


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Prices, dated.

    Attributes
    ----------
    name, currency, dated : str
        Whose prices, in what, as of when.
    cpu_hour, memory_gb_hour, storage_gb_month : float
        Of one processor for an hour, a gigabyte of memory for an hour, a gigabyte stored for a month.
    """

    name: str
    currency: str
    dated: str
    cpu_hour: float
    memory_gb_hour: float
    storage_gb_month: float

    @classmethod
    def load(cls, path: Path | None = None) -> PriceBook:
        """The price book that ``NORIA_PRICES`` names, else the one that comes with Noria.

        Raises
        ------
        DeclarationError
            It cannot be read, a figure is missing, below 0 or without a source.
        """
        named = os.environ.get("NORIA_PRICES")
        path = path or (Path(named) if named else Path(__file__).with_name("prices.toml"))
        try:
            book = tomllib.loads(path.read_text(encoding="utf-8"))
            prices = {part: _price(part, book[part]) for part in _PARTS}
            return cls(str(book["name"]), str(book["currency"]), str(book["dated"]), **prices)
        except (OSError, ValueError, KeyError, TypeError) as error:
            mend = f"name, currency and dated; price and source for each of {', '.join(_PARTS)}"
            raise DeclarationError(
                "the price book cannot be read", place=str(path), value=f"{type(error).__name__}: {error}", mend=mend
            ) from None

    def price(self, meters: Meters) -> float:
        """What the work cost: processor seconds, peak memory for as long as it ran, and a month of what it left.

        Examples
        --------
        >>> round(PriceBook.load().price(Meters(wall_seconds=3600, cpu_seconds=3600, peak_bytes=10**9)), 6)
        0.044925
        """
        return (
            meters.cpu_seconds / 3600 * self.cpu_hour
            + meters.wall_seconds / 3600 * meters.peak_bytes / _GB * self.memory_gb_hour
            + meters.stored_bytes / _GB * self.storage_gb_month
        )


def _price(part: str, figure: Mapping[str, Any]) -> float:
    price = float(figure["price"])
    if not (math.isfinite(price) and price >= 0):
        raise ValueError(f"{part} is {price}")
    if not str(figure["source"]).strip():
        raise ValueError(f"{part} has no source")
    return price
