"""Where the files of a table lie: a folder of this machine, or a prefix of an object store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from noria.lake.delta.errors import unwritable


class Place(Protocol):
    """Files below one folder, by their paths in it.

    Attributes
    ----------
    root : str
        The folder, for errors.
    """

    root: str

    def read(self, path: str) -> bytes | None:
        """All of a file; None where there is none."""

    def names(self, folder: str) -> list[str]:
        """The names of the files right below a folder, in order; none where there is no such folder."""

    def listed(self, folder: str) -> list[tuple[str, int, datetime]]:
        """The files right below a folder: names, bytes, when each was written."""

    def folders(self) -> list[str]:
        """The names of the folders right below, in order."""

    def put(self, path: str, frame: Any) -> int:
        """Write a frame as a Parquet file and give its bytes."""

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""


def parquet_to(frame: Any, target: Any) -> None:
    """Write a frame as Parquet: zstd, with the statistics that readers skip by."""
    frame.write_parquet(target, compression="zstd", compression_level=1, statistics=True)


class Folder:
    """A folder of this machine. Imports no library to read."""

    def __init__(self, path: Path):
        self.path = path
        self.root = str(path)

    def read(self, path: str) -> bytes | None:
        try:
            return (self.path / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(entry.name for entry in (self.path / folder).iterdir() if entry.is_file())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def listed(self, folder: str) -> list[tuple[str, int, datetime]]:
        found = []
        for name in self.names(folder):
            with contextlib.suppress(FileNotFoundError):
                stat = (self.path / folder / name).stat()
                found.append((name, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC)))
        return found

    def folders(self) -> list[str]:
        try:
            return sorted(entry.name for entry in self.path.iterdir() if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def put(self, path: str, frame: Any) -> int:
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # An open file, since Polars would take odd letters of a path for a pattern.
        with open(target, "wb") as file:
            parquet_to(frame, file)
            return file.tell()

    def remove(self, path: str) -> None:
        (self.path / path).unlink(missing_ok=True)


class Prefix:
    """A prefix of an object store, reached as delta-rs reaches it: the same environment, the same credentials."""

    def __init__(self, url: str):
        self.root = url

    @contextlib.contextmanager
    def _asked(self) -> Iterator[Any]:
        """The store, whose errors are put into words."""
        from deltalake.exceptions import DeltaError
        from deltalake.fs import DeltaStorageHandler

        try:
            yield DeltaStorageHandler(self.root)
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise unwritable(self.root, error) from None
            raise
        except (DeltaError, OSError, ValueError) as error:
            raise unwritable(self.root, error) from None

    def read(self, path: str) -> bytes | None:
        try:
            with self._asked() as store, store.open_input_file(path) as file:
                return bytes(file.read())
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        return [name for name, _, _ in self.listed(folder)]

    def listed(self, folder: str) -> list[tuple[str, int, datetime]]:
        from pyarrow.fs import FileType

        files = (info for info in self._infos(folder) if info.type == FileType.File)
        return sorted((info.base_name, info.size, info.mtime or datetime.now(UTC)) for info in files)

    def folders(self) -> list[str]:
        from pyarrow.fs import FileType

        return sorted(info.base_name for info in self._infos("") if info.type == FileType.Directory)

    def _infos(self, folder: str) -> list[Any]:
        from pyarrow.fs import FileSelector

        with self._asked() as store:
            return list(store.get_file_info_selector(FileSelector(folder, allow_not_found=True)))

    def put(self, path: str, frame: Any) -> int:
        import io

        held = io.BytesIO()
        parquet_to(frame, held)
        # Not by open_output_stream, whose Arrow file hands delta-rs a buffer where it takes bytes alone.
        with self._asked() as store:
            stream = store._handler.open_output_stream(path, None)
            stream.write(held.getvalue())
            stream.close()
        return held.tell()

    def remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError), self._asked() as store:
            store.delete_file(path)
