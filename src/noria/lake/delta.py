"""The lake on Delta tables (delta-rs): every write is one atomic commit, every version stays readable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from noria.core import DataError, ResourceError, TransientError, from_micros

if TYPE_CHECKING:
    import polars as pl
    from deltalake import DeltaTable

_STEP = "noria.step"
_TRIES = 5


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
        The content key of the step that wrote it.
    """

    version: int
    at: datetime
    step: str


class DeltaLake:
    """Versioned tables below a folder or URL; one instance may be used from any thread, several processes at once."""

    def __init__(self, url: str):
        self.url = url.rstrip("/")

    def path(self, table: str) -> str:
        """Where a table lies: what any reader of Delta tables takes."""
        return f"{self.url.removeprefix('file://')}/{table}"

    def write(self, table: str, frame: pl.DataFrame, *, step_key: str) -> int:
        """Replace a table's rows in one commit; the same step key gives the version that it gave before.

        Returns
        -------
        int
            The version.
        """
        from deltalake import CommitProperties, WriterProperties, write_deltalake
        from deltalake.exceptions import CommitFailedError, DeltaError

        for _ in range(_TRIES):
            for known in self.versions(table):
                if known.step == step_key:
                    return known.version
            try:
                write_deltalake(
                    self.path(table), frame, mode="overwrite", schema_mode="overwrite",
                    commit_properties=CommitProperties(custom_metadata={_STEP: step_key}),
                    writer_properties=WriterProperties(compression="ZSTD"),
                )  # fmt: skip
            except CommitFailedError:
                continue  # another writer was first: look again at what there is
            except (DeltaError, OSError) as error:
                raise ResourceError(
                    "the lake cannot be written", place=self.path(table), value=str(error), mend="free disk space?"
                ) from None
        raise TransientError("other writers keep committing to the table", place=self.path(table))

    def read(self, table: str, version: int | None = None) -> pl.LazyFrame:
        """A version of a table, by default the newest, read when it is collected."""
        import polars as pl

        return pl.scan_delta(self._open(table, version))

    def versions(self, table: str) -> list[TableVersion]:
        """All versions, newest first; none where there is no such table."""
        from deltalake import DeltaTable

        if not DeltaTable.is_deltatable(self.path(table)):
            return []
        return [
            TableVersion(
                int(entry["version"]), from_micros(int(entry.get("timestamp", 0)) * 1000), str(entry.get(_STEP, ""))
            )
            for entry in DeltaTable(self.path(table)).history()
        ]

    def tables(self) -> list[str]:
        """The names of all tables in a lake on disk."""
        folder = Path(self.url.removeprefix("file://"))
        return sorted(path.parent.name for path in folder.glob("*/_delta_log"))

    def _open(self, table: str, version: int | None) -> DeltaTable:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        if not DeltaTable.is_deltatable(self.path(table)):
            raise DataError(
                "there is no such table",
                place=self.path(table),
                value=table,
                mend=", ".join(self.tables()) or "noria run makes it",
            )
        try:
            return DeltaTable(self.path(table), version=version)
        except (DeltaError, OSError) as error:
            raise DataError(
                "the table has no such version", place=self.path(table), value=version, mend=str(error)
            ) from None
