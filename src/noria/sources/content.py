"""The content of one file: unpacked, bounded, and for texts surely UTF-8, in small pieces, before a parser sees it."""

from __future__ import annotations

import codecs
import gzip
import stat
import tempfile
import time
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, BinaryIO

from noria.core import DataError, NoriaError, ResourceError
from noria.declarations import Source

MOST_BYTES = 8 << 30
"""The most that one packed file may unpack to."""
MOST_RATIO = 200
"""The most times that a packed file may grow; more is taken for a bomb. What unpacks to less than 16 MB is not."""
MOST_LINE = 64 << 20
"""The longest line of a text file, in bytes."""
PACKED = (".gz", ".zip", ".zst")
_CHUNK = 1 << 20
_IN_MEMORY = 64 << 20
LET_GO = 10.0
"""Seconds that a parser is waited for once it was told that there is no more."""
_BROKEN = (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError)


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


@contextmanager
def broken_as_data_error(source: Source, place: str) -> Iterator[None]:
    """What the system or a packing cannot give, as one error of the file."""
    try:
        yield
    except NoriaError:
        raise
    except _BROKEN as error:
        raise unreadable(source, place, error) from None


@contextmanager
def unpacked(source: Source, place: str, stream: BinaryIO, size: int, packed: str) -> Iterator[tuple[Any, str]]:
    """A stream of the unpacked bytes, bounded, and the name of the file in an archive.

    Parameters
    ----------
    source : Source
        Whose file it is.
    place : str
        Its path or URL, for errors.
    stream : binary file
        The file, from the first byte on; seekable. It is left open.
    size : int
        How many bytes there are, packed as they are.
    packed : str
        ``".gz"``, ``".zip"``, ``".zst"`` or ``""``.

    Raises
    ------
    DataError
        An archive of several files, or whose file is a link or is locked.
    """
    bound = _Bound(source, place, size)
    if packed == ".zip":
        with zipfile.ZipFile(stream) as archive:
            member = _only_member(source, place, archive)
            with archive.open(member) as plain:
                yield bound.of(plain), member.filename
    elif packed == ".gz":
        with gzip.open(stream) as plain:
            yield bound.of(plain), ""
    elif packed == ".zst":
        import pyarrow

        # Pieces, because it closes what it is given, and the file is the caller's.
        yield bound.of(pyarrow.CompressedInputStream(pyarrow.PythonFile(Pieces(stream.read), "r"), "zstd")), ""
    else:
        yield stream, ""


