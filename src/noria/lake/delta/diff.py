"""How two versions of a table differ. Files that both have are not read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from noria.core import DeclarationError
from noria.lake import Difference
from noria.lake.delta.change import Files
from noria.lake.delta.fit import wider

if TYPE_CHECKING:
    import polars as pl

_ROW = "_row"
_OLD, _NEW = "__noria_old__", "__noria_new__"


def diff(old: Files, new: Files, versions: tuple[int, int], key: Sequence[str], most: int, place: str) -> Difference:
    """Compare; `_row`, the number of a row in its source, is no difference unless it is a key."""
    import polars as pl

    common = {name: wide for name, dtype in old.schema.items() if name in new.schema
              and (wide := wider(dtype, new.schema[name])) is not None and (name != _ROW or name in key)}  # fmt: skip
    if lacking := [name for name in key if name not in common]:
        raise DeclarationError("a key is a column of both versions", place=place, value=", ".join(lacking),
                               mend="one of " + ", ".join(common))  # fmt: skip
    before, after = (_own(one, other, pl.Schema(common)) for one, other in ((old, new), (new, old)))
    told = _by_key(before, after, list(key), most) if key else _by_row(before, after, most)
    added, removed, changed, examples = told
    return Difference(*versions, _columns(old.schema, new.schema), added, removed, changed, examples)


def _own(one: Files, other: Files, schema: pl.Schema) -> pl.LazyFrame:
    """The rows of the files that the other version does not have."""
    import polars as pl

    names = [name for name in one.paths if name not in other.paths]
    if not names:
        return pl.LazyFrame(schema=schema)
    rows = replace(one, stored=None).scan(*names)
    return rows.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _columns(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    gone = [f"- {name}: {dtype}" for name, dtype in old.items() if name not in new]
    came = [f"+ {name}: {dtype}" for name, dtype in new.items() if name not in old]
    other = [f"~ {name}: {dtype} to {new[name]}" for name, dtype in old.items() if new.get(name, dtype) != dtype]
    return (*gone, *came, *other)


_Told = tuple[int, int, int, tuple[Mapping[str, Any], ...]]


def _by_key(old: pl.LazyFrame, new: pl.LazyFrame, key: list[str], most: int) -> _Told:
    """Holds the keys of what was not in both."""
    import polars as pl

    names = [name for name in old.collect_schema().names() if name not in key]
    added = new.join(old, on=key, how="anti", nulls_equal=True)
    removed = old.join(new, on=key, how="anti", nulls_equal=True)
    both = old.join(new, on=key, how="inner", nulls_equal=True, suffix=_NEW)
    differs = [pl.col(name).ne_missing(pl.col(name + _NEW)) for name in names]
    changed = both.filter(pl.any_horizontal(differs)) if names else both.clear()
    counts = [_count(rows) for rows in (added, removed, changed)]
    pairs = [
        {"": "~", **{name: row[name] for name in key}}
        | {name: (row[name], row[name + _NEW]) for name in names if _differ(row[name], row[name + _NEW])}
        for row in _first(changed, most)
    ]
    examples = [{"": "+", **row} for row in _first(added, most)] + [{"": "-", **row} for row in _first(removed, most)]
    return counts[0], counts[1], counts[2], (*examples, *pairs)


def _by_row(old: pl.LazyFrame, new: pl.LazyFrame, most: int) -> _Told:
    """Equal rows count as often as they are there. Holds the distinct rows of what was not in both."""
    import polars as pl

    names = old.collect_schema().names()
    if not names:
        return 0, 0, 0, ()
    signed = [old.with_columns(pl.lit(-1).alias(_OLD)), new.with_columns(pl.lit(1).alias(_OLD))]
    net = pl.concat(signed).group_by(names).agg(pl.col(_OLD).sum()).filter(pl.col(_OLD) != 0)
    rows = net.collect(engine="streaming")
    added, removed = rows.filter(pl.col(_OLD) > 0), rows.filter(pl.col(_OLD) < 0)
    examples = [
        {"": sign, **row} for sign, part in (("+", added), ("-", removed)) for row in part.drop(_OLD)[:most].to_dicts()
    ]
    return int(added[_OLD].sum()), -int(removed[_OLD].sum()), 0, tuple(examples)


def _count(rows: pl.LazyFrame) -> int:
    import polars as pl

    return int(rows.select(pl.len()).collect(engine="streaming").item())


def _first(rows: pl.LazyFrame, most: int) -> list[dict[str, Any]]:
    return rows.head(most).collect(engine="streaming").to_dicts()


def _differ(one: Any, other: Any) -> bool:
    return not (one == other or (one != one and other != other))
