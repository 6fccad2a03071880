"""Asking ahead: while one page is worked on, the next is asked for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from queue import Full, Queue
from typing import Any, TypeVar

T = TypeVar("T")
Say = Callable[[str], None]


def ahead(make: Callable[[Say], Iterator[T]], say: Say) -> Iterator[T]:
    """The items of an iterator that works in a thread of its own, two items ahead at most.

    Parameters
    ----------
    make : callable
        Makes the iterator; it is given what it tells the user by. Both run in the thread.
    say : callable
        Tells the user; called here, not in the thread.

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
            for item in make(lambda text: put("say", text)):
                put("item", item)
            put("end", None)
        except _NobodyWaits:
            pass
        except BaseException as error:
            with contextlib.suppress(_NobodyWaits):
                put("error", error)

    threading.Thread(target=work, daemon=True, name="noria-ahead").start()
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


class _NobodyWaits(BaseException):
    """The reader is gone."""
