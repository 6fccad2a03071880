"""Parity: what a model is served is what it was trained on."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from noria.core import to_micros
from noria.gates.agreement import agreement
from noria.gates.check import Check, Finding
from noria.gates.evidence import Evidence

if TYPE_CHECKING:
    import polars as pl


class Parity(Check):
    """Features fetched from an online store, as of past questions, are those of the training set.

    At a few moments of the past an online store is filled as of that moment, and the questions of that moment are asked
    through the request path. A number may differ by one bit of float32.

    Parameters
    ----------
    rows : int
        How many rows of the spine are asked, at most.
    moments : int
        At how many moments; they are spread over the training set.

    Examples
    --------
    >>> Parity(rows=500)
    Parity(rows=500, moments=3)
    """

    rows: int = Field(default=100, ge=1)
    moments: int = Field(default=3, ge=1)

    def check(self, evidence: Evidence) -> Finding:
        import polars as pl

        asked = _sample(evidence.training_set, self.moments, self.rows)
        features = evidence.outcomes["training-set"].facts["features"]
        kinds = {feature["name"]: feature["kind"] for feature in features}
        online: dict[str, list[Any]] = {name: [] for name in kinds}
        for (moment,), rows in asked.group_by("_time", maintain_order=True):
            for name, values in _served(evidence, moment, rows).items():
                online[name] += list(values)
        offline = {name: asked[name].fill_null(float("nan")).to_numpy() if kind == "number" else asked[name].to_list()
                   for name, kind in kinds.items()}  # fmt: skip
        times = asked["_time"].dt.epoch("us").cast(pl.Int64).to_list()
        found = agreement(kinds, asked["_row"].to_list(), times, offline, online)
        count = f"{found.rows:,} questions at {asked['_time'].n_unique()} moments, {found.features} features each"
        if not found.mismatches:
            text = f"{count}: all are served as they were in training"
        else:
            first = found.examples[0]
            text = (
                f"{count}: {found.mismatches:,} values differ, first {first['feature']} of row {first['row']} at "
                f"{first['time']}: {first['offline']} in training, {first['online']} served"
            )
        return Finding(not found.mismatches, text, found.to_body())


def _sample(training_set: Path, moments: int, rows: int) -> pl.DataFrame:
    """Up to `rows` rows, asked at the busiest moment of each of `moments` parts of the set; always the same."""
    import polars as pl

    lazy = pl.scan_parquet(training_set)
    asked = lazy.select(pl.col("_time").drop_nulls()).group_by("_time").len().sort("_time").collect()
    steps = min(moments, len(asked))
    parts = asked.with_columns(part=pl.int_range(pl.len()) * steps // pl.len())
    chosen = (
        parts.sort("len", "_time", descending=[True, False])
        .unique("part", keep="first", maintain_order=True)["_time"]
        .sort()
    )
    found = lazy.filter(pl.col("_time").is_in(chosen.implode())).collect()
    return found.filter(pl.int_range(pl.len()).over("_time") < -(-rows // max(steps, 1))).head(rows)


def _served(evidence: Evidence, moment: datetime, rows: pl.DataFrame) -> Mapping[str, Any]:
    """The features of some rows' requests, from a store that was filled as of the moment."""
    import polars as pl

    from noria.features import FeatureService, materialise, open_store, tables_of, temporary_url

    project = evidence.project
    ingested = {name: outcome for name, outcome in evidence.outcomes.items() if name.startswith("ingest:")}
    spine = project.spine.source
    table = tables_of(evidence.workspace.lake, ingested)[spine.name]
    requests = rows.lazy().select(pl.col("_row").cast(table.collect_schema()["_row"])).join(
        table.select("_row", *spine.known_before), on="_row", how="left", maintain_order="left"
    ).select(spine.known_before).collect()  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="noria-parity-") as folder:
        online = temporary_url(folder)
        materialise(project, ingested, evidence.workspace.lake, online, moment)
        store = open_store(online)
        try:
            service = FeatureService(
                project.spine, project.features, evidence.outcomes["training-set"].facts["schemas"], store
            )
            return service.columns(requests.to_dicts(), to_micros(moment))
        finally:
            store.close()
