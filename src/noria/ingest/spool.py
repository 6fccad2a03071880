"""Spool: frames that are read more than once, in memory up to a bound, beyond it in files of the step's scratch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

MOST_IN_MEMORY = 512 << 20
"""Bytes of frames that a spool holds in memory before it writes the rest to disk."""


class Spool:
    """Frames in the order in which they were added.

    Parameters
    ----------
    folder : Path
        Where frames go that memory should not hold; made when it is needed, emptied by `clear`.
    most : int
        Bytes that memory may hold.

    Attributes
    ----------
    rows, bytes : int
        What was added.
    """

    def __init__(self, folder: Path, most: int = MOST_IN_MEMORY):
        self._folder, self._most = folder, most
        self._frames: list[pl.DataFrame | Path] = []
        self._held = 0
        self.rows = 0
        self.bytes = 0

    def add(self, frame: pl.DataFrame, *, hold: bool = True) -> None:
        """Keep a frame, or only count it."""
        size = int(frame.estimated_size())
        self.rows += len(frame)
        self.bytes += size
        if not hold:
            return
        if self._held + size <= self._most:
            self._held += size
            self._frames.append(frame)
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{len(self._frames)}.arrow"
        frame.write_ipc(file)
        self._frames.append(file)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        import polars as pl

        for frame in self._frames:
            yield pl.read_ipc(frame) if isinstance(frame, Path) else frame

    def clear(self) -> None:
        """Let go of all of them."""
        self._frames, self._held, self.rows, self.bytes = [], 0, 0, 0
        shutil.rmtree(self._folder, ignore_errors=True)
