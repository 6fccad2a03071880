"""The lake on Delta tables (delta-rs): every write is one atomic commit, every version stays readable."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from noria.core import DataError, DeclarationError, ResourceError, TransientError, from_micros, path_of, scheme_of
from noria.lake import TableVersion

if TYPE_CHECKING:
    import polars as pl
    from deltalake import DeltaTable

_STEP = "noria.step"
_TRIES = 10
_KEEP = {"delta.enableExpiredLogCleanup": "false", "delta.logRetentionDuration": "interval 36500 days"}
"""Every version stays readable: the log is never cut."""

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

    def path(self, table: str) -> str:
        """Where a table lies: what any reader of Delta tables takes."""
        return f"{self._root}/{table}"

    def _uri(self, table: str) -> str:
        """What delta-rs takes: it would cut a plain path at ``#`` and ``?``."""
        return Path(self.path(table)).absolute().as_uri() if self._local else self.path(table)

    def write(self, table: str, frame: pl.DataFrame, *, step_key: str) -> int:
        """Replace a table's rows in one commit; the same step key gives the version that it gave before.

        A version whose files were vacuumed away is written again. Moments are kept in UTC microseconds; columns of
        nulls and labels are kept as texts, unsigned numbers as integers of 64 bits.

        Returns
        -------
        int
            The version.

        Raises
        ------
        DataError
            A column is of a type that tables do not have.
        ResourceError
            The disk is full, or may not be written.
        TransientError
            Other writers keep committing to the table.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import CommitFailedError, DeltaError

        uri, storable = self._uri(table), _storable(frame, self.path(table))
        for _ in range(_TRIES):
            found = DeltaTable(uri) if DeltaTable.is_deltatable(uri) else None
            known = found.transaction_version(step_key) if found is not None else None
            if known is not None and self._is_whole(table, known):
                return known
            try:
                return _commit(uri, found, storable, step_key)
            except CommitFailedError:
                continue  # another writer was first: look again at what there is
            except (DeltaError, OSError) as error:
                if found is None and DeltaTable.is_deltatable(uri):
                    continue  # another writer made the table just now
                raise _unwritable(self.path(table), error) from None
        raise TransientError("other writers keep committing to the table", place=self.path(table), mend="run again")

    def read(self, table: str, version: int | None = None) -> pl.LazyFrame:
        """A version of a table, by default the newest, read when it is collected.

        Raises
        ------
        DataError
            There is no such table or version, or its files were taken away.
        """
        import polars as pl

        opened = self._open(table, version)
        if not self._is_whole(table, opened.version()):
            raise DataError(
                "files of this version of the table are gone",
                place=self.path(table),
                value=f"version {opened.version()}",
                mend=f"was it vacuumed? remove the folder, and noria run writes '{table}' anew",
            )
        if "%" not in opened.table_uri:
            return pl.scan_delta(opened)
        # Polars takes delta-rs's quoted names for the files' own. All files of a version were written by one commit.
        files = [unquote(file) for file in opened.file_uris()]
        return pl.scan_parquet(files, glob=False, hive_partitioning=False) if files else pl.scan_delta(opened)

    def versions(self, table: str) -> list[TableVersion]:
        """All versions, newest first; none where there is no such table. Opens no table."""
        # Not by delta-rs, whose history counts down from the newest version: a commit in between would shift all (its
        # issue 4488); and it is empty where the path holds a ``#``.
        log = Path(self.path(table), "_delta_log")
        numbers = sorted((int(file.stem) for file in log.glob("*.json") if file.stem.isdigit()), reverse=True)
        told = ((number, action["commitInfo"]) for number in numbers for action in self._actions(table, number)
                if "commitInfo" in action)  # fmt: skip
        return [
            TableVersion(number, from_micros(int(info.get("timestamp", 0)) * 1000), str(info.get(_STEP, "")))
            for number, info in told
        ]

    def size(self, table: str, version: int) -> int:
        """Bytes that a version added to the lake; 0 where its commit is not on this machine. Opens no table."""
        return sum(int(action["add"]["size"]) for action in self._actions(table, version) if "add" in action)

    def has(self, table: str, version: int) -> bool:
        """Whether a version's commit and files are there; elsewhere than on disk that is taken for granted.

        Opens no table: the commit of a whole table names all of its files.
        """
        if not self._local:
            return True
        actions = self._actions(table, version)
        files = [unquote(action["add"]["path"]) for action in actions if "add" in action]
        return bool(actions) and all(Path(self.path(table), file).exists() for file in files)

    def _actions(self, table: str, version: int) -> list[dict[str, Any]]:
        """What a version's commit says; nothing where it is not on this machine."""
        commit = Path(self.path(table), "_delta_log", f"{version:020}.json")
        try:
            return [json.loads(line) for line in commit.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError):
            return []

    def tables(self) -> list[str]:
        """The names of all tables in a lake on disk."""
        return sorted(path.parent.name for path in Path(self._root).glob("*/_delta_log"))

    def _is_whole(self, table: str, version: int) -> bool:
        """Whether a version's files are there; elsewhere than on disk that is taken for granted."""
        if not self._local:
            return True
        return all(Path(unquote(file)).exists() for file in self._open(table, version).file_uris())

    def _open(self, table: str, version: int | None) -> DeltaTable:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        if not DeltaTable.is_deltatable(self._uri(table)):
            raise DataError(
                "there is no such table",
                place=self.path(table),
                value=table,
                mend=", ".join(self.tables()) or "noria run makes it",
            )
        try:
            return DeltaTable(self._uri(table), version=version)
        except (DeltaError, OSError) as error:
            raise DataError(
                "the table has no such version",
                place=self.path(table),
                value=version,
                mend=str(error).strip().splitlines()[0],
            ) from None


