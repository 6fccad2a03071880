"""Commits: what Noria tells a Delta table's log. Each is of exactly the next version, or fails."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from noria.lake.delta.parts import Part

if TYPE_CHECKING:
    import polars as pl
    from deltalake import CommitProperties, DeltaTable, Schema
    from deltalake.transaction import AddAction

_KEEP = {"delta.enableExpiredLogCleanup": "false", "delta.logRetentionDuration": "interval 36500 days"}
"""Every version stays readable: the log is never cut."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit does to the version that is now the newest, beside adding rows.

    Attributes
    ----------
    schema : polars.Schema
        The columns of the table behind it.
    replaces : bool
        Whether no file stays.
    removed : dict of int
        The files that go, with their bytes.
    stay : iterator of polars.DataFrame
        The rows of files that go which are written again.
    new : dict
        Columns that the table is to have before.
    """

    schema: pl.Schema
    replaces: bool = False
    removed: Mapping[str, int] = field(default_factory=dict)
    stay: Iterator[pl.DataFrame] = field(default_factory=lambda: iter(()))
    new: Mapping[str, pl.DataType] = field(default_factory=dict)

    def commit(self, opened: DeltaTable, parts: Sequence[Part], metadata: Mapping[str, str], step_key: str) -> None:
        """Make it, as the version after the one that is open."""
        from deltalake.transaction import RemoveAction

        now = time.time_ns() // 1_000_000
        gone = [RemoveAction(path, True, now, size=size, partition_values={}) for path, size in self.removed.items()]
        opened.create_write_transaction(
            [*map(_add, parts), *gone],
            "overwrite" if self.replaces else "append",
            schema=_delta(self.schema) if self.replaces else opened.schema(),
            commit_properties=_properties(metadata, step_key, opened.version() + 1),
        )


def create(uri: str, schema: pl.Schema, parts: Sequence[Part], metadata: Mapping[str, str], step_key: str) -> None:
    """Make a table whose version 0 has the rows."""
    from deltalake.transaction import create_table_with_add_actions

    create_table_with_add_actions(
        uri, _delta(schema), [_add(part) for part in parts], mode="error", configuration=_KEEP,
        commit_properties=_properties(metadata, step_key, 0),
    )  # fmt: skip


def add_columns(opened: DeltaTable, new: Mapping[str, pl.DataType], metadata: Mapping[str, str]) -> None:
    """Give a table columns that are null in all its rows: a version of its own, since delta-rs tells it by itself."""
    import polars as pl
    from deltalake import CommitProperties

    told = CommitProperties(custom_metadata=dict(metadata), max_commit_retries=0)
    opened.alter.add_columns(list(_delta(pl.Schema(new)).fields), commit_properties=told)


def _delta(schema: pl.Schema) -> Schema:
    from deltalake import Schema

    return Schema.from_arrow(schema.to_frame().to_arrow().schema)


def _add(part: Part) -> AddAction:
    from deltalake.transaction import AddAction

    return AddAction(part.path, part.size, {}, part.at, True, part.stats)


def _properties(metadata: Mapping[str, str], step_key: str, version: int) -> CommitProperties:
    """The step key is kept as an application's transaction, which outlives checkpoints."""
    from deltalake import CommitProperties, Transaction

    return CommitProperties(
        custom_metadata=dict(metadata),
        max_commit_retries=0,
        app_transactions=[Transaction(step_key, version)] if step_key else [],
    )
