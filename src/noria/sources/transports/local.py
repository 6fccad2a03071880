"""Files of this machine: a path, a glob or a ``file`` URL."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote

from noria.core import DataError
from noria.sources.connector import Ask
from noria.sources.content import unreadable
from noria.sources.digests import FileDigests, stamp_of
from noria.sources.transports import Listed, changed

if TYPE_CHECKING:
    from noria.sources.files import Files


class Local:
    """Lists and opens files of this machine; what several names lead to is read once."""

    by_content = True
    options: frozenset[str] = frozenset()

    def __init__(self, ask: Ask, origin: Files):
        self._ask, self._origin = ask, origin
        self._stamps: dict[str, list[int]] = {}

    def listed(self, *, marks: bool) -> list[Listed]:
        source, cache = self._ask.source, self._ask.cache
        digests = FileDigests(cache / f"{source.name}.json" if cache else None)
        found = [self._listed(file, digests if marks else None) for file in self._origin.files(source, self._ask.base)]
        if marks:
            digests.keep()
        return found

    def _listed(self, file: Path, digests: FileDigests | None) -> Listed:
        try:
            self._stamps[str(file)] = stamp_of(file)
            mark = digests.of(file) if digests else ""
            return Listed(self._name(file), str(file), file.stat().st_size, mark, str(file))
        except OSError as error:
            raise unreadable(self._ask.source, str(file), error) from None

    def _name(self, file: Path) -> str:
        # A project that is moved with its data has read what it has read.
        return file.relative_to(self._ask.base).as_posix() if file.is_relative_to(self._ask.base) else str(file)

    @contextmanager
    def opened(self, file: Listed) -> Iterator[BinaryIO]:
        try:
            # Not blocking: what was a file when it was listed may be a pipe that nobody writes to by now.
            stream = open(os.open(file.key, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)), "rb")  # noqa: SIM115
        except OSError as error:
            raise unreadable(self._ask.source, file.place, error) from None
        with stream:
            yield stream
            if _stamp(file.key) != self._stamps[file.key]:
                raise changed(self._ask, file)

    def close(self) -> None:
        pass


def _stamp(path: str) -> list[int]:
    try:
        return stamp_of(Path(path))
    except OSError:
        return []  # it is gone


def files_at(ask_place: str | None, name: str, url: str, base: Path) -> list[Path]:
    """The files that a path, a glob or a ``file`` URL means.

    Parameters
    ----------
    ask_place : str, optional
        Where the source was written, for errors.
    name : str
        The source's.
    url : str
        The path, glob or URL.
    base : Path
        Where relative paths start.
    """
    path = unquote(url.removeprefix("file://")) if url.startswith("file://") else url
    if "\0" in path:
        raise DataError(f"source '{name}': there is no such file", place=ask_place, value=path, mend="a path")
    place = base / path  # an absolute path stays
    if place.is_file():
        return [place]
    pattern = path if Path(path).is_absolute() else str(Path(glob.escape(str(base))) / path)
    found = sorted(Path(one) for one in glob.glob(pattern, recursive=True)) if glob.has_magic(path) else []
    files = [file for file in found if not file.is_dir() and file.exists()]  # a link may lead to nothing
    if odd := next(
        (file for file in [*files, place] if not file.is_file() and not file.is_dir() and file.exists()), None
    ):
        raise DataError(
            f"source '{name}': this is no file that has an end", place=ask_place, value=f"{odd} is {_what(odd)}",
            mend="a file; what a pipe or a device gives goes into one first",
        )  # fmt: skip
    if not files:
        raise DataError(
            f"source '{name}': " + ("this is a folder" if place.is_dir() else "there is no such file"),
            place=ask_place,
            value=str(place),
            mend=f"{path.rstrip('/')}/*.csv means its files"
            if place.is_dir()
            else "a path relative to the project's folder, an absolute path, or a glob",
        )
    return _each_once(files)


def _each_once(files: list[Path]) -> list[Path]:
    """Links, of files and of folders, may lead to one file by several names; the first of them counts."""
    seen: dict[tuple[int, int], Path] = {}
    for file in files:
        about = file.stat()
        seen.setdefault((about.st_dev, about.st_ino), file)
    return list(seen.values())


def _what(file: Path) -> str:
    mode = file.stat().st_mode
    known = (
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((text for is_it, text in known if is_it(mode)), "something else")