def _commit(uri: str, found: DeltaTable | None, frame: pl.DataFrame, step_key: str) -> int:
    """One commit of exactly the next version, or `CommitFailedError`.

    The step key is kept as an application's transaction, which outlives checkpoints. Without retries: a writer that was
    overtaken would keep the other's rows beside its own.
    """
    from deltalake import CommitProperties, Transaction, WriterProperties, write_deltalake

    version = 0 if found is None else found.version() + 1
    write_deltalake(
        uri if found is None else found,
        frame,
        mode="error" if found is None else "overwrite",
        schema_mode=None if found is None else "overwrite",
        configuration=_KEEP if found is None else None,
        commit_properties=CommitProperties(
            custom_metadata={_STEP: step_key},
            max_commit_retries=0,
            app_transactions=[Transaction(step_key, version)],
        ),
        writer_properties=WriterProperties(compression="ZSTD"),
    )
    return version


def _unwritable(path: str, error: Exception) -> ResourceError:
    text = str(error).strip().splitlines()[0]
    if any(word in text for word in ("No space left", "File too large", "quota exceeded")):
        return ResourceError("the disk is full", place=path, mend="free some space and run again: no version is lost")
    return ResourceError("the lake cannot be written", place=path, value=text, mend="let this user write there")


def _storable(frame: pl.DataFrame, place: str) -> pl.DataFrame:
    import polars as pl

    casts = []
    for name, dtype in frame.schema.items():
        if dtype == pl.Null or isinstance(dtype, pl.Categorical | pl.Enum):
            casts.append(pl.col(name).cast(pl.String))
        elif isinstance(dtype, pl.Datetime):
            casts.append(pl.col(name).cast(pl.Datetime("us", "UTC")))
        elif dtype in (pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Int128):
            casts.append(pl.col(name).cast(pl.Int64, strict=False))
            if (lost := frame.select(casts[-1].null_count() - pl.col(name).null_count()).item()) > 0:
                raise DataError(f"{lost:,} numbers do not fit 64 bits", place=place, value=name, mend="store texts")
        elif dtype in (pl.Duration, pl.Time, pl.Object):
            raise DataError(
                "tables have no such type", place=place, value=f"{name} is {dtype}", mend="store a number or a text"
            )
    return frame.with_columns(casts)
