"""A source that does what a test says, and one ingest of it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from noria import ingest
from noria.core import ToldClock, TransientError
from noria.declarations import Endpoint, Project, Search, Source, Spine, TimeSplit
from noria.lake import open_lake
from noria.sources import Ask, Batch, Connector, Fingerprint, State
from noria.steps import Outcome, StepContext
from noria.workspace import Workspace

SPLIT = TimeSplit(train_until="2013-01-01", validate_until="2013-02-01", test_until="2013-03-01")


class Scripted(Connector):
    """Reads what a file of JSON says: ``{"batches": [[row, …], …], "version": "", "down": false, "stays": 9}``.

    It goes down after so many batches as it stays.

    Parameters
    ----------
    url : str
        The file.
    way : str
        What it says of itself as `Connector.increments`.
    sparse : bool
        Whether its batches are.
    """

    way: str = ""
    sparse: bool = False

    @property
    def increments(self) -> str:
        return self.way

    def fingerprint(self, ask: Ask) -> Fingerprint:
        return Fingerprint("", "a script")

    def batches(self, ask: Ask, since: State | None = None) -> Iterator[Batch]:
        script = json.loads(Path(self.url).read_text())
        if script.get("down"):
            raise TransientError("it does not answer", place="scripted")
        done = int(since["batches"]) if since and self.way else 0
        for number, rows in enumerate(script["batches"][done:], done + 1):
            if number > script.get("stays", len(script["batches"])):
                raise TransientError("it does not answer any more", place="scripted")
            frame = pl.DataFrame(rows, infer_schema_length=None, strict=False)
            if "at" in frame.columns and frame.schema["at"] == pl.String:
                frame = frame.with_columns(pl.col("at").str.to_datetime(strict=False, time_zone="UTC"))
            version, state = script.get("version", ""), {"batches": number}
            yield Batch(frame, f"batch {number}", state=state, version=version, sparse=self.sparse)


class ScriptedLog(Scripted):
    """A log that lets go of what it is told to be committed, and may not hear it."""

    @property
    def increments(self) -> str:
        return "log"

    def batches(self, ask: Ask, since: State | None = None) -> Iterator[Batch]:
        told = Path(f"{self.url}.told")
        if told.exists() and (since is None or since["batches"] < int(told.read_text())):
            raise AssertionError("the log let go of rows that are not committed")
        yield from Scripted(self.url, way="log").batches(ask, since)

    def committed(self, ask: Ask, state: State) -> None:
        deaf = Path(f"{self.url}.deaf")
        if deaf.exists():
            deaf.unlink()
            raise TransientError("it does not hear")
        Path(f"{self.url}.told").write_text(str(state["batches"]))


class World:
    """One source, its script, its workspace and its clock."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.script = folder / "script.json"
        self.clock = ToldClock(folder / "clock", start=datetime(2026, 1, 1, tzinfo=UTC))
        root = folder / ".noria"
        root.mkdir()
        self.workspace = Workspace(
            root, folder / "project.py", f"sqlite:///{root}/ledger.db", f"file://{root}/lake",
            f"lmdb:///{root}/online", f"sqlite:///{root}/mlflow.db",
        )  # fmt: skip
        self.number = 0

    def says(self, *batches: list[dict[str, Any]], **more: Any) -> None:
        """What the source holds from now on."""
        self.script.write_text(json.dumps({"batches": batches, **more}))

    def source(self, way: str = "", *, sparse: bool = False, **fields: Any) -> Source:
        """The source, as a test declares it."""
        return Source("data", Scripted(str(self.script), way=way, sparse=sparse), **fields)

    def project(self, source: Source, **more: Any) -> Project:
        spine = Spine(source, time=source.event_time or "at", label="n > 1")
        return Project("small", spine=spine, endpoint=Endpoint("e"), search=Search("binary", split=SPLIT), **more)

    def load(self, source: Source, hours: float = 1.0) -> Outcome:
        """One ingest, some time after the one before."""
        self.number += 1
        self.clock.tell(self.clock.now() + timedelta(hours=hours))
        step = ingest.steps(self.project(source), self.folder, self.workspace)[0]
        return step.function(StepContext(self.workspace, f"key{self.number}", {}, clock=self.clock))

    def rows(self, outcome: Outcome, what: str = "table") -> list[dict[str, Any]]:
        """The rows that an outcome names, in order of their numbers."""
        if what not in outcome.outputs:
            return []
        name, _, version = outcome.outputs[what].removeprefix("table:").rpartition("@")
        return open_lake(self.workspace.lake).read(name, int(version)).collect().sort("_row").to_dicts()

    def values(self, outcome: Outcome, column: str, what: str = "table") -> list[Any]:
        """A column of them."""
        return [row[column] for row in self.rows(outcome, what)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A source to be scripted."""
    return World(tmp_path)


@pytest.fixture(scope="session")
def a_world() -> type[World]:
    """Makes as many as a test wants."""
    return World


@pytest.fixture(scope="session")
def a_log() -> type[ScriptedLog]:
    """The kind of source that is a log."""
    return ScriptedLog


@pytest.fixture
def at() -> Callable[[int], str]:
    """A time some hours after the beginning of 2026, as the script says it."""
    return lambda hours: (datetime(2026, 1, 1) + timedelta(hours=hours)).isoformat()
