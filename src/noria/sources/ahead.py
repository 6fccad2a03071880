"""Reading ahead: while some rows are worked on, the next are read."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator
from queue import Full, Queue
from typing import Any, TypeVar

T = TypeVar("T")
Say = Callable[[str], None]


def ahead(make: Callable[[Say], Generator[T]], say: Say, *, wait: float = 0.0) -> Iterator[T]:
    """The items of a generator that works in a thread of its own, two items ahead at most; it is closed there.

    Parameters
    ----------
    make : callable
        Makes the generator; it is given what it tells the user by. Both run in the thread.
    say : callable
        Tells the user; called here, not in the thread.
    wait : float
        Seconds that the thread is waited for where somebody stops before the end.

    Examples
    --------
    >>> def pages(say):
    ...     say("asking")
    ...     yield from ("one", "two")
    >>> list(ahead(pages, print))
    asking
    ['one', 'two']
    """
    waiting: Queue[tuple[str, Any]] = Queue(maxsize=1)
    over = threading.Event()

    def put(what: str, value: object) -> None:
        while not over.is_set():
            try:
                waiting.put((what, value), timeout=0.2)
                return
            except Full:
                continue
        raise _NobodyWaits

    def work() -> None:
        try:
            with contextlib.closing(make(lambda text: put("say", text))) as items:
                for item in items:
                    put("item", item)
            put("end", None)
        except _NobodyWaits:
            pass
        except BaseException as error:
            with contextlib.suppress(_NobodyWaits):
                put("error", error)

    thread = threading.Thread(target=work, daemon=True, name="noria-ahead")
    thread.start()
    try:
        while (told := waiting.get())[0] != "end":
            what, value = told
            if what == "error":
                raise value
            if what == "say":
                say(value)
            else:
                yield value
    finally:
        over.set()
        thread.join(wait)


class _NobodyWaits(BaseException):
    """The reader is gone."""
