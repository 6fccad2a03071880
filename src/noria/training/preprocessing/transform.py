"""Transform: what every kind of preprocessing can do."""

from __future__ import annotations

import difflib
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import Field

from noria.declarations import Names, Preprocessor

if TYPE_CHECKING:
    from noria.models import Graph
    from noria.training.rows import Rows

Columns = Mapping[str, str]
"""The columns at some point, in order: name to ``"number"`` or ``"category"``."""

_BLOCK = 1 << 16


class Fit(Protocol):
    """What a transform has learned from training rows: frozen."""

    def apply(self, rows: Rows) -> Rows:
        """The rows with their columns transformed; the given ones stay as they are."""

    def draw(self, graph: Graph) -> None:
        """Add the same computation to a graph: ``graph.numbers`` and ``graph.categories`` become the new columns."""

    @property
    def origins(self) -> Mapping[str, str]:
        """New columns to the columns that they were made from."""

    def to_body(self) -> dict[str, Any]:
        """What was learned, column by column, as plain JSON."""


class Transform(Preprocessor):
    """A kind of preprocessing: its parameters are its fields, its behaviour these methods.

    Parameters
    ----------
    columns : str or list of str
        Names, or patterns with ``*`` and ``?``: ``"*"`` is every column of the kind that it takes, as the transforms
        before have left them.
    """

    columns: Names = Field(kw_only=False, min_length=1)

    takes: ClassVar[tuple[str, ...]] = ("number",)
    """The kinds of columns that it can transform."""

    @abstractmethod
    def fit(self, rows: Rows) -> tuple[Fit, Rows]:
        """Learn from training rows; also returns these rows transformed."""

    def after(self, columns: Columns) -> dict[str, str]:
        """The columns that it leaves, as far as they are known without data."""
        return dict(columns)

    @property
    def text(self) -> str:
        """What it does, for people."""
        return f"{type(self).__name__.lower()} {', '.join(self.columns)}"

    def chosen(self, columns: Columns) -> list[str]:
        """The columns that it transforms, in their order."""
        return [name for name, kind in columns.items() if kind in self.takes and self._names(name)]

    def chosen_of(self, rows: Rows) -> tuple[list[int], list[int]]:
        """The places of the numbers and of the categories that it transforms."""
        found = set(self.chosen(columns_of(rows)))
        return (
            [place for place, name in enumerate(rows.number_names) if name in found],
            [place for place, name in enumerate(rows.category_names) if name in found],
        )

    def check(self, columns: Columns) -> None:
        """Refuse names and patterns that choose nothing, or what cannot be transformed.

        Raises
        ------
        DeclarationError
            At the first such name.
        """
        for pattern in self.columns:
            kinds = {kind for name, kind in columns.items() if fnmatchcase(name, pattern) or name == pattern}
            if kinds.intersection(self.takes):
                continue
            wanted = " or ".join({"number": "numbers", "category": "categories"}[kind] for kind in self.takes)
            if kinds:
                message, mend = f"it takes {wanted}, and this is none", None
            else:
                near = difflib.get_close_matches(pattern, columns, n=1)
                message = "there is no such column here"
                mend = f"did you mean '{near[0]}'?" if near else f"{wanted} here: {self._known(columns)}"
            raise self.refuse(message, field="columns", value=pattern, mend=mend)

    def _known(self, columns: Columns) -> str:
        return ", ".join(name for name, kind in columns.items() if kind in self.takes) or "none"

    def _names(self, column: str) -> bool:
        return any(column == pattern or fnmatchcase(column, pattern) for pattern in self.columns)


def columns_of(rows: Rows) -> dict[str, str]:
    """The columns of rows: numbers, then categories."""
    return dict.fromkeys(rows.number_names, "number") | dict.fromkeys(rows.category_names, "category")


def others(places: Sequence[int], size: int) -> tuple[int, ...]:
    """The places of so many columns that are not among these."""
    return tuple(place for place in range(size) if place not in places)


def blocks(rows: int) -> Iterator[slice]:
    """Stretches of rows, so that float64 is only held of a few at a time."""
    return (slice(start, start + _BLOCK) for start in range(0, rows, _BLOCK))
