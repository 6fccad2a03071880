"""A workspace with real signed packages, and an application that is asked without a network."""

import asyncio
import json
from datetime import datetime
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from noria.core import UTC, ToldClock
from noria.models import Graph, Manifest, ModelFeature
from noria.models.package import write_package
from noria.security import SigningKey
from noria.serving import Routes, read_log, write_routes
from noria.serving.application import Application
from noria.serving.fleet import load_fleet
from noria.serving.guard import Guard
from noria.serving.log import PredictionLog
from noria.serving.metrics import Metrics
from noria.workspace import Workspace

AT = datetime(2013, 12, 1, 12, tzinfo=UTC)


def make_version(workspace, slope):
    """A package of the model sigmoid(slope * a + b); its category is not looked at. The version."""
    graph = Graph(numbers=2, categories=1)
    product = graph.add("MatMul", "numbers", graph.constant(np.array([[slope], [1.0]], np.float32)))
    manifest = Manifest(
        format=1, name="late", created="2013-12-01T00:00:00+00:00", views=[], spine={}, metric="average_precision",
        features=(ModelFeature("a", "number"), ModelFeature("carrier", "category"), ModelFeature("b", "number")),
        scores={}, threshold=0.5, inputs={}, commit="", files={},
    )  # fmt: skip
    model = graph.finish(graph.add("Sigmoid", product))
    key = SigningKey.load_or_create(workspace.keys)
    return write_package(workspace.packages, manifest, {"model.onnx": model}, key).name[:12]


def sigmoid(value):
    return float(1 / (1 + np.exp(-np.float32(value))))


@pytest.fixture
def workspace(tmp_path):
    root = tmp_path / "state"
    return Workspace(root, tmp_path / "project.py", f"sqlite:///{root}/ledger.db", f"file://{root}/lake",
                     f"sqlite:///{root}/online.db", f"sqlite:///{root}/mlflow.db")  # fmt: skip


@pytest.fixture
def version(workspace):
    """One version that gets all requests."""
    made = make_version(workspace, 2.0)
    write_routes(workspace.serving / "late", Routes({made: 1.0}))
    return made


class Features:
    """Features that the request carries; a request without them is refused, and a broken store breaks."""

    broken = False

    def columns(self, requests, at_micros):
        from noria.core import DataError

        if self.broken:
            raise OSError("/secret/path is gone")
        for row in requests:
            if "a" not in row:
                raise DataError("the request lacks a column", place="a")
        with np.errstate(over="ignore"):
            return {
                "a": np.array([row["a"] for row in requests], np.float32),
                "b": np.array([row.get("b", 0.0) for row in requests], np.float32),
                "carrier": [row.get("carrier") for row in requests],
            }


class Asked:
    """Asks an application, without a network."""

    def __init__(self, workspace, routes, keys=None):
        self.features = Features()
        self.folder = workspace.serving / "late" / "log"
        self.clock = ToldClock(workspace.root / "clock", start=AT)
        self.workspace = workspace
        self.log = PredictionLog(self.folder)
        public = SigningKey.load_or_create(workspace.keys).public
        self.load = lambda routes, **options: load_fleet(
            routes, workspace.packages, public, lambda manifest: self.features, **options
        )
        fleet, _ = self.load(routes)
        guard = Guard(("localhost", "127.0.0.1"), keys)
        self.application = Application("late", fleet, guard, self.log, Metrics(), self.clock)

    def __call__(self, method, path, body=b"", *, raw=False, **headers):
        """(status, answered JSON or bytes); ``content_type="…"`` becomes a header."""
        sent = {"host": "localhost"}
        if method == "POST":
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent |= {"content-type": "application/json", "content-length": str(len(body))}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value is not None}
        protocol = Protocol(body)
        scope = SimpleNamespace(headers=Headers(sent), path=path, method=method)
        asyncio.run(self.application.__rsgi__(scope, protocol))
        self.headers = dict(protocol.headers)
        return protocol.status, protocol.body if raw else json.loads(protocol.body)

    def logged(self):
        """Ends the log and reads it."""
        self.log.close()
        return [msgspec.to_builtins(one) for one in read_log(self.folder)]


class Headers(dict):
    def get_all(self, name):
        return [self[name]] if name in self else []


class Protocol:
    def __init__(self, body):
        self._body = body

    async def __call__(self):
        return self._body

    async def __aiter__(self):
        for place in range(0, len(self._body), 65536):
            yield self._body[place : place + 65536]

    def response_bytes(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


@pytest.fixture
def ask(workspace, version):
    asked = Asked(workspace, Routes({version: 1.0}))
    yield asked
    asked.log.close()


@pytest.fixture
def asked_with(workspace):
    """Asked, for routes and keys of the test's own."""
    made = []

    def make(routes, keys=None):
        made.append(Asked(workspace, routes, keys))
        return made[-1]

    yield make
    for one in made:
        one.log.close()


@pytest.fixture
def another_version(workspace):
    return lambda slope: make_version(workspace, slope)
