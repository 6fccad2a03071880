"""The transports: which files a URL means, and their bytes. A transport is one module and its lines in `TRANSPORTS`."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, BinaryIO, Protocol

from noria.core import DataError, DeclarationError, TransientError, redacted, scheme_of
from noria.sources.connector import Ask

if TYPE_CHECKING:
    from noria.sources.files import Files

TRANSPORTS = {
    "file": "noria.sources.transports.local:Local",
    "package": "noria.sources.transports.package:Package",
    "https": "noria.sources.transports.https:Https",
    "http": "noria.sources.transports.https:Https",
    "s3": "noria.sources.transports.objects:Objects",
    "gs": "noria.sources.transports.objects:Objects",
    "az": "noria.sources.transports.objects:Objects",
    "sftp": "noria.sources.transports.sftp:Sftp",
    "hdfs": "noria.sources.transports.hdfs:Hdfs",
}
"""Of each scheme what lists and opens its files."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that a URL means.

    Attributes
    ----------
    name : str
        What it is called from one time to the next; without secrets.
    place : str
        Its path or URL, for errors; without secrets.
    size : int
        Its length in bytes; -1 where nobody says.
    mark : str
        What changes when its content does: a digest, an entity tag, a time; "" where nothing does.
    key : str
        What the transport finds it by.
    """

    name: str
    place: str
    size: int
    mark: str
    key: str


class Transport(Protocol):
    """Made for one load or one question, asked from one thread: `listed` first, then `opened` of some of those."""

    by_content: bool
    """Whether marks are digests of the content, so that neither name nor place matter."""
    options: frozenset[str]
    """Which of `sign_in`, `store` and `hosts` it knows."""

    def listed(self, *, marks: bool) -> list[Listed]:
        """The files, in the order of their names; without `marks` those need not be there, if they are dear.

        Raises
        ------
        DataError
            There is none.
        TransientError
            Nobody answers.
        """
        ...

    def opened(self, file: Listed) -> AbstractContextManager[BinaryIO]:
        """The file to read, seekable; of what is elsewhere, a temporary copy.

        Raises
        ------
        TransientError
            The server does not answer, or the file is not what it was when it was listed.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def transport(ask: Ask, origin: Files) -> Transport:
    """What lists and opens the files of an origin."""
    from noria.sources.files import Files

    own_way = type(origin).files is not Files.files
    scheme = "file" if own_way else scheme_of(origin.url)
    if scheme not in TRANSPORTS:
        raise DeclarationError(
            f"source '{ask.source.name}': files are not read by {scheme}://", place=redacted(origin.url),
            mend="one of " + ", ".join(f"{known}://" for known in TRANSPORTS),
        )  # fmt: skip
    made: Transport = resolve_name(TRANSPORTS[scheme])(ask, origin)
    for option in ("sign_in", "store", "hosts"):
        if getattr(origin, option) and option not in made.options:
            raise ask.source.refuse(f"{scheme}:// has no such thing", field=option, mend="leave it out")
    return made


def no_such_file(ask: Ask, url: str, mend: str = "is its name right?") -> DataError:
    """The error for a URL that means no file."""
    return DataError(
        f"source '{ask.source.name}': there is no such file",
        place=ask.source.written_at or None,
        value=redacted(url),
        mend=mend,
    )


def changed(ask: Ask, file: Listed) -> TransientError:
    """The error for a file that is not what was listed any more."""
    return TransientError(
        f"source '{ask.source.name}' changed while it was read", place=file.place, mend="run again when it is whole"
    )


def has_magic(path: str) -> bool:
    """Whether a path is a pattern."""
    return re.search(r"[*?[]", path) is not None


def fixed_part(pattern: str) -> str:
    """The folders that a pattern begins with, up to the first that is one.

    Examples
    --------
    >>> fixed_part("logs/2024/day=*/part-?.csv"), fixed_part("*.csv")
    ('logs/2024/', '')
    """
    match = re.search(r"[*?[]", pattern)
    return pattern[: pattern.rfind("/", 0, match.start() if match else len(pattern)) + 1]


def pattern_of(glob: str) -> re.Pattern[str]:
    """A glob as a regular expression: ``**`` any folders, ``*`` and ``?`` within a name; names with a dot are hidden.

    Examples
    --------
    >>> [bool(pattern_of("a/**/*.csv").fullmatch(name)) for name in ("a/1.csv", "a/b/c/1.csv", "a/.1.csv", "b/1.csv")]
    [True, True, False, False]
    """
    made, at = "", 0
    while at < len(glob):
        begins = at == 0 or glob[at - 1] == "/"
        if glob.startswith("**/", at) and begins:
            made, at = made + r"(?:(?!\.)[^/]+/)*", at + 3
        elif glob[at] in "*?":
            made, at = made + (r"(?!\.)" if begins else "") + ("[^/]*" if glob[at] == "*" else "[^/]"), at + 1
        elif glob[at] == "[" and (end := glob.find("]", at + 2)) > 0:
            inside = glob[at + 1 : end].replace("\\", "\\\\")
            made, at = made + "[" + ("^" + inside[1:] if inside[0] == "!" else inside) + "]", end + 1
        else:
            made, at = made + re.escape(glob[at]), at + 1
    return re.compile(made, re.DOTALL)