def _only_member(source: Source, place: str, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    # macOS puts a shadow of each file into its archives.
    files = [one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")]
    if len(files) != 1:
        raise DataError(
            f"source '{source.name}': the archive holds {len(files)} files",
            place=place,
            value=", ".join(one.filename for one in files[:5]) or None,
            mend="one file an archive",
        )
    if stat.S_ISLNK(files[0].external_attr >> 16):
        raise DataError(
            f"source '{source.name}': the archive holds a link, not a file",
            place=place, value=files[0].filename, mend="pack the file itself",
        )  # fmt: skip
    return files[0]


class _Bound:
    """Stops a packed file that grows without end."""

    def __init__(self, source: Source, place: str, packed_size: int):
        self._source, self._place, self._size = source, place, packed_size

    def of(self, stream: Any) -> Pieces:
        most, given = min(MOST_BYTES, max(self._size * MOST_RATIO, 16 << 20)), 0

        def read(size: int) -> bytes:
            nonlocal given
            data: bytes = stream.read(min(size, _CHUNK) if size >= 0 else _CHUNK)
            given += len(data)
            if given > most:
                raise DataError(
                    f"source '{self._source.name}': the file unpacks to more than {size_text(most)}",
                    place=self._place,
                    value=f"{size_text(self._size)} packed",
                    mend="unpack it yourself if that is right",
                )
            return data

        return Pieces(read)


class Pieces:
    """A binary file that can only be read on, made of a function that gives its next bytes.

    Parsers read it from threads of their own and word errors anew: what was raised while reading stays in `error`.
    """

    closed = False

    def __init__(self, more: Callable[[int], bytes]):
        self._more = more
        self.error: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        """Exactly so many bytes, but at the end; all where nothing is said."""
        try:
            found = self._more(size)
            if len(found) == size or not found:
                return found
            parts, left = [found], size - len(found)
            while (left > 0 or size < 0) and (found := self._more(left if size >= 0 else -1)):
                parts.append(found)
                left -= len(found)
            return b"".join(parts)
        except Exception as error:
            self.error = self.error or error
            raise

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def end(self) -> None:
        """There is nothing more, whoever asks."""
        self._more = lambda size: b""


class Lent:
    """Pieces as lent to a parser with threads of its own; they are given back once none of these can ask any more.

    A thread that asks while Python ends takes the whole process with it.
    """

    closed = False

    def __init__(self, pieces: Pieces):
        self.read = pieces.read

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def given_back(pieces: Pieces, lent: weakref.ref[Lent]) -> None:
    """End the pieces, and wait until the parser that they were lent to has let go of them."""
    pieces.end()
    until = time.monotonic() + LET_GO
    while lent() is not None and time.monotonic() < until:
        time.sleep(0.0005)


@contextmanager
def seekable(source: Source, place: str, stream: BinaryIO, size: int, packed: str) -> Iterator[tuple[BinaryIO, str]]:
    """The unpacked file as one in which a parser may jump: where it is packed, a temporary copy. And its inner name."""
    with unpacked(source, place, stream, size, packed) as (plain, inner):
        if not packed:
            yield stream, inner
            return
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
            while chunk := plain.read(_CHUNK):
                copy.write(chunk)
            copy.seek(0)
            yield copy, inner  # type: ignore[misc]


class _Text:
    """Checks a text piece by piece and gives it as UTF-8; a line without end costs little more than its limit."""

    def __init__(self, source: Source, place: str, stream: Any, encoding: str):
        self._source, self._place, self._stream = source, place, stream
        try:
            "".encode(encoding or "utf-8")  # raises where it is a codec, such as hex, but not one of texts
            found = codecs.lookup(encoding or "utf-8")
            self._decoder = codecs.getincrementaldecoder(found.name)()
        except LookupError:
            raise source.refuse("there is no such encoding", field="encoding", value=encoding) from None
        self._utf8 = found.name == "utf-8"
        self._bytes = self._lines = self._line = 0  # read so far; line ends among them; bytes since the last
        self._began = self._ended = False
        self._ready = b""

    def more(self, size: int) -> bytes:
        """The next checked bytes, so many at most."""
        while not self._ready and not self._ended:
            chunk = self._stream.read(_CHUNK)
            self._ended = not chunk
            self._ready = self._checked(chunk)
        if size < 0 or size >= len(self._ready):
            given, self._ready = self._ready, b""
        else:
            given, self._ready = self._ready[:size], self._ready[size:]
        return given

    def _checked(self, chunk: bytes) -> bytes:
        first, self._began = not self._began, True
        if first:
            if self._utf8:
                self._refuse_utf16(chunk)
            if not chunk.strip() and len(chunk) < _CHUNK:
                raise empty(self._source, self._place)
        waiting = self._decoder.getstate()[0]
        text = chunk
        if not self._utf8 or waiting or not chunk.isascii():
            try:
                decoded = self._decoder.decode(chunk, final=not chunk)
                text = chunk if self._utf8 else decoded.encode()
            except UnicodeError as error:
                raise self._wrong_byte(waiting, chunk, error) from None
        if b"\0" in text:
            raise DataError(
                f"source '{self._source.name}': the file holds NUL bytes",
                place=self._at(text, text.index(b"\0")),
                mend="is it a text? its name says so",
            )
        self._measure(text)
        self._bytes += len(chunk)
        return text.removeprefix(codecs.BOM_UTF8) if first else text

    def _refuse_utf16(self, chunk: bytes) -> None:
        if chunk.startswith((b"\xff\xfe", b"\xfe\xff")) or (b"\0" in chunk[:2] and chunk[:2] != b"\0\0"):
            raise DataError(
                f"source '{self._source.name}': the file is UTF-16, not UTF-8",
                place=self._place,
                value=chunk[:8].hex(" "),
                mend='nr.files(…, encoding="utf-16")',
            )

    def _measure(self, text: bytes) -> None:
        """How long lines are."""
        first, last = text.find(b"\n"), text.rfind(b"\n")
        longest = self._line + (len(text) if first < 0 else first)
        if longest > MOST_LINE:
            raise DataError(
                f"source '{self._source.name}': a line is longer than {size_text(MOST_LINE)}",
                place=f"{self._place}, line {self._lines + 1}",
                value=text[:60].decode(errors="replace") + "…",
                mend="is a line end missing?",
            )
        self._line = longest if first < 0 else len(text) - last - 1
        self._lines += text.count(b"\n")

    def _at(self, text: bytes, end: int) -> str:
        line = self._lines + text.count(b"\n", 0, end) + 1
        return f"{self._place}, line {line}"

    def _wrong_byte(self, waiting: bytes, chunk: bytes, error: UnicodeError) -> DataError:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        data = waiting + chunk
        wanted = "UTF-8" if self._utf8 else "of its encoding"
        return DataError(
            f"source '{self._source.name}': the file is not {wanted}",
            place=f"{self._at(data, start)}, byte {self._bytes - len(waiting) + start}",
            value=data[start : start + 8].hex(" "),
            mend='say which it is: nr.files(…, encoding="latin-1")',
        )


def text_of(source: Source, place: str, stream: Any, encoding: str = "") -> Pieces:
    """A text as a stream of UTF-8 without a byte order mark.

    Parameters
    ----------
    source : Source
        Whose file it is.
    place : str
        Its path or URL, for errors.
    stream : binary file
        Its unpacked bytes.
    encoding : str
        What it is written in; UTF-8 by default.

    Raises
    ------
    DataError
        While it is read: an empty file, a text of another encoding, NUL bytes, an overlong line.
    """
    return Pieces(_Text(source, place, stream, encoding).more)


def empty(source: Source, place: str) -> DataError:
    """The error for a file in which nothing stands."""
    return DataError(f"source '{source.name}': the file is empty", place=place, mend="a header line at least")


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
