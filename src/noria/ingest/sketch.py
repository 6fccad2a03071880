"""Sketches: what a column's values look like, in a few numbers that are kept with the table.

They tell a column that was renamed from one that was lost, and a change of unit from a change of the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

Sketch = Mapping[str, Any]

MOST_COLUMNS = 400
"""Wider tables are not sketched beyond these."""
MOST_VALUES = 40
"""A text column of more distinct values is not one of categories."""
_SAMPLE = 20_000
_FACTORS = {
    "1,000": 1000.0, "100": 100.0, "60": 60.0, "3,600": 3600.0, "24": 24.0, "7": 7.0, "12": 12.0, "2.54": 2.54,
    "1.609344": 1.609344, "0.3048": 0.3048, "0.4536": 0.45359237, "1,000,000": 1e6, "1.852": 1.852, "3.6": 3.6,
}  # fmt: skip


class Sketcher:
    """Sees the batches of a load and sketches their columns; it holds a sample of 20,000 rows at most."""

    def __init__(self) -> None:
        self._sample: list[pl.DataFrame] = []
        self._every = 1
        self._rows = 0
        self._values: dict[str, set[str]] | None = None

    def observe(self, frame: pl.DataFrame) -> None:
        """See some rows; all batches have the same columns."""
        import polars as pl

        if not len(frame):
            return
        frame = frame.select(frame.columns[:MOST_COLUMNS])
        taken = frame.gather_every(self._every)
        self._sample.append(taken)
        self._rows += len(taken)
        while self._rows > _SAMPLE:
            whole = pl.concat(self._sample, how="vertical_relaxed").gather_every(2)
            self._every, self._sample, self._rows = self._every * 2, [whole], len(whole)
        if self._values is None:
            self._values = {name: set() for name, dtype in frame.schema.items() if dtype == pl.String}
        for name in list(self._values):
            # The first rows tell most columns of many values; only those of few are looked at whole.
            if frame[name].head(1000).n_unique() > MOST_VALUES + 1:
                del self._values[name]
                continue
            found = self._values[name]
            found |= set(frame[name].unique().drop_nulls())
            if len(found) > MOST_VALUES:
                del self._values[name]

    def sketches(self) -> dict[str, Sketch]:
        """What each column looks like."""
        import polars as pl

        if not self._sample:
            return {}
        sample = pl.concat(self._sample, how="vertical_relaxed")
        found: dict[str, Sketch] = {}
        for name, dtype in sample.schema.items():
            if name in (self._values or {}):
                found[name] = {"values": sorted((self._values or {})[name])}
            elif dtype == pl.String:
                found[name] = {"shapes": _shapes(sample[name])}
            elif dtype.is_numeric():
                found[name] = {"quantiles": _quantiles(sample[name])}
            elif dtype in (pl.Date, pl.Datetime):
                found[name] = {"quantiles": _quantiles(sample[name].cast(pl.Datetime("us")).dt.epoch("s"))}
        return found


def _quantiles(values: pl.Series) -> list[float] | None:
    import polars as pl

    there = values.cast(pl.Float64).drop_nulls().drop_nans()
    there = there.filter(there.is_finite())
    if not len(there):
        return None
    return [float(there.quantile(share) or 0.0) for share in (0.1, 0.5, 0.9)]


def _shapes(values: pl.Series) -> list[str]:
    """The most common forms of texts: digits as 9, letters as a."""
    forms = values.drop_nulls().str.slice(0, 60).str.replace_all(r"\p{L}", "a").str.replace_all(r"\p{N}", "9")
    return forms.value_counts(sort=True)[forms.name].head(5).to_list() if len(forms) else []


def alike(one: Sketch | None, other: Sketch | None) -> bool:
    """Whether two columns have the same content, as far as sketches tell.

    Examples
    --------
    >>> alike({"quantiles": [1.0, 5.0, 9.0]}, {"quantiles": [1.0, 5.1, 9.0]})
    True
    >>> alike({"values": ["a"]}, {"values": ["b"]})
    False
    """
    if not one or not other or one.keys() != other.keys():
        return False
    for name in ("values", "shapes"):
        if name in one:
            a, b = set(one[name]), set(other[name])
            return bool(a | b) and len(a & b) / len(a | b) >= 0.6
    a, b = one["quantiles"], other["quantiles"]
    if not a or not b:
        return False
    spread = max(a[2] - a[0], b[2] - b[0])
    return all(abs(x - y) <= 0.1 * spread for x, y in zip(a, b, strict=True)) and spread > 0


def other_unit(before: Sketch | None, now: Sketch | None) -> str:
    """The factor by which all quantiles moved, where that is one between two units; empty where not.

    Examples
    --------
    >>> other_unit({"quantiles": [1.0, 5.0, 9.0]}, {"quantiles": [60.0, 300.0, 540.0]})
    'times 60'
    >>> other_unit({"quantiles": [0.0, 10.0, 30.0]}, {"quantiles": [32.0, 50.0, 86.0]})
    'times 1.8 plus 32'
    """
    a, b = (before or {}).get("quantiles"), (now or {}).get("quantiles")
    if not a or not b or a[0] == a[2]:
        return ""
    for name, factor in _FACTORS.items():
        if _maps(a, b, factor, 0.0):
            return f"times {name}"
        if _maps(b, a, factor, 0.0):
            return f"divided by {name}"
    if _maps(a, b, 1.8, 32.0):
        return "times 1.8 plus 32"
    if _maps(b, a, 1.8, 32.0):
        return "less 32, divided by 1.8"
    return ""


def _maps(a: list[float], b: list[float], factor: float, offset: float) -> bool:
    spread = abs(factor) * (a[2] - a[0])
    return all(abs(x * factor + offset - y) <= 0.03 * spread for x, y in zip(a, b, strict=True))


def new_categories(before: Sketch | None, now: Sketch | None) -> list[str]:
    """Values that a column of categories did not have before."""
    if not before or "values" not in before or not now:
        return []
    if "values" not in now:
        return [f"more than {MOST_VALUES} values"]
    return sorted(set(now["values"]) - set(before["values"]))
