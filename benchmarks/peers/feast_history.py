"""Feast's get_historical_features: N flights joined to the weather at their origin, as its own documentation does it.

Usage: feast_history.py EVENTS.parquet SPINE.parquet ROWS STORE HOURS  ->  one JSON line: seconds of the call alone.
A value older than HOURS is not seen; with 0, Feast's own default, none is too old.
"""

import json
import sys
import tempfile
import time
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource
from feast.types import Float64
from feast.value_type import ValueType

events, spine, rows, offline_store, hours = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
columns = ["temp", "wind_speed", "visib", "pressure", "precip"]
with tempfile.TemporaryDirectory() as folder:
    Path(folder, "feature_store.yaml").write_text(
        f"project: bench\nregistry: {folder}/registry.db\nprovider: local\n"
        f"offline_store:\n  type: {offline_store}\nonline_store:\n  type: sqlite\n  path: {folder}/online.db\n"
        "entity_key_serialization_version: 3\n"
    )
    store = FeatureStore(folder)
    origin = Entity(name="origin", join_keys=["origin"], value_type=ValueType.STRING)
    source = FileSource(path=str(Path(events).resolve()), timestamp_field="event_timestamp")
    view = FeatureView(
        name="weather",
        entities=[origin],
        ttl=timedelta(hours=hours),
        source=source,
        schema=[Field(name=name, dtype=Float64) for name in columns],
    )
    store.apply([origin, view])
    frame = pd.read_parquet(spine).head(rows)
    started = time.perf_counter()
    joined = store.get_historical_features(frame, [f"weather:{name}" for name in columns]).to_df()
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "rows": len(joined), "versions": {"feast": version("feast")}}))
