"""Profile: what is in a table, as plain frozen data that goes to JSON and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from noria.core import IntegrityError
from noria.expressions import Kind

FORMAT = 1


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What is in a column.

    Attributes
    ----------
    name, kind : str
        As row expressions see it.
    rows, nulls, nans : int
        All rows; without a value; with a value that is no number, or infinite.
    distinct : int
        Distinct values: exact up to a few thousand and where none came twice, else within about 1%.
    unique : bool, optional
        Whether each value came once; None where too many came to be sure.
    ascending : bool
        Whether no value is smaller than the one before.
    low, high : number or str, optional
        Smallest and largest: of texts by letters, of times in ISO form.
    mean, std : float, optional
        Of finite numbers; of texts: of their lengths.
    quantiles : mapping of str to float
        ``"0.5"`` to the median, about; of numbers.
    edges, counts : tuples
        A histogram of numbers: equal bins from the 1% to the 99% quantile, the outer bins take what lies beyond.
    top : tuple of (str, int)
        The most frequent values as texts, with their counts.
    top_is_exact : bool
        Otherwise each count is too small by less than 1/2048 of the rows.
    lengths : (int, int), optional
        Of texts: the shortest and the longest.
    every, covered, gaps : str, mapping, int
        Of times: what rows are counted by (``day``, ``month``, ``year``), the counts, and how many have none.
    personal : str
        What of people it seems to hold (``"e-mail"``), by its name and a sample of its values; or nothing.
    """

    name: str
    kind: Kind
    rows: int
    nulls: int = 0
    nans: int = 0
    distinct: int = 0
    unique: bool | None = False
    ascending: bool = False
    low: float | str | None = None
    high: float | str | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: Mapping[str, float] = dataclasses.field(default_factory=dict)
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    top: tuple[tuple[str, int], ...] = ()
    top_is_exact: bool = True
    lengths: tuple[int, int] | None = None
    every: str = ""
    covered: Mapping[str, int] = dataclasses.field(default_factory=dict)
    gaps: int = 0
    personal: str = ""

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.rows - self.nulls

    @property
    def is_key(self) -> bool:
        """Whether it could tell all rows apart: no null, each value once, and like a name.

        That is a short text, or a number that counts on: an income may come once by chance.
        """
        if self.rows < 2 or self.nulls or self.unique is not True:
            return False
        if self.kind == "string":
            return self.lengths is not None and self.lengths[1] <= 64
        if self.kind != "int" or isinstance(self.low, str | None) or isinstance(self.high, str | None):
            return False
        return self.ascending or self.high - self.low < 3 * self.rows


@dataclass(frozen=True, slots=True)
class Profile:
    """What is in a table.

    Attributes
    ----------
    rows : int
        How many.
    columns : tuple of ColumnProfile
        In order.
    keys : tuple of tuple of str
        Columns, or pairs of them, that tell all rows apart.
    correlations : tuple of (str, str, float)
        The pairs of number columns that go together most, strongest first.
    """

    rows: int
    columns: tuple[ColumnProfile, ...]
    keys: tuple[tuple[str, ...], ...] = ()
    correlations: tuple[tuple[str, str, float], ...] = ()

    def column(self, name: str) -> ColumnProfile:
        """A column by name."""
        return next(column for column in self.columns if column.name == name)

    def to_body(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"format": FORMAT, **dataclasses.asdict(self)}

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Profile:
        """What `to_body` gave, also after it went through JSON.

        Raises
        ------
        IntegrityError
            It is no profile, or one of a later format.
        """
        try:
            if body["format"] != FORMAT:
                raise IntegrityError("a profile of a format that this version does not know", value=body["format"])
            return cls(
                int(body["rows"]),
                tuple(_column(column) for column in body["columns"]),
                tuple(tuple(key) for key in body["keys"]),
                tuple((a, b, float(r)) for a, b, r in body["correlations"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("this is no profile", value=f"{type(error).__name__}: {error}") from None


def _column(body: Mapping[str, Any]) -> ColumnProfile:
    return ColumnProfile(**{
        **body,
        "edges": tuple(body["edges"]),
        "counts": tuple(body["counts"]),
        "top": tuple((value, count) for value, count in body["top"]),
        "lengths": tuple(body["lengths"]) if body["lengths"] is not None else None,
    })  # fmt: skip
