"""What differs between two profiles: what a person would want to hear before using the second in place of the first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from noria.contracts.profile.result import ColumnProfile, Profile

_SHARE = 0.01
"""Shares of nulls and of values that differ by less are not told."""
_SPREAD = 0.25
"""A median that moved by less of the distance between the 5% and the 95% quantile is not told."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs.

    Attributes
    ----------
    column : str
        Where; empty for the table.
    what : str
        ``"rows"``, ``"new"``, ``"gone"``, ``"kind"``, ``"nulls"``, ``"range"``, ``"median"``, ``"values"``,
        ``"unique"``, ``"order"`` or ``"personal"``.
    before, after : str
        As people write it.
    """

    column: str
    what: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.column or 'table'}: {self.what}: {self.before or 'nothing'} -> {self.after or 'nothing'}"

    def to_body(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def differences(before: Profile, after: Profile) -> tuple[Difference, ...]:
    """What differs between two profiles, the table first, then column by column.

    Examples
    --------
    >>> import polars as pl
    >>> from noria.contracts.profile import profile_of
    >>> one = profile_of([pl.DataFrame({"x": [1, 2], "y": ["a", "b"]})])
    >>> two = profile_of([pl.DataFrame({"x": [1, None], "z": ["a", "b"]})])
    >>> for each in differences(one, two):
    ...     print(each)
    table: order: x, y -> x, z
    x: nulls: 0.0% -> 50.0%
    x: range: 1 to 2 -> 1 to 1
    y: gone: string -> nothing
    z: new: nothing -> string
    """
    return tuple(_found(before, after))


def _found(before: Profile, after: Profile) -> Iterator[Difference]:
    old, new = ({column.name: column for column in one.columns} for one in (before, after))
    if before.rows != after.rows:
        yield Difference("", "rows", f"{before.rows:,}", f"{after.rows:,}")
    if list(old) != list(new):
        yield Difference("", "order", ", ".join(old), ", ".join(new))
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            yield Difference(name, "gone", old[name].kind, "")
        elif name not in old:
            yield Difference(name, "new", "", new[name].kind)
        else:
            yield from _of_column(old[name], new[name])


def _of_column(a: ColumnProfile, b: ColumnProfile) -> Iterator[Difference]:
    if a.kind != b.kind:
        yield Difference(a.name, "kind", a.kind, b.kind)
    nulls = [one.nulls / max(one.rows, 1) for one in (a, b)]
    if abs(nulls[0] - nulls[1]) >= _SHARE or (nulls[0] == 0) != (nulls[1] == 0):
        yield Difference(a.name, "nulls", *(f"{share:.1%}" for share in nulls))
    if a.kind == b.kind and a.kind not in ("string", "bool") and (a.low, a.high) != (b.low, b.high):
        yield Difference(a.name, "range", f"{a.low} to {a.high}", f"{b.low} to {b.high}")
    yield from _moved(a, b)
    yield from _values(a, b)
    if (a.unique is True) != (b.unique is True) and a.kind in ("int", "string"):
        yield Difference(a.name, "unique", *("yes" if one.unique else "no" for one in (a, b)))
    if a.personal != b.personal:
        yield Difference(a.name, "personal", a.personal, b.personal)


def _moved(a: ColumnProfile, b: ColumnProfile) -> Iterator[Difference]:
    if not a.quantiles or not b.quantiles:
        return
    spread = a.quantiles["0.95"] - a.quantiles["0.05"]
    before, after = a.quantiles["0.5"], b.quantiles["0.5"]
    if before != after and abs(after - before) > _SPREAD * spread:
        yield Difference(a.name, "median", f"{before:g}", f"{after:g}")


def _values(a: ColumnProfile, b: ColumnProfile) -> Iterator[Difference]:
    """Values of small sets that came, went, or are now more or less frequent."""
    if a.kind not in ("string", "bool") or len(a.top) < a.distinct or len(b.top) < b.distinct:
        return
    old, new = dict(a.top), dict(b.top)
    for value in dict.fromkeys((*old, *new)):
        shares = [count.get(value, 0) / max(one.present, 1) for count, one in ((old, a), (new, b))]
        if abs(shares[0] - shares[1]) >= 10 * _SHARE or (shares[0] == 0) != (shares[1] == 0):
            yield Difference(a.name, "values", *(f"{value} {share:.1%}" for share in shares))
