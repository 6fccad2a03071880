"""The lake: versioned tables that other engines can read. A kind of lake is one module and one line in `BACKENDS`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from noria.core import backend_of

if TYPE_CHECKING:
    import polars as pl

BACKENDS = {"file": "noria.lake.delta:DeltaLake", "s3": "noria.lake.delta:DeltaLake"}

Mode = Literal["replace", "append", "merge"]
"""What a write does to the rows that are there."""


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

    def write(
        self,
        table: str,
        rows: pl.DataFrame | Iterable[pl.DataFrame],
        *,
        step_key: str,
        mode: Mode = "replace",
        key: Sequence[str] = (),
        deleted: str | None = None,
        where: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
        widen: bool = False,
    ) -> int:
        """Write rows in one commit and give the version; the same step key gives that of before and reads no rows.

        An error that the iterator raises is raised as it is, and nothing is committed. Where rows join others, columns
        that the table lacks are null in its older rows, columns that the rows lack are null in these, and narrower
        types become the table's.

        Parameters
        ----------
        table : str
            Its name; it is made where it is not there.
        rows : polars.DataFrame or iterable of these
            Read once, in bounded memory.
        step_key : str
            The content key of the step that writes.
        mode : str
            ``replace`` all rows, ``append`` to them, or ``merge``: rows whose key the table has take their place.
        key : sequence of str
            The columns that a merge goes by; null is a value. Of rows with the same key the last counts.
        deleted : str, optional
            A column of a merge that is true where the key is gone. It is not stored.
        where : mapping, optional
            Replace only the rows that have these values in these columns; all new rows must have them.
        state : mapping, optional
            Plain JSON that is committed with the rows; `state` gives it back.
        widen : bool
            Whether wider types (float for int, text for anything) rewrite the table's column, or are refused.
        """

    def state(self, table: str, version: int | None = None) -> dict[str, Any]:
        """The state as of a version, by default the newest: that of the newest commit that carries one, else empty."""

    def read(self, table: str, version: int | datetime | None = None) -> pl.LazyFrame:
        """A version of a table, or what it was at a moment, by default the newest, read when it is collected.

        A DataError where it is not there.
        """

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
    """The lake at a URL: ``file:///path``, ``s3://bucket/prefix``."""
    lake: Lake = backend_of(url, BACKENDS, group="noria.lakes")(url)
    return lake


__all__ = ["BACKENDS", "Lake", "Mode", "TableVersion", "open_lake"]
