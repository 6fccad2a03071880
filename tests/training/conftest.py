"""A small training set with a signal, nulls and rare categories, of the form that the step ``training-set`` leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from noria.declarations import Endpoint, Project, Search, Source, Spine, TimeSplit
from noria.steps import Outcome, Step, StepContext
from noria.training.rows import Rows, read_rows
from noria.training.splits import parts_of
from noria.workspace import Workspace

START = datetime(2013, 1, 1, tzinfo=UTC)
FEATURES = [
    {"name": "delay", "kind": "number", "view": "v", "text": "mean delay"},
    {"name": "carrier", "kind": "category", "view": "", "text": "carrier"},
    {"name": "wind", "kind": "number", "view": "w", "text": "wind"},
    {"name": "whole", "kind": "number", "view": "w", "text": "without a null"},
    {"name": "dest", "kind": "category", "view": "", "text": "dest"},
]
SPLIT = TimeSplit(train_until="2013-02-10", validate_until="2013-02-25", test_until="2013-03-10")


def made(rows: int = 4000, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    minutes = np.sort(random.integers(0, 75 * 1440, rows))
    time = [START + timedelta(minutes=int(minute)) for minute in minutes]
    carrier = random.choice(["AA", "BB", "CC", "ÜÖ", "rare"], rows, p=[0.4, 0.3, 0.2, 0.099, 0.001])
    dest = random.choice([f"D{place}" for place in range(20)], rows)
    delay, wind = random.normal(size=rows), random.exponential(size=rows) * 10
    odds = 1.5 * delay - 1 + (carrier == "BB") + 0.05 * wind * (dest < "D3")
    label = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    frame = pl.DataFrame(
        {
            "_row": np.arange(1, rows + 1), "_time": time, "_known": [at + timedelta(hours=3) for at in time],
            "_label": label, "delay": delay.astype(np.float32), "wind": wind.astype(np.float32),
            "whole": random.integers(0, 5, rows).astype(np.float32), "carrier": carrier, "dest": dest,
        },
        schema_overrides={"_time": pl.Datetime("us", "UTC"), "_known": pl.Datetime("us", "UTC")},
    )  # fmt: skip
    lost = pl.Series(random.random(rows) < 0.1)
    none = pl.lit(None)
    return frame.with_columns(
        pl.when(lost).then(none).otherwise("wind").alias("wind").cast(pl.Float32),
        pl.when(lost.reverse()).then(none).otherwise("dest").alias("dest").cast(pl.String),
        pl.when(pl.Series(random.random(rows) < 0.03)).then(none).otherwise("_label").alias("_label").cast(pl.Int8),
    )


@pytest.fixture(scope="session")
def training_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("set") / "training_set.parquet"
    made().write_parquet(path)
    return path


@pytest.fixture(scope="session")
def parts(training_set: Path) -> tuple[Rows, Rows, Rows]:
    ends = parts_of(SPLIT)
    train, validate, test = (
        read_rows(training_set, FEATURES, part.rows()) for part in (ends.train, ends.validate, ends.test)
    )
    return train, validate, test


@pytest.fixture
def project() -> Project:
    flights = Source("flights", "flights.csv", event_time="landed", lag="90m")
    return Project(
        "flights", question="Will it be late?", tags={"team": "operations"},
        spine=Spine(flights, time="scheduled", label="late"),
        search=Search("binary", split=SPLIT, trials=5, slices="carrier"), endpoint=Endpoint("late"),
    )  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    root = tmp_path / ".noria"
    return Workspace(
        root, tmp_path / "project.py", f"sqlite:///{root}/ledger.db", f"file://{root}/lake", f"lmdb:///{root}/online",
        f"sqlite:///{root}/mlflow.db",
    )  # fmt: skip


@pytest.fixture
def do(workspace: Workspace, training_set: Path) -> Callable[..., dict[str, Outcome]]:
    """Run steps one after the other, as `noria.run` would, but in this process."""
    said: dict[str, Any] = {"features": FEATURES, "rows": 4000, "schemas": {}}
    outcomes = {"training-set": Outcome({"set": f"file:{training_set}"}, said)}

    def run(steps: tuple[Step, ...], suffix: str = "") -> dict[str, Outcome]:
        for step in steps:
            inputs = {name: outcomes[name] for name in step.inputs}
            outcomes[step.name] = step.function(StepContext(workspace, step.name + suffix, inputs))
        return dict(outcomes)

    workspace.root.mkdir(parents=True, exist_ok=True)
    return run
