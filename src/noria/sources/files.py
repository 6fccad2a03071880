"""Files as a source: a path, a glob or a member of an installed package, in CSV, JSON lines, Parquet or Arrow, plain or packed.

A file is read whole: one source is held in memory while it is read. Packed files are unpacked in memory, up to `MOST_BYTES`.
"""

from __future__ import annotations

import glob
import gzip
import hashlib
import io
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from noria.core import DataError, DeclarationError, ResourceError, file_digest
from noria.declarations import Source

if TYPE_CHECKING:
    import polars as pl

MOST_BYTES = 8 << 30
"""The most that one packed file may unpack to."""
MOST_RATIO = 200
"""The most times that a packed file may grow; more is taken for a bomb."""
MOST_LINE = 64 << 20
"""The longest line of a text file, in bytes."""
_FORMATS = {".csv": ",", ".tsv": "\t", ".jsonl": "", ".ndjson": "", ".parquet": "", ".arrow": "", ".feather": ""}
_PACKED = (".gz", ".zip", ".zst")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a source reads now: a digest of its bytes, and how much in words."""

    digest: str
    reads: str


class FileSource:
    """Reads ``file`` URLs and plain paths, relative to the project's folder; ``*`` and ``**`` match many files."""

    def fingerprint(self, source: Source, base: Path) -> Fingerprint:
        """The digest of the names and bytes of all files, in order."""
        digest, size, files = hashlib.blake2b(digest_size=16), 0, self.files(source, base)
        for file in files:
            try:
                digest.update(f"{file.name}\0{file_digest(file)}\0".encode())
                size += file.stat().st_size
            except OSError as error:
                raise _unreadable(source, file, error) from None
        return Fingerprint(digest.hexdigest(), f"{len(files)} file{'s' if len(files) > 1 else ''}, {_size(size)}")

    def read(self, source: Source, base: Path) -> pl.DataFrame:
        """All rows of all files, in order, with ``_row`` numbering them from 1."""
        import polars as pl

        frames = [_read_file(source, file) for file in self.files(source, base)]
        for frame, file in zip(frames[1:], self.files(source, base)[1:], strict=True):
            if frame.columns != frames[0].columns:
                raise DataError(
                    f"source '{source.name}': files have different columns",
                    place=str(file),
                    value=frame.columns,
                    mend=f"the first file has {frames[0].columns}",
                )
        whole = pl.concat(frames, how="vertical_relaxed") if len(frames) > 1 else frames[0]
        if "_row" in whole.columns:
            raise DataError(f"source '{source.name}' has a column '_row'", mend="rename it: Noria numbers rows with it")
        return whole.with_row_index("_row", 1).with_columns(pl.col("_row").cast(pl.Int64))

    def files(self, source: Source, base: Path) -> list[Path]:
        """The files that the URL means."""
        path = source.url.removeprefix("file://")
        place = path if Path(path).is_absolute() else str(base / path)
        found = (
            sorted(Path(name) for name in glob.glob(place, recursive=True)) if glob.has_magic(path) else [Path(place)]
        )
        files = [file for file in found if file.is_file()]
        if not files:
            raise DataError(
                f"source '{source.name}': there is no such file",
                place=source.written_at or None,
                value=place,
                mend="a path relative to the project's folder, an absolute path, or a glob",
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
        for file in package.files or ():
            if str(file) in (inside, f"{name}/{inside}"):
                return [Path(str(package.locate_file(file)))]
        raise DataError(
            f"source '{source.name}': the package '{name}' has no file '{inside}'", place=source.written_at or None
        )


def _read_file(source: Source, file: Path) -> pl.DataFrame:
    name = file.name
    try:
        data = file.read_bytes()
        for packed in _PACKED:
            if name.lower().endswith(packed):
                name, data = name[: -len(packed)], _unpacked(source, file, packed, data)
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(source, file, error) from None
    kind = Path(name).suffix.lower()
    if kind not in _FORMATS:
        raise DataError(
            f"source '{source.name}': unknown format",
            place=str(file),
            value=kind or name,
            mend="one of " + ", ".join(_FORMATS) + ", plain or .gz, .zip, .zst",
        )
    if not data:
        raise DataError(f"source '{source.name}': the file is empty", place=str(file), mend="a header line at least")
    if kind in (".csv", ".tsv", ".jsonl", ".ndjson"):
        data = _text(source, file, data)
    return _parsed(source, file, kind, data)


def _unpacked(source: Source, file: Path, packed: str, data: bytes) -> bytes:
    limit = min(MOST_BYTES, max(len(data) * MOST_RATIO, 1 << 20))
    if packed == ".zip":
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            raise DataError(
                f"source '{source.name}': the archive holds {len(members)} files",
                place=str(file),
                mend="one file an archive",
            )
        stream = archive.open(members[0])
    elif packed == ".gz":
        stream = gzip.open(io.BytesIO(data))  # type: ignore[assignment]  # noqa: SIM115
    else:
        import pyarrow

        stream = pyarrow.CompressedInputStream(pyarrow.BufferReader(data), "zstd")
    with stream:
        found = stream.read(limit + 1)
    if len(found) > limit:
        raise DataError(
            f"source '{source.name}': the file unpacks to more than {_size(limit)}",
            place=str(file),
            mend="unpack it yourself if that is right",
        )
    return bytes(found)


def _text(source: Source, file: Path, data: bytes) -> bytes:
    """The bytes as UTF-8 without a mark, or an error that names the first wrong byte."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"source '{source.name}': the file is UTF-16", place=str(file), mend="convert it to UTF-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"source '{source.name}': the file is not UTF-8",
            place=f"{file}, line {line}, byte {error.start}",
            value=data[error.start : error.start + 8].hex(" "),
            mend="convert it: iconv -f latin1 -t utf-8",
        ) from None
    start = 0
    while (end := data.find(b"\n", start)) >= 0 or start < len(data):
        end = len(data) if end < 0 else end
        if end - start > MOST_LINE:
            line = data.count(b"\n", 0, start) + 1
            raise DataError(
                f"source '{source.name}': a line is {_size(end - start)} long",
                place=f"{file}, line {line}",
                mend=f"at most {_size(MOST_LINE)}; is a quote or a line end missing?",
            )
        start = max(end + 1, data.rfind(b"\n", 0, min(end + MOST_LINE, len(data))) + 1)
    return data


def _parsed(source: Source, file: Path, kind: str, data: bytes) -> pl.DataFrame:
    import polars as pl

    try:
        if kind == ".parquet":
            return pl.read_parquet(io.BytesIO(data))
        if kind in (".arrow", ".feather"):
            return pl.read_ipc(io.BytesIO(data))
        if kind in (".jsonl", ".ndjson"):
            return _moments(pl.read_ndjson(io.BytesIO(data), infer_schema_length=None))
        _header(source, file, data, _FORMATS[kind])
        return _moments(pl.read_csv(
            io.BytesIO(data), separator=_FORMATS[kind], null_values=list(source.null_values), infer_schema_length=None,
        ))  # fmt: skip
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        raise DataError(
            f"source '{source.name}': the file cannot be parsed",
            place=str(file),
            value=first,
            mend="each row needs as many fields as the header, quotes closed",
        ) from None


def _header(source: Source, file: Path, data: bytes, separator: str) -> None:
    import csv

    first = data[: data.find(b"\n") if b"\n" in data else len(data)].decode().rstrip("\r")
    names = next(csv.reader([first], delimiter=separator))
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(
            f"source '{source.name}': a column stands twice in the header",
            place=f"{file}, line 1",
            value=repeated,
            mend="rename one of them",
        )


def _moments(frame: pl.DataFrame) -> pl.DataFrame:
    """Texts that are all ISO dates or moments as such, moments in UTC; whole numbers as Int64."""
    import polars as pl

    for column in frame.columns:
        values = frame[column]
        if values.dtype != pl.String or values.null_count() == len(values):
            continue
        sample = values.drop_nulls().head(1)
        if not sample.str.contains(r"^\d{4}-\d{2}-\d{2}").all():
            continue
        forms = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        for form in forms:
            parsed = values.str.to_datetime(form, time_unit="us", strict=False)
            if parsed.null_count() == values.null_count():
                utc = parsed.dt.convert_time_zone("UTC") if form.endswith("z") else parsed.dt.replace_time_zone("UTC")
                frame = frame.with_columns(utc.alias(column))
                break
        else:
            dates = values.str.to_date("%Y-%m-%d", strict=False)
            if dates.null_count() == values.null_count():
                frame = frame.with_columns(dates.alias(column))
    return frame


def _unreadable(source: Source, file: Path, error: Exception) -> ResourceError | DataError:
    if isinstance(error, PermissionError):
        return ResourceError(
            f"source '{source.name}': the file may not be read",
            place=str(file),
            mend="give this user the right to read it",
        )
    return DataError(
        f"source '{source.name}': the file cannot be read",
        place=str(file),
        value=str(error) or type(error).__name__,
        mend="is it cut short?",
    )


def _size(size: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
