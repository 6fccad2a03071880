"""What a database in a file holds, told by its bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from noria.core import DataError
from noria.sources.connector import Ask, Fingerprint
from noria.sources.content import size_text, unreadable
from noria.sources.digests import FileDigests
from noria.sources.sql_database import Target

_JOURNALS = ("", "-wal", ".wal")
"""What is written lies beside the file until it is moved into it."""


def file_stamp(target: Target, ask: Ask) -> Fingerprint:
    """The digest of the file and its journal: with a cache, of what changed since it was last asked about."""
    digest, size = hashlib.blake2b(digest_size=16), 0
    digests = FileDigests(ask.cache / f"{ask.source.name}.json" if ask.cache else None)
    refuse_missing(target)
    for end in _JOURNALS:
        file = Path(target.path + end)
        if not file.is_file():
            continue
        try:
            digest.update(f"{end}{digests.of(file)}".encode())
            size += file.stat().st_size
        except OSError as error:
            raise unreadable(ask.source, str(file), error) from None
    digests.keep()
    return Fingerprint(digest.hexdigest(), f"a database of {size_text(size)}")


def refuse_missing(target: Target) -> None:
    """Opening what is not there would make it."""
    if not Path(target.path).is_file():
        raise DataError(
            f"source '{target.source}': there is no such database",
            place=target.shown,
            value=target.path,
            mend="three slashes before a path in the project's folder, four before an absolute one",
        )
