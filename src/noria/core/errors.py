"""Every error that Noria raises, in one tree.

::

    NoriaError                  exit 1   something that Noria refuses to do
    ├── DeclarationError        exit 2   a declaration, a command or a setting is wrong
    │   └── MissingExtra        exit 2   a library is needed that is not installed
    ├── DataError               exit 3   the data is wrong, and would be wrong again
    ├── TransientError          exit 4   an outside fault that may pass: the only one that is retried
    ├── IntegrityError          exit 5   something stored is not what was stored
    ├── GateError               exit 6   a gate, a role or an access rule says no
    ├── BusyError               exit 7   another process holds the workspace
    ├── ResourceError           exit 8   this machine has too little of something: disk, memory, permission
    └── AlarmError              exit 9   all was done, but something about the world is odd

Whether to try again is decided by type, never by text. An error names the place, the value and the mend.
"""

from __future__ import annotations

from typing import ClassVar


class NoriaError(Exception):
    """Something that Noria refuses to do, with the place, the value and the mend.

    Parameters
    ----------
    message : str
        What is wrong, in one sentence.
    place : str, optional
        Where: a file and line, a table and column, a URL.
    value : object, optional
        What was found there. Never a secret.
    mend : str, optional
        What would be right.

    Examples
    --------
    >>> print(NoriaError("no such column", place="flights.distanse", mend="did you mean 'distance'?"))
    no such column
      at:   flights.distanse
      mend: did you mean 'distance'?
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, place: str | None = None, value: object = None, mend: str | None = None):
        self.message = message
        self.place = place
        self.value = value
        self.mend = mend
        super().__init__(message)

    def __str__(self) -> str:
        lines = [self.message]
        if self.place is not None:
            lines.append(f"  at:   {self.place}")
        if self.value is not None:
            lines.append(f"  got:  {_short(self.value)}")
        if self.mend is not None:
            lines.append(f"  mend: {self.mend}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments are lost by the default pickling, and errors cross processes.
        return _restore, (type(self), self.message, self.place, self.value, self.mend)


def _short(value: object, limit: int = 200) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _restore(kind: type[NoriaError], message: str, place: str | None, value: object, mend: str | None) -> NoriaError:
    return kind(message, place=place, value=value, mend=mend)


class DeclarationError(NoriaError):
    """A declaration, a command or a setting is wrong."""

    exit_code = 2


class MissingExtra(DeclarationError):
    """A library is needed that is not installed; the mend names the extra to install."""


class DataError(NoriaError):
    """The data is wrong, and would be wrong again."""

    exit_code = 3


class TransientError(NoriaError):
    """An outside fault that may pass; the only error that is retried."""

    exit_code = 4


class IntegrityError(NoriaError):
    """Something stored is not what was stored: a changed byte, a wrong signature, a broken chain."""

    exit_code = 5


class GateError(NoriaError):
    """A gate, a role or an access rule says no."""

    exit_code = 6


class BusyError(NoriaError):
    """Another process holds the workspace."""

    exit_code = 7


class ResourceError(NoriaError):
    """This machine has too little of something: disk, memory, permission."""

    exit_code = 8


class AlarmError(NoriaError):
    """All was done, but something about the world is odd: far fewer rows than usual, a source that is away."""

    exit_code = 9
