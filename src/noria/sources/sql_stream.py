"""Rows read ahead in threads, a bounded number, with a limit on the wait for each batch."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from noria.core import TransientError

if TYPE_CHECKING:
    import polars as pl

    from noria.sources.sql_database import Database

_AHEAD = 2
"""How many batches of a stream wait to be taken."""
_END = object()


class _Ahead:
    """One SELECT that runs in a thread of its own."""

    def __init__(self, database: Database, select: str) -> None:
        self.database = database
        self._found: queue.Queue[Any] = queue.Queue(maxsize=_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(select,), daemon=True)
        self._thread.start()

    def _run(self, select: str) -> None:
        try:
            for frame in self.database.stream(select):
                if not self._put(frame):
                    return
            self._put(_END)
        except BaseException as error:  # libraries in Rust panic with what is no Exception
            self._put(error)

    def _put(self, what: Any) -> bool:
        while not self._stopped.is_set():
            try:
                self._found.put(what, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def next(self) -> pl.DataFrame | None:
        """The next rows; None after the last."""
        try:
            found = self._found.get(timeout=self.database.target.seconds)
        except queue.Empty:
            raise TransientError(
                f"source '{self.database.target.source}': the database gave nothing for too long",
                place=self.database.target.shown,
                value=f"{self.database.target.seconds:g} s",
                mend="Source(timeout=…) where a query takes that long",
            ) from None
        if found is _END:
            return None
        if isinstance(found, Exception):
            raise found
        if isinstance(found, BaseException):
            raise self.database.wrong(str(found)) from None
        frame: pl.DataFrame = found
        return frame

    def stop(self) -> None:
        """End the thread; a library that hears nothing is left behind with its connection."""
        self._stopped.set()
        if self._thread.is_alive():
            self.database.cancel()
        self._thread.join(timeout=2)
        if not self._thread.is_alive():
            self.database.close()


def rows_of(databases: Sequence[Database], selects: Sequence[str]) -> Generator[tuple[int, pl.DataFrame], None, None]:
    """The rows of several SELECTs that run at once, in turn, with the number of each: the same order every time.

    Parameters
    ----------
    databases : sequence of Database
        One a SELECT; they are closed at the end.
    selects : sequence of str
        What each is asked.
    """
    running = [_Ahead(database, select) for database, select in zip(databases, selects, strict=True)]
    live = list(enumerate(running))
    try:
        while live:
            for number, one in tuple(live):
                frame = one.next()
                if frame is None:
                    live.remove((number, one))
                else:
                    yield number, frame
    finally:
        for one in running:
            one.stop()
