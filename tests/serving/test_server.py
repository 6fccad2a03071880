"""The real server in a process of its own, asked over real sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import threading
import time
from datetime import datetime

import msgspec
import numpy as np
import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families

from noria.core import UTC, GateError, IntegrityError, ToldClock
from noria.declarations import Endpoint, FeatureView, Project, Search, Source, Spine, TimeSplit, dump
from noria.features import open_store, plans_of
from noria.features.fill import fill
from noria.models import Graph, Manifest, ModelFeature
from noria.models.package import write_package
from noria.security import ApiKeys, SigningKey
from noria.serving import Routes, ServerProcess, read_log, write_routes
from noria.serving.application import BODY_SECONDS, LARGEST_BODY

INFER, ROWS = "/v2/models/late/infer", "/v1/late"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")

planes = Source("planes", "planes.csv")
flights = Source("flights", "flights.csv", event_time="landed", known_before=["tailnum", "carrier", "distance"])
seats = FeatureView("plane", planes, keys="tailnum", columns={"seats": "seats"})
spine = Spine(flights, time="scheduled", label="late", features={"distance": "distance / 100", "carrier": "carrier"})
SCHEMAS = {
    "planes": {"tailnum": "string", "seats": "int"},
    "flights": {"tailnum": "string", "carrier": "string", "distance": "float", "landed": "timestamp",
                "scheduled": "timestamp", "late": "bool"},
}  # fmt: skip


@pytest.fixture
def project():
    split = TimeSplit(train_until="2013-02-10", validate_until="2013-02-25", test_until="2013-03-10")
    return Project("flights", spine=spine, features=[seats], endpoint=Endpoint("late"),
                   search=Search("binary", split=split))  # fmt: skip


@pytest.fixture
def make(workspace):
    """Package the model sigmoid(slope * seats + distance), which fetches the seats of a plane; its version."""

    def version(slope):
        graph = Graph(numbers=2, categories=1)
        product = graph.add("MatMul", "numbers", graph.constant(np.array([[slope], [1.0]], np.float32)))
        manifest = Manifest(
            format=1, name="late", created="2013-12-01T00:00:00+00:00", metric="roc_auc", scores={}, threshold=0.5,
            views=[dump(seats)], spine=dump(spine), schemas=SCHEMAS, inputs={}, commit="", files={},
            features=(ModelFeature("plane_seats", "number"), ModelFeature("distance", "number"),
                      ModelFeature("carrier", "category")),
        )  # fmt: skip
        key = SigningKey.load_or_create(workspace.keys)
        model = graph.finish(graph.add("Sigmoid", product))
        return write_package(workspace.packages, manifest, {"model.onnx": model}, key).name[:12]

    return version


@pytest.fixture
def version(workspace, make):
    """One version with all requests, and a store that knows one plane."""
    made = make(0.01)
    write_routes(workspace.serving / "late", Routes({made: 1.0}))
    store = open_store(workspace.online)
    [plan] = plans_of([seats], SCHEMAS)
    fill(plan, pl.DataFrame({"tailnum": ["N1"], "seats": [100]}), store, 0)
    store.close()
    return made


@pytest.fixture
def server(project, workspace, version):
    clock = workspace.root / "clock"
    ToldClock(clock, start=datetime(2013, 12, 1, tzinfo=UTC))
    with ServerProcess(project, workspace, clock=clock) as server:
        yield server


def ask(server, method, path, body=None, **headers):
    """(status, headers, body as JSON where it is JSON)."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    sent = {"content-type": "application/json"} if body is not None else {}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, json.dumps(body) if isinstance(body, dict) else body, sent)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    kind = answer.headers.get("content-type", "")
    return answer.status, answer.headers, json.loads(data) if kind == "application/json" and data else data


