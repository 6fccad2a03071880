"""The content of one file: unpacked, bounded, and for texts surely UTF-8, before any parser sees it."""

from __future__ import annotations

import codecs
import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, BinaryIO

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
    """The format and the packing of a file, by its name, path or URL.

    Examples
    --------
    >>> format_of("flights.CSV.zip"), format_of("planes.parquet")
    (('.csv', '.zip'), ('.parquet', ''))
    """
    path = PurePath(name.lower())
    packed = path.suffix if path.suffix in PACKED else ""
    return (PurePath(path.stem).suffix if packed else path.suffix), packed


def content_of(source: Source, place: str, size: int, stream: BinaryIO) -> tuple[str, bytearray]:
    """The format of a file and its bytes; a text without its byte order mark.

    The file is read in small pieces, so that a line without end or a bomb costs little more than its limit.

    Parameters
    ----------
    source : Source
        Whose file it is.
    place : str
        Its path or URL: the end of it says format and packing, and errors name it.
    size : int
        How many bytes there are, packed as they are.
    stream : binary file
        Those bytes, from the first on; a ZIP archive must be seekable. It is left open.

    Raises
    ------
    DataError
        An unknown format, an archive of several files, a file that is cut short, a bomb, an overlong line, an empty
        file, or a text that is not UTF-8.
    ResourceError
        The file may not be read.
    """
    kind, packed = format_of(place)
    try:
        with _unpacked(source, place, stream, packed) as (plain, inner):
            kind = kind or format_of(inner)[0]
            if kind not in FORMATS:
                raise DataError(
                    f"source '{source.name}': unknown format",
                    place=place,
                    value=kind or PurePath(place).name,
                    mend="one of " + ", ".join(FORMATS) + ", plain or " + ", ".join(PACKED),
                )
            data = _read(source, place, plain, size if packed else None, kind in TEXTS)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise unreadable(source, place, error) from None
    if not data[:4096].strip():
        raise DataError(f"source '{source.name}': the file is empty", place=place, mend="a header line at least")
    return kind, data


@contextmanager
def _unpacked(source: Source, place: str, stream: BinaryIO, packed: str) -> Iterator[tuple[Any, str]]:
    """A stream of the unpacked bytes, and the name of the file in an archive."""
    if packed == ".zip":
        with zipfile.ZipFile(stream) as archive:
            # macOS puts a shadow of each file into its archives.
            files = [one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")]
            if len(files) != 1:
                raise DataError(
                    f"source '{source.name}': the archive holds {len(files)} files",
                    place=place,
                    value=", ".join(one.filename for one in files[:5]) or None,
                    mend="one file an archive",
                )
            with archive.open(files[0]) as plain:
                yield plain, files[0].filename
    elif packed == ".gz":
        with gzip.open(stream) as plain:
            yield plain, ""
    elif packed == ".zst":
        import pyarrow

        # Closing it would close the stream below, which is the caller's.
        yield pyarrow.CompressedInputStream(pyarrow.PythonFile(stream, "r"), "zstd"), ""
    else:
        yield stream, ""


def _read(source: Source, place: str, stream: Any, packed_size: int | None, text: bool) -> bytearray:
    data = bytearray()
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 0  # bytes since the last line end
    while chunk := stream.read(_CHUNK):
        if text and not data:
            if chunk.startswith((b"\xff\xfe", b"\xfe\xff")) or (b"\0" in chunk[:2] and chunk[:2] != b"\0\0"):
                raise DataError(
                    f"source '{source.name}': the file is UTF-16, not UTF-8",
                    place=place,
                    value=chunk[:8].hex(" "),
                    mend="convert it, such as with iconv -f utf-16 -t utf-8",
                )
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        data += chunk
        if packed_size is not None and len(data) > (limit := _most(packed_size)):
            raise DataError(
                f"source '{source.name}': the file unpacks to more than {size_text(limit)}",
                place=place,
                value=f"{size_text(packed_size)} packed",
                mend="unpack it yourself if that is right",
            )
        if text:
            if b"\0" in chunk:
                raise DataError(
                    f"source '{source.name}': the file holds NUL bytes",
                    place=_at(place, data, data.index(b"\0")),
                    mend="is it a text? its name says so",
                )
            line = _checked_line(source, place, data, chunk, line)
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                raise _not_utf8(source, place, data) from None
    if text:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise _not_utf8(source, place, data) from None
    return data


def _most(packed_size: int) -> int:
    return min(MOST_BYTES, max(packed_size * MOST_RATIO, 16 << 20))


def _checked_line(source: Source, place: str, data: bytearray, chunk: bytes, before: int) -> int:
    """How long the last line is so far."""
    first, last = chunk.find(b"\n"), chunk.rfind(b"\n")
    longest = before + (len(chunk) if first < 0 else first)
    if longest > MOST_LINE:
        raise DataError(
            f"source '{source.name}': a line is longer than {size_text(MOST_LINE)}",
            place=_at(place, data, len(data) - len(chunk)),
            value=bytes(data[len(data) - len(chunk) - before :][:60]).decode(errors="replace") + "…",
            mend="is a line end missing?",
        )
    return longest if first < 0 else len(chunk) - last - 1


def _at(place: str, data: bytearray, end: int) -> str:
    line = data.count(b"\n", 0, end) + 1
    return f"{place}, line {line}"


def _not_utf8(source: Source, place: str, data: bytearray) -> DataError:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        start = error.start
    return DataError(
        f"source '{source.name}': the file is not UTF-8",
        place=f"{_at(place, data, start)}, byte {start}",
        value=bytes(data[start : start + 8]).hex(" "),
        mend="convert it, such as with iconv -f latin1 -t utf-8",
    )


def unreadable(source: Source, place: str, error: Exception) -> ResourceError | DataError:
    """The error for a file that the system, or the packing, does not give."""
    if isinstance(error, PermissionError):
        return ResourceError(
            f"source '{source.name}': the file may not be read",
            place=place,
            mend="give this user the right to read it",
        )
    return DataError(
        f"source '{source.name}': the file cannot be read",
        place=place,
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
