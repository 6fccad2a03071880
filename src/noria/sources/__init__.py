"""Sources: where rows come from. A kind of source is one module and one line in `BACKENDS`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from noria.core import backend_of
from noria.declarations import Source

if TYPE_CHECKING:
    import polars as pl

BACKENDS = {"file": "noria.sources.files:FileSource", "package": "noria.sources.files:PackageSource"}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a source reads now: a digest of its content, and how much in words."""

    digest: str
    reads: str


class Backend(Protocol):
    """Reads one kind of source. Made without arguments, asked from one thread, it holds nothing between calls."""

    def fingerprint(self, source: Source, base: Path, cache: Path | None) -> Fingerprint:
        """What there is to read now, cheaply: called on every plan, before and without `read`.

        `cache` is a folder, which may not be there yet, for what would be dear to find out again. Only files named
        ``<source>.*`` in it are this source's; they may vanish at any time. None: nothing is remembered.
        """

    def read(self, source: Source, base: Path) -> pl.DataFrame:
        """All raw rows, with ``_row`` (Int64) numbering them from 1 in the source's own order."""


def backend(source: Source) -> Backend:
    """The backend of a source's URL."""
    found: Backend = backend_of(source.url, BACKENDS, group="noria.sources")()
    return found


def fingerprint(source: Source, base: Path, cache: Path | None = None) -> Fingerprint:
    """What a source holds now: a digest of its content, and how much in words. No data library is imported.

    Parameters
    ----------
    source : Source
        What is asked about.
    base : Path
        The project's folder: relative paths start there.
    cache : Path, optional
        A folder for what is remembered from one time to the next, so that asking again about what has not changed is
        cheap. Without one everything is looked at.
    """
    return backend(source).fingerprint(source, base, cache)


def read(source: Source, base: Path) -> pl.DataFrame:
    """The raw rows of a source with ``_row``, their number in it.

    Parameters
    ----------
    source : Source
        What is read.
    base : Path
        The project's folder: relative paths start there.
    """
    return backend(source).read(source, base)


def odd_value(values: pl.Series) -> tuple[int, str] | None:
    """Where a column of texts is all numbers but for some: the position of the first other, and what stands there.

    Examples
    --------
    >>> import polars as pl
    >>> odd_value(pl.Series(["1.5", "2", "heavy", "3"])), odd_value(pl.Series(["light", "heavy"]))
    ((2, 'heavy'), None)
    """
    from noria.sources.kinds import odd_value

    return odd_value(values)


__all__ = ["BACKENDS", "Backend", "Fingerprint", "fingerprint", "odd_value", "read"]
