"""The lake: versioned tables that other engines can read. A kind of lake is one module and one line in `BACKENDS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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


@dataclass(frozen=True, slots=True)
class Commit:
    """What one commit did to a table.

    Attributes
    ----------
    version : int
        The version that it made.
    at : datetime
        When, by the wall of who committed.
    what : str
        ``replace``, ``append``, ``merge``, ``replace where``, ``compact``, ``restore 3``; else as its writer calls it.
    who : str
        On whose behalf; empty where something else than Noria did it.
    step : str
        The content key of the step; empty outside steps.
    added, removed, rows : int or None
        Rows that files which came and went hold, and rows behind it; None where somebody did not count. A file that is
        written anew for one of its rows counts in both.
    written : int
        Bytes that it added to the lake.
    files, bytes : int
        What the table consists of behind it.
    """

    version: int
    at: datetime
    what: str
    who: str
    step: str
    added: int | None
    removed: int | None
    rows: int | None
    written: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a table takes: `files` and `bytes` of its newest version, and `stored` bytes of all `versions`."""

    table: str
    versions: int
    files: int
    bytes: int
    stored: int


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What a vacuum took, or would take: files, their bytes, and the versions that cannot be read any more."""

    table: str
    files: int
    bytes: int
    versions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """How two versions of a table differ.

    Attributes
    ----------
    old, new : int
        The versions.
    columns : tuple of str
        Columns that came (``+ delay: Float64``), went (``- delay: Int64``) or have another type (``~ delay: Int64 to
        Float64``).
    added, removed, changed : int
        Rows; none is `changed` where rows were compared as a whole, without a key.
    examples : tuple of mapping
        Some of them: what became of a row under ``""`` (``+``, ``-`` or ``~``) and its values; of a changed one the
        key, and ``(old, new)`` where these differ.
    """

    old: int
    new: int
    columns: tuple[str, ...]
    added: int
    removed: int
    changed: int
    examples: tuple[Mapping[str, Any], ...]


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
        state: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        widen: bool = False,
        after: int | None = None,
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
            The content key of the step that writes; empty: it brings a state alone, and each time a new one.
        mode : str
            ``replace`` all rows, ``append`` to them, or ``merge``: rows whose key the table has take their place.
        key : sequence of str
            The columns that a merge goes by; null is a value. Of rows with the same key the last counts.
        deleted : str, optional
            A column of a merge that is true where the key is gone. It is not stored.
        where : mapping, optional
            Replace only the rows that have these values in these columns; all new rows must have them.
        state : mapping or callable, optional
            Plain JSON that is committed with the rows; `state` gives it back. One that hangs on the rows is given by a
            callable, which is called once, after the last of them and before the commit; an error of its own is raised
            as the iterator's are. It is not called where the version is there already.
        widen : bool
            Whether wider types (float for int, text for anything) rewrite the table's column, or are refused.
        after : int, optional
            The version that the rows were made for, -1 where there was no table: where another writer was first since,
            that is a TransientError, and nothing is written.
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

    def history(self, table: str) -> list[Commit]:
        """What each commit did, newest first; nothing where there is no such table."""

    def usage(self, table: str) -> Usage:
        """What a table takes."""

    def diff(self, table: str, old: int, new: int, *, key: Sequence[str] = (), most: int = 10) -> Difference:
        """How two versions differ: by key, or row by row without one; `most` is how many examples of each are given."""

    def compact(self, table: str, *, order: Sequence[str] = ()) -> int:
        """Put small files together, with `order` along a Z-curve through these columns; no row changes. The version."""

    def restore(self, table: str, version: int) -> int:
        """Make the newest version what an old one was, its state and columns too; gives the new version.

        The steps that are undone are forgotten: each writes again when it comes again.
        """

    def vacuum(
        self, table: str, *, older_than: timedelta | None = None, keep: Iterable[int] = (), dry_run: bool = False
    ) -> Vacuumed:
        """Remove what no version to be kept needs; with `dry_run` only say what that is.

        Parameters
        ----------
        table : str
            Its name.
        older_than : timedelta, optional
            Versions that were replaced longer ago may go. By default all versions stay, and only files go that a killed
            writer left, once they are a day old.
        keep : iterable of int
            Versions that stay, whatever their age. The newest always does.
        dry_run : bool
            Whether nothing is removed.
        """


def open_lake(url: str) -> Lake:
    """The lake at a URL: ``file:///path``, ``s3://bucket/prefix``."""
    lake: Lake = backend_of(url, BACKENDS, group="noria.lakes")(url)
    return lake


__all__ = [
    "BACKENDS",
    "Commit",
    "Difference",
    "Lake",
    "Mode",
    "TableVersion",
    "Usage",
    "Vacuumed",
    "open_lake",
]
