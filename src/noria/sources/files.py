"""Files as a source: a path, a glob or a member of an installed package; texts, Parquet or Arrow, plain or packed.

A file is read whole: one source is held in memory while it is read.
"""

from __future__ import annotations

import difflib
import glob
import hashlib
import os
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from noria.core import DataError, DeclarationError
from noria.declarations import Source
from noria.sources.connector import Ask, Batch, Connector, Fingerprint, State
from noria.sources.content import TEXTS, content_of, format_of, size_text, unreadable
from noria.sources.digests import FileDigests
from noria.sources.formats import SEPARATORS, rows_of

if TYPE_CHECKING:
    import polars as pl


class Files(Connector):
    """Reads ``file`` URLs and plain paths, relative to the project's folder; ``*`` and ``**`` match many files.

    Parameters
    ----------
    url : str
        A path, a glob or a URL.
    """

    def fingerprint(self, ask: Ask) -> Fingerprint:
        """The digest of the formats and bytes of all files, in order; their names and times do not count.

        With a cache only files that changed since they were last asked about are read.
        """
        source = ask.source
        digest, size, files = hashlib.blake2b(digest_size=16), 0, self.files(source, ask.base)
        digests = FileDigests(ask.cache / f"{source.name}.json" if ask.cache else None)
        for file in files:
            _options(source, file)
            try:
                digest.update(f"{format_of(file.name)}{digests.of(file)}".encode())
                size += file.stat().st_size
            except OSError as error:
                raise unreadable(source, str(file), error) from None
        digests.keep()
        return Fingerprint(digest.hexdigest(), f"{len(files)} file{'s' if len(files) > 1 else ''}, {size_text(size)}")

    def batches(self, ask: Ask, since: State | None = None) -> Iterator[Batch]:
        """The rows of each file, in order."""
        for file in self.files(ask.source, ask.base):
            kind, frame = _rows(ask.source, file)
            yield Batch(frame, str(file), untyped=kind in TEXTS)

    def files(self, source: Source, base: Path) -> list[Path]:
        """The files that the URL means."""
        path = unquote(self.url.removeprefix("file://")) if self.url.startswith("file://") else self.url
        place = base / path  # an absolute path stays
        if place.is_file():
            return [place]
        pattern = path if Path(path).is_absolute() else str(Path(glob.escape(str(base))) / path)
        found = sorted(Path(name) for name in glob.glob(pattern, recursive=True)) if glob.has_magic(path) else []
        files = [file for file in found if file.is_file()]
        if not files:
            raise DataError(
                f"source '{source.name}': " + ("this is a folder" if place.is_dir() else "there is no such file"),
                place=source.written_at or None,
                value=str(place),
                mend=f"{path.rstrip('/')}/*.csv means its files"
                if place.is_dir()
                else "a path relative to the project's folder, an absolute path, or a glob",
            )
        return files


class PackageFile(Files):
    """Reads ``package://DISTRIBUTION/path``: a file of an installed distribution, found without importing it."""

    def files(self, source: Source, base: Path) -> list[Path]:
        name, _, inside = self.url.removeprefix("package://").partition("/")
        try:
            package = distribution(name)
        except (PackageNotFoundError, ValueError):
            raise DeclarationError(
                f"source '{source.name}': the package '{name}' is not installed",
                place=source.written_at or None,
                mend=f"pip install {name}",
            ) from None
        known = {str(file): file for file in package.files or ()}
        for path in (inside, f"{name}/{inside}"):
            if path in known and ".." not in Path(path).parts:
                return [Path(str(package.locate_file(known[path])))]
        near = difflib.get_close_matches(inside, [path.removeprefix(f"{name}/") for path in known], n=1)
        raise DataError(
            f"source '{source.name}': the package '{name}' has no such file",
            place=source.written_at or None,
            value=inside,
            mend=f"did you mean '{near[0]}'?" if near else None,
        )


def _rows(source: Source, file: Path) -> tuple[str, pl.DataFrame]:
    try:
        with open(file, "rb") as stream:
            kind, data = content_of(source, str(file), os.fstat(stream.fileno()).st_size, stream)
    except OSError as error:
        raise unreadable(source, str(file), error) from None
    return kind, rows_of(source, str(file), kind, data)


def _options(source: Source, file: Path) -> None:
    """Refuse what this format cannot do."""
    if source.null_values and format_of(file.name)[0] not in (*SEPARATORS, ""):
        raise source.refuse(
            "null values can only be named for texts without types",
            field="null_values",
            value=f"{', '.join(source.null_values)} in {file.name}",
            mend="leave null_values out: this format says itself what is null",
        )
