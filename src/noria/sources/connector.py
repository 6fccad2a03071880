"""Connector: an origin that can be read. A kind is one module and one line in `CONNECTORS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.core import Clock, WallClock
from noria.declarations import Origin, Secret, Source

if TYPE_CHECKING:
    import polars as pl

State = Mapping[str, Any]
"""Where a source was read to, as plain JSON: only the connector that made it understands it."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a connector is asked about, and with.

    Attributes
    ----------
    source : Source
        The declaration.
    base : Path
        The project's folder: relative paths start there.
    cache : Path, optional
        A folder, which may not be there yet, for what would be dear to find out again. Only files named ``<source>.*``
        in it are this source's; they may vanish at any time. None: nothing is remembered.
    clock : Clock
        Where now comes from.
    say : callable
        Tells the user how far it is, in a few words.
    """

    source: Source
    base: Path
    cache: Path | None = None
    clock: Clock = field(default_factory=WallClock)
    say: Callable[[str], None] = lambda text: None

    def reveal(self, secret: Secret) -> str:
        """The value of a secret: to be used at once, and never to be kept, shown or put into an error."""
        from noria.security import reveal

        return reveal(secret, self.base)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a source reads now: a digest of its content, and how much in words.

    An empty digest means that only reading tells; such a source is read whenever a run looks.
    """

    digest: str
    reads: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Some raw rows of a source.

    Attributes
    ----------
    frame : DataFrame
        The rows, without ``_row``. Each batch may have other columns than that before it.
    place : str
        Where they come from, for errors: a file, a page, a range; without secrets.
    first : int
        The number of the first of them in that place, from 1.
    untyped : bool
        All columns are texts, because the format has no types: kinds are found by looking at all values.
    state : mapping, optional
        Where to go on once these rows and all before them are committed; None where one cannot stop here.
    version : str
        The version of the API that answered, where there is one.
    sparse : bool
        A column that has no value in these rows is not among them, as in JSON: that says nothing of the source.
    again : bool
        Some of these rows may have been read before, such as those of a file that was written anew.
    """

    frame: pl.DataFrame
    place: str
    first: int = 1
    untyped: bool = False
    state: State | None = None
    version: str = ""
    sparse: bool = False
    again: bool = False


class Connector(Origin):
    """An origin that can be read. It is a declaration: it holds nothing between calls, and is asked from one thread."""

    @property
    def increments(self) -> str:
        """What tells new rows beside a cursor: ``""`` nothing, ``"files"``, ``"log"``; ``"cursor"``: it filters by one
        itself. With "" a cursor's new rows are picked from all of them."""
        return ""

    def fingerprint(self, ask: Ask) -> Fingerprint:
        """What there is to read now, cheaply: called on every plan, before and without `batches`.

        No data library is imported.
        """
        raise NotImplementedError

    def batches(self, ask: Ask, since: State | None = None) -> Iterator[Batch]:
        """Raw rows, a bounded number at a time, in the source's own order.

        Parameters
        ----------
        ask : Ask
            What is asked about.
        since : mapping, optional
            The state up to which rows are committed: only what is new since then is read. None: everything.

        Raises
        ------
        DataError
            What is there cannot be read, and could not be later.
        TransientError
            It does not answer, and may later.
        """
        raise NotImplementedError

    def committed(self, ask: Ask, state: State) -> None:
        """Told after rows up to a state were committed: a log may be cut there. It may be told twice, or never."""
