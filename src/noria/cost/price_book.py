"""PriceBook: what a second of processor and a gigabyte cost, each figure with its source."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from noria.core import DeclarationError
from noria.cost.meters import Meters

_GB = 1e9


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
        """The price book that ``NORIA_PRICES`` names, else the one that comes with Noria."""
        named = os.environ.get("NORIA_PRICES")
        path = path or (Path(named) if named else Path(__file__).with_name("prices.toml"))
        try:
            book = tomllib.loads(path.read_text(encoding="utf-8"))
            prices = {part: float(book[part]["price"]) for part in ("cpu_hour", "memory_gb_hour", "storage_gb_month")}
            return cls(str(book["name"]), str(book["currency"]), str(book["dated"]), **prices)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DeclarationError("the price book cannot be read", place=str(path), value=str(error)) from None

    def price(self, meters: Meters) -> float:
        """What the work cost: its processor seconds, its peak memory for as long as it ran, and a month of what it wrote.

        Examples
        --------
        >>> round(PriceBook.load().price(Meters(wall_seconds=3600, cpu_seconds=3600, peak_bytes=10**9)), 6)
        0.044925
        """
        return (
            meters.cpu_seconds / 3600 * self.cpu_hour
            + meters.wall_seconds / 3600 * meters.peak_bytes / _GB * self.memory_gb_hour
            + meters.written_bytes / _GB * self.storage_gb_month
        )
