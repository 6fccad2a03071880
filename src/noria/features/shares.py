"""Shares: where a random split puts each row, as a number in [0, 1) that follows from the row's key."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from noria.declarations import Project, RandomSplit
from noria.expressions import Kind
from noria.features.keys import key_text
from noria.features.views import KEY_KINDS

if TYPE_CHECKING:
    import polars as pl

_BITS = 53  # of a float64: every share is exact


def groups_of(project: Project) -> tuple[str, ...]:
    """The columns by whose values a random split parts rows; empty where it goes by the row's number."""
    split = project.search.split
    if not isinstance(split, RandomSplit):
        return ()
    return split.by or project.spine.source.contract.key


def check_groups(project: Project, schema: Mapping[str, Kind]) -> None:
    """Refuse to part rows by columns that the spine's source does not have, or that have no one text.

    Raises
    ------
    DeclarationError
        At such a column of `RandomSplit.by`.
    """
    split = project.search.split
    for name in split.by if isinstance(split, RandomSplit) else ():
        if name not in schema:
            near = difflib.get_close_matches(name, schema, n=1)
            mend = f"did you mean '{near[0]}'?" if near else "one of " + ", ".join(schema)
            raise split.refuse("the spine's source has no such column", field="by", value=name, mend=mend)
        if schema[name] not in (*KEY_KINDS, "timestamp"):
            raise split.refuse(
                "rows cannot be kept together by such a column",
                field="by",
                value=f"{name} is {schema[name]}",
                mend="a text, an integer, a truth, a date or a timestamp",
            )


def shares_of(project: Project, rows: pl.DataFrame, labels: pl.Series) -> list[pl.Series]:
    """The column ``_share`` of a random split, in the order of the rows; nothing for another split.

    Rows with a null in their key have a share of their own.

    Parameters
    ----------
    project : Project
        The declarations.
    rows : DataFrame
        Of the spine's source, with `groups_of` and ``_row``.
    labels : Series
        Their answers.
    """
    import polars as pl

    split = project.search.split
    if not isinstance(split, RandomSplit):
        return []
    own = "row " + rows["_row"].cast(pl.String)
    groups = groups_of(project)
    keys = pl.select(pl.coalesce("key " + key_text(rows, groups), own)).to_series() if groups else own
    distinct = keys.unique(maintain_order=True)
    hashed = pl.Series([_share(key, split.seed) for key in distinct.to_list()], dtype=pl.Float64)
    shares = keys.replace_strict(distinct, hashed, return_dtype=pl.Float64).alias("_share")
    if not split.stratify:
        return [shares]
    ranked = pl.DataFrame({"share": shares, "label": labels}).select(
        _share=((pl.col("share").rank("ordinal") - 0.5) / pl.len()).over("label")
    )
    return [ranked["_share"]]


def _share(key: str, seed: int) -> float:
    # A digest that is the same everywhere and for ever: hashes of frame libraries change with their versions.
    digest = hashlib.blake2b(key.encode(), digest_size=8, salt=seed.to_bytes(16, "little")).digest()
    return (int.from_bytes(digest, "little") >> (64 - _BITS)) / 2.0**_BITS
