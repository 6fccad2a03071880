"""Files as a source: a path, a glob or a member of an installed package; texts, Parquet or Arrow, plain or packed.

A file is read whole: one source is held in memory while it is read.
"""

from __future__ import annotations

import difflib
import glob
import hashlib
import os
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from noria.core import DataError, DeclarationError
from noria.declarations import Source
from noria.sources import Fingerprint
from noria.sources.content import content_of, format_of, size_text, unreadable
from noria.sources.digests import FileDigests
from noria.sources.formats import SEPARATORS, rows_of

if TYPE_CHECKING:
    import polars as pl


class FileSource:
    """Reads ``file`` URLs and plain paths, relative to the project's folder; ``*`` and ``**`` match many files."""

    def fingerprint(self, source: Source, base: Path, cache: Path | None) -> Fingerprint:
        """The digest of the formats and bytes of all files, in order; their names and times do not count.

        With a cache only files that changed since they were last asked about are read.
        """
        digest, size, files = hashlib.blake2b(digest_size=16), 0, self.files(source, base)
        digests = FileDigests(cache / f"{source.name}.json" if cache else None)
        for file in files:
            _options(source, file)
            try:
                digest.update(f"{format_of(file.name)}{digests.of(file)}".encode())
                size += file.stat().st_size
            except OSError as error:
                raise unreadable(source, str(file), error) from None
        digests.keep()
        return Fingerprint(digest.hexdigest(), f"{len(files)} file{'s' if len(files) > 1 else ''}, {size_text(size)}")

    def read(self, source: Source, base: Path) -> pl.DataFrame:
        """All rows of all files, in order, with ``_row`` numbering them from 1."""
        import polars as pl

        from noria.sources.kinds import in_utc, with_kinds

        files = self.files(source, base)
        frames = [in_utc(_rows(source, file)) for file in files]
        for frame, file in zip(frames, files, strict=True):
            _alike(source, frames[0], frame, file)
        whole = pl.concat(frames, how="vertical_relaxed")
        if "_row" in whole.columns or "_reasons" in whole.columns:
            raise DataError(
                f"source '{source.name}' has a column '_row' or '_reasons'",
                place=str(files[0]),
                mend="rename it: Noria numbers rows, and keeps the reasons of wrong ones, under these names",
            )
        if whole.is_empty():
            raise DataError(
                f"source '{source.name}': there are columns but no row", place=str(files[0]), mend="one row at least"
            )
        whole = with_kinds(whole, keep=source.contract.types)
        return whole.with_row_index("_row", 1).with_columns(pl.col("_row").cast(pl.Int64))

    def files(self, source: Source, base: Path) -> list[Path]:
        """The files that the URL means."""
        path = unquote(source.url.removeprefix("file://")) if source.url.startswith("file://") else source.url
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


class PackageSource(FileSource):
    """Reads ``package://DISTRIBUTION/path``: a file of an installed distribution, found without importing it."""

    def files(self, source: Source, base: Path) -> list[Path]:
        name, _, inside = source.url.removeprefix("package://").partition("/")
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


def _rows(source: Source, file: Path) -> pl.DataFrame:
    try:
        with open(file, "rb") as stream:
            kind, data = content_of(source, str(file), os.fstat(stream.fileno()).st_size, stream)
    except OSError as error:
        raise unreadable(source, str(file), error) from None
    return rows_of(source, str(file), kind, data)


def _options(source: Source, file: Path) -> None:
    """Refuse what this format cannot do."""
    if source.null_values and format_of(file.name)[0] not in (*SEPARATORS, ""):
        raise source.refuse(
            "null values can only be named for texts without types",
            field="null_values",
            value=f"{', '.join(source.null_values)} in {file.name}",
            mend="leave null_values out: this format says itself what is null",
        )


def _alike(source: Source, first: pl.DataFrame, frame: pl.DataFrame, file: Path) -> None:
    import polars as pl

    if frame.columns != first.columns:
        lost = [name for name in first.columns if name not in frame.columns]
        more = [name for name in frame.columns if name not in first.columns]
        raise DataError(
            f"source '{source.name}': files have different columns",
            place=str(file),
            value=f"without {', '.join(lost)}" if lost else f"also {', '.join(more)}" if more else "in another order",
            mend="all files of a source have the columns of the first: " + ", ".join(first.columns),
        )
    for name in frame.columns:
        a, b = first.schema[name], frame.schema[name]
        if a != b and not (a.is_numeric() and b.is_numeric()) and pl.Null not in (a, b):
            raise DataError(
                f"source '{source.name}': a column has different types in different files",
                place=str(file),
                value=f"{name} is {b}, {a} in the first file",
                mend="write it alike in all files",
            )
