"""The lake on Delta tables (delta-rs): every write is one atomic commit, every version stays readable."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from noria.core import DataError, DeclarationError, from_micros, path_of, scheme_of
from noria.lake import Commit, Difference, Mode, TableVersion, Usage, Vacuumed
from noria.lake.delta import log
from noria.lake.delta.care import compact, restore, vacuum
from noria.lake.delta.change import Files
from noria.lake.delta.diff import diff
from noria.lake.delta.errors import unwritable
from noria.lake.delta.history import history, usage
from noria.lake.delta.places import Folder, Place, Prefix
from noria.lake.delta.write import Ask, write

if TYPE_CHECKING:
    import polars as pl
    from deltalake import DeltaTable

_UNNAMEABLE = re.compile(r"[\[\]|^\\]|%[0-9A-Fa-f]{2}")
"""What in a folder's name delta-rs panics at, or takes for another folder, in whatever way it is told of it."""


class DeltaLake:
    """Versioned tables below a folder or URL; one instance may be used from any thread, several processes at once."""

    def __init__(self, url: str):
        self._local = scheme_of(url) == "file"
        self._root = str(path_of(url)) if self._local else url.rstrip("/")
        if self._local and (odd := _UNNAMEABLE.search(str(Path(self._root).absolute()))):
            mend = 'rename the folder, or put the lake elsewhere: lake = "file:///path" in [workspace] of noria.toml'
            raise DeclarationError("Delta tables cannot lie there", place=self._root, value=odd.group(), mend=mend)
        self.place: Place = Folder(Path(self._root)) if self._local else Prefix(self._root)

    def path(self, table: str) -> str:
        """Where a table lies: what any reader of Delta tables takes."""
        return f"{self._root}/{table}"

    def uri(self, table: str) -> str:
        """What delta-rs takes: it would cut a plain path at ``#`` and ``?``."""
        return Path(self.path(table)).absolute().as_uri() if self._local else self.path(table)

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
        """Write rows in one commit and give its version; the same step key gives the version that it gave before.

        Frames are written as they come, one file of about 128 MB in memory after the other; a merge holds the keys of
        the rows that it is given, and a file at a time of those that it changes. Moments are kept in UTC microseconds;
        columns of nulls and labels are kept as texts, unsigned numbers as integers of 64 bits. A version that was
        replaced and whose files were vacuumed away is written again.

        Raises
        ------
        DataError
            A column is of a type that tables do not have, or that is wider than the table's.
        DeclarationError
            The arguments do not go together.
        ResourceError
            The disk is full, or may not be written.
        TransientError
            Other writers keep committing to the table.
        """
        asked = Ask(table, step_key, mode, tuple(key), deleted, where, state, widen, after)
        return write(self, asked, rows)

    def state(self, table: str, version: int | None = None) -> dict[str, Any]:
        """What the newest commit up to a version said of its source's state; empty where none did."""
        if version is None:
            version = next(iter(log.numbers(self.place, table)), -1)
        return log.state(self.place, table, version)

    def read(self, table: str, version: int | datetime | None = None) -> pl.LazyFrame:
        """A version of a table, or what it was at a moment, by default the newest; read when it is collected.

        Raises
        ------
        DataError
            There is no such table or version, or its files were taken away.
        """
        import polars as pl

        opened = self._whole(table, self._as_of(table, version) if isinstance(version, datetime) else version)
        if "%" not in opened.table_uri:
            return pl.scan_delta(opened)
        return self.files(table, opened).scan()  # Polars takes delta-rs's quoted names for the files' own

    def _as_of(self, table: str, moment: datetime) -> int:
        """The version that was the newest at a moment; a clock that went back does not bring an older one back."""
        if moment.tzinfo is None:
            raise DeclarationError("a moment has a time zone", place=self.path(table), value=moment.isoformat(),
                                   mend="datetime(..., tzinfo=UTC)")  # fmt: skip
        versions = self.versions(table)
        for found in versions:
            if found.at <= moment:
                return found.version
        if not versions:
            return 0  # opening it says that there is no table
        raise DataError("there was no such table then", place=self.path(table), value=moment.isoformat(),
                        mend=f"its first version is of {versions[-1].at.isoformat()}")  # fmt: skip

    def versions(self, table: str) -> list[TableVersion]:
        """All versions, newest first; none where there is no such table. Opens no table."""
        # Not by delta-rs, whose history counts down from the newest version: a commit in between would shift all (its
        # issue 4488); and it is empty where the path holds a ``#``.
        told = ((number, log.info(log.actions(self.place, table, number))) for number in self._numbers(table))
        return [
            TableVersion(number, from_micros(int(info.get("timestamp", 0)) * 1000), str(info.get(log.STEP, "")))
            for number, info in told
            if info
        ]

    def _numbers(self, table: str) -> list[int]:
        return log.numbers(self.place, table)

    def size(self, table: str, version: int) -> int:
        """Bytes that a version added to the lake; 0 where there is no such version. Opens no table."""
        return sum(int(add["size"]) for add in log.added(log.actions(self.place, table, version)))

    def has(self, table: str, version: int) -> bool:
        """Whether a version's commit is there and, on disk, all of its files. Opens no table."""
        if not log.actions(self.place, table, version):
            return False
        return not self._local or log.files(self.place, table, version) <= set(self.place.names(table))

    def tables(self) -> list[str]:
        """The names of all tables."""
        return [name for name in self.place.folders() if self._numbers(name)]

    def history(self, table: str) -> list[Commit]:
        """What each commit did, newest first; nothing where there is no such table."""
        return history(self.place, table)

    def usage(self, table: str) -> Usage:
        """What a table takes."""
        return usage(self.place, table)

    def diff(self, table: str, old: int, new: int, *, key: Sequence[str] = (), most: int = 10) -> Difference:
        """How two versions differ: by key, or row by row without one. Files that both have are not read."""
        before, after = (self.files(table, self._whole(table, version)) for version in (old, new))
        return diff(before, after, (old, new), key, most, self.path(table))

    def compact(self, table: str, *, order: Sequence[str] = ()) -> int:
        """Put small files together, with `order` along a Z-curve through these columns; no row changes."""
        return compact(self, table, order)

    def restore(self, table: str, version: int) -> int:
        """Make the newest version what an old one was; see `noria.lake.Lake.restore`."""
        return restore(self, table, version)

    def vacuum(
        self, table: str, *, older_than: timedelta | None = None, keep: Iterable[int] = (), dry_run: bool = False
    ) -> Vacuumed:
        """Remove what no version to be kept needs; see `noria.lake.Lake.vacuum`."""
        return vacuum(self, table, older_than, keep, dry_run)

    def files(self, table: str, opened: DeltaTable) -> Files:
        """The files of an open version."""
        import polars as pl

        told = opened.get_add_actions()
        names, sizes = told.column("path").to_pylist(), told.column("size_bytes").to_pylist()
        paths = {name: self.path(f"{table}/{name}") for name in names}
        return Files(paths, pl.Schema(opened.schema().to_arrow()), dict(zip(names, sizes, strict=True)))

    def found(self, table: str) -> DeltaTable | None:
        """The newest version of a table, open; None where there is no such table."""
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        try:
            return DeltaTable(self.uri(table)) if DeltaTable.is_deltatable(self.uri(table)) else None
        except (DeltaError, OSError) as error:
            raise unwritable(self.path(table), error) from None

    def known(self, opened: DeltaTable | None, ask: Ask) -> int | None:
        """The version that a step made before. A replacement whose files are gone is made again, nothing else is."""
        version = None if opened is None or not ask.step_key else opened.transaction_version(ask.step_key)
        if version is None or version < 0:  # below 0: a restore took it back
            return None
        return version if not ask.replaces or self.has(ask.table, version) else None

    def _whole(self, table: str, version: int | None) -> DeltaTable:
        """A version whose files are there, open; elsewhere than on disk that is taken for granted."""
        opened = self._open(table, version)
        if self._local and not all(Path(unquote(file)).exists() for file in opened.file_uris()):
            raise DataError(
                "files of this version of the table are gone",
                place=self.path(table),
                value=f"version {opened.version()}",
                mend=f"was it vacuumed? remove the folder, and noria run writes '{table}' anew",
            )
        return opened

    def _open(self, table: str, version: int | None) -> DeltaTable:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        if not self._numbers(table):
            raise DataError(
                "there is no such table",
                place=self.path(table),
                value=table,
                mend=", ".join(self.tables()) or "noria run makes it",
            )
        try:
            return DeltaTable(self.uri(table), version=version)
        except (DeltaError, OSError) as error:
            raise DataError(
                "the table has no such version",
                place=self.path(table),
                value=version,
                mend=str(error).strip().splitlines()[0],
            ) from None