def raw(server, text, wait=30.0):
    """The status line that is answered to some bytes, or nothing where the server only hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait) as one:
        one.sendall(text)
        return one.makefile("rb").readline().decode()


def tensors(seats, distance, carrier="UA"):
    return {"inputs": [
        {"name": "numbers", "shape": [1, 2], "datatype": "FP32", "data": [seats, distance]},
        {"name": "categories", "shape": [1, 1], "datatype": "BYTES", "data": [carrier]},
    ]}  # fmt: skip


def sigmoid(value):
    return float(1 / (1 + np.exp(-value)))


def logged(workspace):
    return [msgspec.to_builtins(one) for one in read_log(workspace.serving / "late" / "log")]


def routes_of(server):
    return ask(server, "GET", "/")[2]["routes"]


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
    return value


def test_the_open_inference_protocol(server, version):
    for path in (
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/late/ready",
        f"/v2/models/late/versions/{version}/ready",
    ):
        assert ask(server, "GET", path)[0] == 200
    assert ask(server, "GET", "/v2/health/live")[2] == {"live": True}
    about = ask(server, "GET", "/v2")[2]
    assert about.keys() == {"name", "version", "extensions"}
    model = ask(server, "GET", "/v2/models/late")[2]
    assert (model["name"], model["versions"], model["platform"]) == ("late", [version], "onnxruntime_onnx")
    assert model["inputs"][0] == {"name": "numbers", "datatype": "FP32", "shape": [-1, 2],
                                  "parameters": {"features": ["plane_seats", "distance"]}}  # fmt: skip
    assert model["outputs"] == [{"name": "probability", "datatype": "FP64", "shape": [-1]}]
    status, headers, told = ask(server, "POST", INFER, tensors(100, 1) | {"id": "mine"})
    assert (status, headers["content-type"], headers["x-content-type-options"]) == (200, "application/json", "nosniff")
    assert told.keys() == {"model_name", "model_version", "id", "outputs"}
    assert (told["model_name"], told["model_version"], told["id"]) == ("late", version, "mine")
    [output] = told["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("probability", "FP64", [1])
    assert output["data"] == pytest.approx([sigmoid(2)], rel=1e-6)
    status, _, told = ask(server, "POST", INFER, b"{")
    assert (status, told.keys()) == (400, {"error", "id"})


def test_named_columns_fetch_their_features(server, workspace, version):
    rows = [{"tailnum": "N1", "distance": 100.0, "carrier": "UA"}, {"tailnum": "unknown", "distance": 100.0},
            {"tailnum": None}]  # fmt: skip
    status, _, told = ask(server, "POST", ROWS, {"rows": rows, "id": "r"})
    assert status == 200
    assert [one["id"] for one in told["predictions"]] == ["r/0", "r/1", "r/2"]
    assert told["predictions"][0]["probability"] == pytest.approx(sigmoid(2), rel=1e-6)
    server.stop()
    first, second, third = logged(workspace)
    assert first["request"] == rows[0]
    assert first["features"] == {"plane_seats": 100.0, "distance": 1.0, "carrier": "UA"}
    assert second["features"] == {"plane_seats": None, "distance": 1.0, "carrier": None}
    assert third["features"] == {"plane_seats": None, "distance": None, "carrier": None}
    assert first["at"] == 1385856000000000, "the clock that it was told"
    assert (first["version"], first["id"]) == (version, "r/0")


@pytest.mark.parametrize(
    ("row", "says"),
    [({"distance": "far"}, "distance"), ({"carrier": 1}, "carrier"), ({"distanc": 1}, "distanc"), ({}, "nothing")],
)
def test_what_no_request_may_carry_is_a_400_that_names_it(server, row, says):
    status, _, told = ask(server, "POST", ROWS, {"rows": [row]})
    assert (status, says in told["error"]) == (400, True)


def test_another_host_is_refused_on_every_route_and_method(server, version):
    for path in [*routes_of(server), "/nowhere", "//", "/.."]:
        for method in METHODS:
            head = f"{method} {path.replace('{version}', version)} HTTP/1.1\r\ncontent-length: 0\r\n"
            for host in ("host: evil.example\r\n", "host: 127.0.0.1.evil.example\r\n", "host:\r\n"):
                assert " 421 " in raw(server, f"{head}{host}\r\n".encode()), (method, path, host)
            assert raw(server, f"{head}\r\n".encode()).split()[1:2] != ["200"], "no host"
            assert raw(server, f"{head}host: localhost\r\nhost: evil\r\n\r\n".encode()).split()[1:2] != ["200"]
            assert " 421 " not in raw(server, f"{head}host: localhost:{server.port}\r\n\r\n".encode())


def test_what_is_no_http_is_hung_up_on_and_the_server_lives(server):
    for text in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 100,
                 b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 1_000_000 + b"\r\n\r\n",
                 b"POST /v1/late HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
                 b"POST /v1/late HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
                 b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):  # fmt: skip
        with contextlib.suppress(ConnectionError):  # it may hang up while it is being written to
            assert raw(server, text).split()[1:2] != ["200"]
    assert ask(server, "GET", "/v2/health/live")[0] == 200


def test_keys_are_asked_for_on_every_route_and_revoked_within_a_moment(project, workspace, version):
    path = workspace.keys / "api-keys.json"
    keys = ApiKeys(path)
    key, _ = keys.create("tester"), keys.create("other")
    with ServerProcess(project, workspace, api_keys=path) as server:
        right = {"authorization": f"Bearer {key}"}
        for route in ask(server, "GET", "/", **right)[2]["routes"]:
            for method in METHODS:
                target = route.replace("{version}", version)
                for wrong in (
                    "",
                    "authorization: Bearer nothing\r\n",
                    f"authorization: Basic {key}\r\n",
                    f"x-api-key: {key}\r\n",
                ):
                    text = f"{method} {target} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n{wrong}\r\n"
                    assert " 401 " in raw(server, text.encode()), (method, target, wrong)
        assert ask(server, "POST", INFER, tensors(1, 1), **right)[0] == 200
        keys.revoke("tester")
        wait_for(lambda: ask(server, "GET", "/v2", **right)[0] == 401)


def test_a_body_that_is_too_large_is_refused_said_or_not(server):
    head = b"POST /v1/late HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    assert " 413 " in raw(server, head + b"content-length: %d\r\n\r\n" % (LARGEST_BODY + 1))
    chunk = b"%x\r\n" % (1 << 20) + b" " * (1 << 20) + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as one:
        one.sendall(head + b"transfer-encoding: chunked\r\n\r\n")
        try:
            for _ in range(6):
                one.sendall(chunk)
        except ConnectionError:
            pass
        else:
            assert b" 413 " in one.makefile("rb").readline()
    assert ask(server, "GET", "/v2/health/live")[0] == 200


def test_who_sends_slowly_is_hung_up_on_and_holds_up_nobody(server):
    head = b"POST /v1/late HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"
    began = time.monotonic()
    slow_body = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    slow_body.sendall(head)
    slow_head = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    slow_head.sendall(b"GET / HT")
    assert ask(server, "POST", INFER, tensors(1, 1))[0] == 200
    assert time.monotonic() - began < BODY_SECONDS / 2
    assert b" 408 " in slow_body.makefile("rb").readline()
    assert BODY_SECONDS * 0.9 < time.monotonic() - began < BODY_SECONDS * 2
    assert b" 200 " not in slow_head.makefile("rb").readline()
    slow_body.close()
    slow_head.close()


def test_metrics_are_what_prometheus_reads(server, version):
    for _ in range(3):
        ask(server, "POST", INFER, tensors(1, 1))
    ask(server, "GET", "/nowhere")
    _, headers, text = ask(server, "GET", "/metrics")
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    samples = {
        (one.name, *sorted(one.labels.items())): one.value for family in families.values() for one in family.samples
    }
    assert samples["noria_predictions_total", ("version", version)] == 3
    assert samples["noria_requests_total", ("route", INFER), ("status", "200")] == 3
    assert samples["noria_requests_total", ("route", "none"), ("status", "404")] == 1
    assert samples["noria_request_seconds_count", ("route", INFER)] == 3
    assert samples["noria_request_seconds_bucket", ("le", "+Inf"), ("route", INFER)] == 3
    buckets = [one.value for one in families["noria_request_seconds"].samples
               if one.name.endswith("_bucket") and one.labels["route"] == INFER]  # fmt: skip
    assert buckets == sorted(buckets)
    assert samples["noria_route_share", ("version", version)] == 1
    assert families["noria_request_seconds"].type == "histogram"
    assert all(family.documentation for family in families.values())


def test_everything_that_was_answered_is_in_the_log_after_a_stop(server, workspace):
    answered = ask_from_threads(server, stop=lambda count: count >= 400)
    server.stop()
    lines = {one["id"]: one for one in logged(workspace)}
    assert len(answered) == len(lines) == len({one["id"] for one in answered})
    for one in answered:
        assert lines[one["id"]]["probability"] == one["outputs"][0]["data"][0]
        assert lines[one["id"]]["version"] == one["model_version"]


def test_after_a_kill_the_log_holds_whole_lines_and_goes_on(project, workspace, version):
    server = ServerProcess(project, workspace)
    server.start()
    first = ask_from_threads(server, stop=lambda count: count >= 200)
    time.sleep(0.3)  # what was answered this long ago is written
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    [segment] = (workspace.serving / "late" / "log").glob("*.jsonl")
    with open(segment, "ab") as file:
        file.write(b'{"id": "torn')
    with ServerProcess(project, workspace) as again:
        second = ask(again, "POST", INFER, tensors(1, 1))[2]
    ids = [one["id"] for one in logged(workspace)]
    assert ids == list(dict.fromkeys(ids))
    assert {one["id"] for one in first} | {second["id"]} == set(ids)


def test_routes_are_swapped_between_two_requests(server, workspace, version, make):
    other = make(-0.01)
    seen = []

    def enough(count):
        if count == 100:
            write_routes(workspace.serving / "late", Routes({other: 1.0}))
        return count >= 100 and len(seen) and seen[-1] == other

    answers = ask_from_threads(server, stop=enough, seen=seen)
    assert {one["model_version"] for one in answers} == {version, other}
    for one in answers:
        expected = sigmoid(2) if one["model_version"] == version else sigmoid(0)
        assert one["outputs"][0]["data"] == pytest.approx([expected], rel=1e-6), (
            "the answer is of the version that it names"
        )
    assert ask(server, "GET", "/v2/models/late")[2]["versions"] == [other]
    assert ask(server, "GET", f"/v2/models/late/versions/{version}")[0] == 404


def test_a_canary_gets_its_share(server, workspace, version, make):
    canary = make(-0.01)
    write_routes(workspace.serving / "late", Routes({version: 0.9, canary: 0.1}))
    wait_for(lambda: len(ask(server, "GET", "/")[2]["shares"]) == 2)
    thousands = [{"rows": [{"distance": start + n} for n in range(1000)]} for start in (0, 1000, 2000)]
    told = [one for rows in thousands for one in ask(server, "POST", ROWS, rows)[2]["predictions"]]
    share = sum(one["version"] == canary for one in told) / len(told)
    assert abs(share - 0.1) < 0.03
    again = ask(server, "POST", ROWS, thousands[0])[2]["predictions"]
    assert [one["version"] for one in again] == [one["version"] for one in told[:1000]]


def damage(workspace, version):
    [folder] = workspace.packages.glob(f"{version}*")
    with open(folder / "model.onnx", "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\xff")


def test_a_damaged_package_beside_a_good_one(project, workspace, version, make):
    broken = make(-0.01)
    damage(workspace, broken)
    write_routes(workspace.serving / "late", Routes({version: 0.5, broken: 0.5}))
    with ServerProcess(project, workspace) as server:
        assert ask(server, "GET", "/")[2]["shares"] == {version: 1.0}
        assert {ask(server, "POST", INFER, tensors(n, 1))[2]["model_version"] for n in range(20)} == {version}
        assert b'noria_failures_total{what="routes"} 1.0' in ask(server, "GET", "/metrics")[2]


def test_new_routes_to_a_damaged_package_change_nothing(server, workspace, version, make):
    broken = make(-0.01)
    damage(workspace, broken)
    write_routes(workspace.serving / "late", Routes({broken: 1.0}))
    wait_for(lambda: b'noria_failures_total{what="routes"}' in ask(server, "GET", "/metrics")[2])
    assert ask(server, "POST", INFER, tensors(1, 1))[2]["model_version"] == version
    assert ask(server, "GET", "/v2/health/ready")[0] == 200


def test_what_it_does_not_start_for_is_said_where_it_was_started(project, workspace, make):
    with pytest.raises(GateError, match="no version is promoted"):
        ServerProcess(project, workspace).start()
    only = make(0.01)
    damage(workspace, only)
    write_routes(workspace.serving / "late", Routes({only: 1.0}))
    with pytest.raises(IntegrityError, match="not the one that was signed"):
        ServerProcess(project, workspace).start()


def test_it_ends_with_whoever_started_it(server):
    process = server._process
    process.stdin.close()
    assert process.wait(20) == 0


def ask_from_threads(server, stop, seen=None, threads=4):
    """The answers to as many questions as it takes until `stop` says so, over kept connections; each must be a 200."""
    answers, errors, lock = [], [], threading.Lock()
    body = json.dumps(tensors(100, 1)).encode()

    def work():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        try:
            while not errors:
                connection.request("POST", INFER, body, {"content-type": "application/json"})
                answer = connection.getresponse()
                told = json.loads(answer.read())
                assert answer.status == 200, told
                with lock:
                    answers.append(told)
                    if seen is not None:
                        seen.append(told["model_version"])
                    if stop(len(answers)):
                        return
                    assert len(answers) < 50_000, "it never comes about"
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    started = [threading.Thread(target=work) for _ in range(threads)]
    for one in started:
        one.start()
    for one in started:
        one.join()
    assert errors == []
    return answers
