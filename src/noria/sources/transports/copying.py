"""Files from elsewhere, copied to a temporary file: what breaks off goes on from where it was."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, TypeVar

from noria.core import TransientError
from noria.sources.connector import Ask
from noria.sources.content import size_text
from noria.sources.retry import retried
from noria.sources.transports import Listed, no_such_file

T = TypeVar("T")


def tried(ask: Ask, call: Callable[[], T], *, extra: str) -> T:
    """What a call gives, tried as often as the source says; `extra` is the one of Noria that the transport needs."""
    return retried(call, tries=ask.source.tries, extra=extra, say=ask.say)


def found(ask: Ask, look: Callable[[], list[Listed]], url: str, *, extra: str) -> list[Listed]:
    """The files that a look at a URL finds, one at least, in the order of their names."""
    files = tried(ask, look, extra=extra)
    if not files:
        raise no_such_file(ask, url)
    return sorted(files, key=lambda file: file.name)


@contextmanager
def copied(ask: Ask, file: Listed, read: Callable[[int], Iterator[bytes]], *, extra: str) -> Iterator[BinaryIO]:
    """A temporary copy of a file; the disk, not the memory, holds it.

    Parameters
    ----------
    ask : Ask
        What the source allows.
    file : Listed
        The file as it was listed: exactly so many bytes are taken.
    read : callable
        Its bytes from an offset on; raises a TransientError where the file is not what was listed.
    extra : str
        The extra of Noria that the transport needs.
    """
    with tempfile.TemporaryFile() as copy:

        def go_on() -> None:
            for chunk in read(copy.tell()):
                copy.write(chunk if file.size < 0 else chunk[: file.size - copy.tell()])
            if 0 <= file.size != copy.tell():
                raise TransientError(
                    f"source '{ask.source.name}': the file broke off after {size_text(copy.tell())}",
                    place=file.place,
                    value=f"{size_text(file.size)} were listed",
                )

        while True:
            before = copy.tell()
            try:
                tried(ask, go_on, extra=extra)
                break
            except TransientError:
                if copy.tell() == before:
                    raise
                # It went on for a while, so it is up: the tries are counted anew.
        copy.seek(0)
        yield copy
