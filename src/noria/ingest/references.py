"""The tables of other sources that rules look into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from noria.lake import open_lake
from noria.ledger import table_and_version
from noria.steps import StepContext

if TYPE_CHECKING:
    import polars as pl


def tables_of(ctx: StepContext) -> dict[str, pl.DataFrame]:
    """The tables of the steps that a step waits for, as the run pinned them; the columns of their keys come first."""
    lake = open_lake(ctx.workspace.lake)
    found = {}
    for step, outcome in ctx.inputs.items():
        table = lake.read(*table_and_version(outcome.outputs["table"])).collect()
        found[step.removeprefix("ingest:")] = key_first(table, outcome.facts["key"])
    return found


def key_first(table: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """What rules refer to by default is the first column: the source's key."""
    return table.select(*key, *[name for name in table.columns if name not in key])
