"""The digests of files, remembered: a file that has not changed since is not read again.

As in Git's index, a file counts as unchanged while its size, times and place on the disk are the same. A file that was
written in the same tick of the file system's clock as it was read would look unchanged: such a young file is not
remembered. Git calls it "racily clean".
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

from noria.core import file_digest

_FORMAT = 1
_YOUNG = 2 * 10**9
"""Nanoseconds: the coarsest clock of a file system in use, that of FAT."""

_Stamp = list[int]


class FileDigests:
    """The digests of one source's files.

    Parameters
    ----------
    path : Path, optional
        Where they are kept; without one, nothing is remembered.
    """

    def __init__(self, path: Path | None):
        self._path = path
        self._before = {} if path is None else _kept(path)
        self._now: dict[str, tuple[_Stamp, str]] = {}

    def of(self, file: Path) -> str:
        """The digest of a file's bytes; see `noria.core.file_digest`."""
        name, stamp = str(file.absolute()), stamp_of(file)
        remembered = self._before.get(name)
        if remembered is not None and remembered[0] == stamp:
            self._now[name] = remembered
            return remembered[1]
        # The wall's clock, because the file system has no other; it is no part of what is found.
        began = time.time_ns()
        digest = file_digest(file)
        if stamp == stamp_of(file) and max(stamp[1:3]) < began - _YOUNG:
            self._now[name] = stamp, digest
        return digest

    def keep(self) -> None:
        """Remember the digests that were asked for, and no others. Where that cannot be written, nothing is lost."""
        if self._path is None or self._now == self._before:
            return
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                beside.write_text(json.dumps({"format": _FORMAT, "files": self._now}), encoding="ascii")
                os.replace(beside, self._path)
            finally:
                beside.unlink(missing_ok=True)


def stamp_of(file: Path) -> _Stamp:
    """What changes with a file: its size, when content and inode changed, and which inode it is.

    The inode's own time tells of a file whose time was set back, as ``cp -p`` and ``rsync -t`` do.
    """
    found = file.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]


def _kept(path: Path) -> dict[str, tuple[_Stamp, str]]:
    try:
        kept = json.loads(path.read_text(encoding="ascii"))
        if kept["format"] != _FORMAT:
            return {}
        return {
            str(name): ([int(part) for part in stamp], str(digest)) for name, (stamp, digest) in kept["files"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}  # none, or not whole: it is only a memory
