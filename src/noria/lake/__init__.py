"""The lake: versioned tables that other engines can read. A kind of lake is one module and one line in `BACKENDS`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from noria.core import backend_of

if TYPE_CHECKING:
    import polars as pl

BACKENDS = {"file": "noria.lake.delta:DeltaLake"}


@dataclass(frozen=True, slots=True)
class TableVersion:
    """One version of a table.

    Attributes
    ----------
    version : int
        From 0.
    at : datetime
        When it was committed, by the wall.
    step : str
        The content key of the step that wrote it; empty where something else did.
    """

    version: int
    at: datetime
    step: str


class Lake(Protocol):
    """Versioned tables at a URL. One instance may be used from any thread, several processes at once; nothing is held
    open between calls, so there is nothing to close."""

    def write(self, table: str, frame: pl.DataFrame, *, step_key: str) -> int:
        """Replace a table's rows in one commit and give the version; the same step key gives that of before."""

    def read(self, table: str, version: int | None = None) -> pl.LazyFrame:
        """A version of a table, by default the newest, read when it is collected; a DataError where it is not there."""

    def versions(self, table: str) -> list[TableVersion]:
        """All versions, newest first; none where there is no such table."""

    def tables(self) -> list[str]:
        """The names of all tables."""

    def path(self, table: str) -> str:
        """Where a table lies: what any reader of its format takes."""

    def size(self, table: str, version: int) -> int:
        """Bytes that a version added; 0 where that cannot be told at once."""

    def has(self, table: str, version: int) -> bool:
        """Whether a version is there and whole: asked of every table on every plan, so no library is imported for it.

        Where asking would cost more than it tells, the answer is yes, and `read` finds out.
        """


def open_lake(url: str) -> Lake:
    """The lake at a URL: ``file:///path``."""
    lake: Lake = backend_of(url, BACKENDS, group="noria.lakes")(url)
    return lake


__all__ = ["BACKENDS", "Lake", "TableVersion", "open_lake"]
