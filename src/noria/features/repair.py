"""Repair: what a training set that was made before would be now that late rows and corrections are there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.workspace import Workspace, write_atomically

if TYPE_CHECKING:
    import polars as pl

_MOST_FEATURES = 20
_TOLERANCE = 1e-6
"""Of numbers of 32 bits: a smaller relative difference is none."""


def last_made(workspace: Workspace) -> tuple[str, str] | None:
    """The reference of the training set that was made last, and a hash of its declaration; None where it is gone."""
    try:
        kept = json.loads(_pointer(workspace).read_text(encoding="ascii"))
        reference, declaration = str(kept["reference"]), str(kept["declaration"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    there = (workspace.root / reference.removeprefix("file:")).is_file()
    return (reference, declaration) if there else None


def keep_last_made(workspace: Workspace, reference: str, declaration: str) -> None:
    """Remember a training set for the one that comes after it."""
    body = json.dumps({"reference": reference, "declaration": declaration})
    write_atomically(_pointer(workspace), body.encode())


def _pointer(workspace: Workspace) -> Path:
    return workspace.artifacts / "training-set.last"


def differences(before: pl.DataFrame, now: pl.DataFrame, *, numbered: bool) -> dict[str, Any]:
    """By how much two training sets of one declaration differ.

    Parameters
    ----------
    before, now : DataFrame
        With ``_row``, ``_time``, ``_known``, ``_label`` and features; those that both have are compared.
    numbered : bool
        Whether ``_row`` is the same row in both. If not, rows are paired by time, in their order within it.

    Returns
    -------
    dict
        ``before``, ``now``, ``added``, ``gone``, ``differ``, ``labels``: rows; ``features``: of those that differ most
        often, how many rows and by how much at most.

    Examples
    --------
    >>> import polars as pl
    >>> one = pl.DataFrame({"_row": [1, 2], "_time": [0, 1], "_label": [0, None], "x": [1.0, 2.0]})
    >>> other = pl.DataFrame({"_row": [1, 2, 3], "_time": [0, 1, 1], "_label": [0, 1, 0], "x": [1.0, 2.5, 0.0]})
    >>> found = differences(one, other, numbered=True)
    >>> found["added"], found["differ"], found["labels"], found["features"]
    (1, 1, 1, {'x': {'rows': 1, 'most': 0.5}})
    """
    import polars as pl

    key = ["_row"] if numbered else ["_time", "_nth"]
    if not numbered:
        before, now = (
            frame.with_columns(pl.int_range(pl.len()).over("_time").alias("_nth")) for frame in (before, now)
        )
    features = [name for name in now.columns if not name.startswith("_") and name in before.columns]
    wanted = [*key, "_label", *features]
    both = before.select(wanted).join(now.select(wanted), on=key, how="inner", suffix=" now")
    flags = {name: _differs(name, now.schema[name]) for name in ("_label", *features)}
    marked = both.select(expression.alias(name) for name, expression in flags.items())
    counts = dict(zip(marked.columns, marked.sum().row(0), strict=True))
    often = sorted((name for name in features if counts[name]), key=lambda name: -counts[name])[:_MOST_FEATURES]
    most = {name: both.filter(marked[name]).select(_distance(name, now.schema[name])).item() for name in often}
    return {
        "before": len(before), "now": len(now), "added": len(now) - len(both), "gone": len(before) - len(both),
        "differ": int(marked.select(pl.any_horizontal(pl.all())).sum().item()) if flags else 0,
        "labels": int(counts["_label"]),
        "features": {name: {"rows": int(counts[name]), "most": most[name]} for name in often},
    }  # fmt: skip


def _differs(name: str, dtype: pl.DataType) -> pl.Expr:
    import polars as pl

    one, other = pl.col(name), pl.col(f"{name} now")
    if dtype.is_float():
        near = (one - other).abs() <= _TOLERANCE * pl.max_horizontal(one.abs(), other.abs(), pl.lit(1e-30))
        return one.ne_missing(other) & ~near.fill_null(False)
    return one.ne_missing(other)


def _distance(name: str, dtype: pl.DataType) -> pl.Expr:
    """The greatest difference of a number; of a category there is none."""
    import polars as pl

    if dtype.is_numeric():
        return (pl.col(name) - pl.col(f"{name} now")).abs().max().cast(pl.Float64)
    return pl.lit(None, pl.Float64)


def repaired(workspace: Workspace, frame: pl.DataFrame, declaration: str, *, numbered: bool) -> list[Mapping[str, Any]]:
    """That the training set made last would differ now; nothing where it would not, or was declared otherwise."""
    import polars as pl

    last = last_made(workspace)
    if last is None or last[1] != declaration:
        return []
    before = pl.read_parquet(workspace.root / last[0].removeprefix("file:"))
    found = differences(before, frame, numbered=numbered)
    if not found["differ"] and not found["gone"]:
        return []
    return [{"kind": "data.repaired", "subject": last[0], "body": found}]
