"""``file:/run/secrets/name``: the text of a file that only its user may read."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from noria.core import DeclarationError

MOST_BYTES = 1 << 20


def look_up(path: str, base: Path) -> str:
    """The text of a file, less the line end that editors leave.

    Only its owner may be able to read it, or root's group where root is the owner, as for PostgreSQL's keys. What is
    mounted for reading alone, as orchestrators do with their secrets, is taken as it is: nobody here can change it.

    Raises
    ------
    DeclarationError
        It is not there, it may not be read, others may read or change it, it is no UTF-8 text, or it is too large.
    """
    file = base / path
    mend = "a file with the secret and nothing else, which only its owner may read: chmod 600"
    try:
        # Without waiting, should it be a pipe that nobody writes to.
        opened = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise DeclarationError("there is no such secret", place=str(file), value=error.strerror, mend=mend) from None
    try:
        content = _content(opened, file, mend)
    finally:
        os.close(opened)
    if len(content) > MOST_BYTES:
        raise DeclarationError("this is too large for a secret", place=str(file), mend="1 MiB at most")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise DeclarationError("this secret is no UTF-8 text", place=str(file), mend=mend) from None
    return text.removesuffix("\n").removesuffix("\r")


def keep(path: str, value: str, base: Path) -> None:
    """Replace the text of a file at once: it holds the old one or the new one, and never less."""
    file = (base / path).resolve()
    try:
        opened, beside = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # only this user may read it
        try:
            with open(opened, "w", encoding="utf-8") as stream:
                stream.write(value)
                stream.flush()
                os.fsync(opened)
            os.replace(beside, file)
        finally:
            Path(beside).unlink(missing_ok=True)
    except OSError as error:
        raise DeclarationError(
            "a server has replaced this secret, and the new one cannot be kept there",
            place=str(file),
            value=error.strerror,
            mend="let this user write the folder",
        ) from None


def _content(opened: int, file: Path, mend: str) -> bytes:
    status = os.fstat(opened)
    if not stat.S_ISREG(status.st_mode):
        raise DeclarationError("a secret is kept in a file", place=str(file), mend=mend)
    if open_to_others(status) and not os.fstatvfs(opened).f_flag & os.ST_RDONLY:
        raise DeclarationError(
            "others may read or change this secret",
            place=str(file),
            value=stat.filemode(status.st_mode),
            mend=f"chmod 600 {file}",
        )
    with open(opened, "rb", closefd=False) as stream:
        return stream.read(MOST_BYTES + 1)


def open_to_others(status: os.stat_result) -> bool:
    """Whether a file of this status may be read or changed by others than its user.

    Examples
    --------
    >>> def mode(bits: int, owner: int) -> os.stat_result:
    ...     return os.stat_result((stat.S_IFREG | bits, 0, 0, 1, owner, 0, 0, 0, 0, 0))
    >>> open_to_others(mode(0o600, 1000)), open_to_others(mode(0o640, 0)), open_to_others(mode(0o640, 1000))
    (False, False, True)
    """
    allowed = 0o740 if status.st_uid == 0 else 0o700
    return bool(status.st_mode & 0o777 & ~allowed)
