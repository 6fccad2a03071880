"""The content of one file: unpacked, bounded, and for texts surely UTF-8, before any parser sees it."""

from __future__ import annotations

import codecs
import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from noria.core import DataError, ResourceError
from noria.declarations import Source

MOST_BYTES = 8 << 30
"""The most that one packed file may unpack to."""
MOST_RATIO = 200
"""The most times that a packed file may grow; more is taken for a bomb. What unpacks to less than 16 MB is not."""
MOST_LINE = 64 << 20
"""The longest line of a text file, in bytes."""
TEXTS = (".csv", ".tsv", ".jsonl", ".ndjson")
FORMATS = (*TEXTS, ".parquet", ".arrow", ".feather")
PACKED = (".gz", ".zip", ".zst")
_CHUNK = 1 << 20


def format_of(name: str) -> tuple[str, str]:
    """The format and the packing of a file, by its name.

    Examples
    --------
    >>> format_of("flights.CSV.zip"), format_of("planes.parquet")
    (('.csv', '.zip'), ('.parquet', ''))
    """
    path = Path(name.lower())
    packed = path.suffix if path.suffix in PACKED else ""
    return (Path(path.stem).suffix if packed else path.suffix), packed


def content_of(source: Source, file: Path) -> tuple[str, bytearray]:
    """The format of a file and its bytes; a text without its byte order mark.

    The file is read in small pieces, so that a line without end or a bomb costs little more than its limit.

    Raises
    ------
    DataError
        An unknown format, an archive of several files, a file that is cut short, a bomb, an overlong line, an empty
        file, or a text that is not UTF-8.
    ResourceError
        The file may not be read.
    """
    kind, packed = format_of(file.name)
    try:
        with _opened(source, file, packed) as (stream, inner):
            kind = kind or format_of(inner)[0]
            if kind not in FORMATS:
                raise DataError(
                    f"source '{source.name}': unknown format",
                    place=str(file),
                    value=kind or file.name,
                    mend="one of " + ", ".join(FORMATS) + ", plain or " + ", ".join(PACKED),
                )
            limit = min(MOST_BYTES, max(file.stat().st_size * MOST_RATIO, 16 << 20)) if packed else None
            data = _read(source, file, stream, limit, kind in TEXTS)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise unreadable(source, file, error) from None
    if not data[:4096].strip():
        raise DataError(f"source '{source.name}': the file is empty", place=str(file), mend="a header line at least")
    return kind, data


@contextmanager
def _opened(source: Source, file: Path, packed: str) -> Iterator[tuple[Any, str]]:
    """A stream of the unpacked bytes, and the name of the file in an archive."""
    if packed == ".zip":
        with zipfile.ZipFile(file) as archive:
            # macOS puts a shadow of each file into its archives.
            files = [one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")]
            if len(files) != 1:
                raise DataError(
                    f"source '{source.name}': the archive holds {len(files)} files",
                    place=str(file),
                    value=", ".join(one.filename for one in files[:5]) or None,
                    mend="one file an archive",
                )
            with archive.open(files[0]) as stream:
                yield stream, files[0].filename
    elif packed == ".gz":
        with gzip.open(file) as stream:
            yield stream, ""
    elif packed == ".zst":
        import pyarrow

        with pyarrow.CompressedInputStream(pyarrow.OSFile(str(file)), "zstd") as stream:
            yield stream, ""
    else:
        with open(file, "rb") as stream:
            yield stream, ""


def _read(source: Source, file: Path, stream: Any, limit: int | None, text: bool) -> bytearray:
    data = bytearray()
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 0  # bytes since the last line end
    while chunk := stream.read(_CHUNK):
        if text and not data:
            if chunk.startswith((b"\xff\xfe", b"\xfe\xff")) or (b"\0" in chunk[:2] and chunk[:2] != b"\0\0"):
                raise DataError(
                    f"source '{source.name}': the file is UTF-16, not UTF-8",
                    place=str(file),
                    value=chunk[:8].hex(" "),
                    mend="convert it, such as with iconv -f utf-16 -t utf-8",
                )
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        data += chunk
        if limit is not None and len(data) > limit:
            raise DataError(
                f"source '{source.name}': the file unpacks to more than {size_text(limit)}",
                place=str(file),
                value=f"{size_text(file.stat().st_size)} packed",
                mend="unpack it yourself if that is right",
            )
        if text:
            if b"\0" in chunk:
                raise DataError(
                    f"source '{source.name}': the file holds NUL bytes",
                    place=_at(file, data, data.index(b"\0")),
                    mend="is it a text? its name says so",
                )
            line = _checked_line(source, file, data, chunk, line)
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                raise _not_utf8(source, file, data) from None
    if text:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise _not_utf8(source, file, data) from None
    return data


def _checked_line(source: Source, file: Path, data: bytearray, chunk: bytes, before: int) -> int:
    """How long the last line is so far."""
    first, last = chunk.find(b"\n"), chunk.rfind(b"\n")
    longest = before + (len(chunk) if first < 0 else first)
    if longest > MOST_LINE:
        raise DataError(
            f"source '{source.name}': a line is longer than {size_text(MOST_LINE)}",
            place=_at(file, data, len(data) - len(chunk)),
            value=bytes(data[len(data) - len(chunk) - before :][:60]).decode(errors="replace") + "…",
            mend="is a line end missing?",
        )
    return longest if first < 0 else len(chunk) - last - 1


def _at(file: Path, data: bytearray, end: int) -> str:
    line = data.count(b"\n", 0, end) + 1
    return f"{file}, line {line}"


def _not_utf8(source: Source, file: Path, data: bytearray) -> DataError:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        start = error.start
    return DataError(
        f"source '{source.name}': the file is not UTF-8",
        place=f"{_at(file, data, start)}, byte {start}",
        value=bytes(data[start : start + 8]).hex(" "),
        mend="convert it, such as with iconv -f latin1 -t utf-8",
    )


def unreadable(source: Source, file: Path, error: Exception) -> ResourceError | DataError:
    """The error for a file that the system, or the packing, does not give."""
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
        mend="is it cut short, or locked with a password?",
    )


def size_text(size: int) -> str:
    """A number of bytes in words.

    Examples
    --------
    >>> size_text(8_258_905), size_text(12)
    ('8.3 MB', '12 bytes')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
