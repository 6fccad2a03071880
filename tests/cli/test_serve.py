"""``noria serve`` as a user starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import datetime

import numpy as np
import pytest

from noria.core import UTC, ToldClock
from noria.declarations import load_project
from noria.models import Graph, Manifest, ModelFeature
from noria.models.package import write_package
from noria.security import ApiKeys, SigningKey
from noria.serving import Routes, read_log, write_routes
from noria.workspace import workspace_of

COMMAND = [sys.executable, "-c", "from noria.cli import main; main()", "serve"]


@pytest.fixture
def workspace(project_file):
    return workspace_of(project_file)


@pytest.fixture
def promoted(project_file, workspace):
    """A version that gets all requests of the project's endpoint; the endpoint's name."""
    name = load_project(project_file).endpoint.name
    graph = Graph(numbers=1, categories=0)
    manifest = Manifest(
        format=1, name=name, created="2013-12-01T00:00:00+00:00", views=[], spine={}, metric="roc_auc", scores={},
        threshold=0.5, features=(ModelFeature("a", "number"),), inputs={}, commit="", files={},
    )  # fmt: skip
    model = graph.finish(graph.add("Sigmoid", "numbers"))
    version = write_package(
        workspace.packages, manifest, {"model.onnx": model}, SigningKey.load_or_create(workspace.keys)
    )
    write_routes(workspace.serving / name, Routes({version.name[:12]: 1.0}))
    return name


@pytest.fixture
def start(project_file):
    started = []

    def run(*options):
        process = subprocess.Popen([*COMMAND, str(project_file), *options], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def refused(start, *options):
    process = start(*options)
    out, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    return process.returncode, out, errors


def url_of(process):
    """The address that it says it serves on."""
    line = process.stdout.readline()
    assert "Ctrl-C ends it" in line, process.stderr.read()
    return line.split()[3].rpartition("/v1/")[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_answers_and_ends_well(start, promoted, workspace, number):
    ToldClock(workspace.root / "clock", start=datetime(2013, 12, 1, tzinfo=UTC))
    process = start("--port", "0", "--told-clock", str(workspace.root / "clock"))
    url = url_of(process)
    assert url.startswith("http://127.0.0.1:")
    body = {"inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "data": [1.0]}]}
    request = urllib.request.Request(f"{url}/v2/models/{promoted}/infer", json.dumps(body).encode(),
                                     {"content-type": "application/json"})  # fmt: skip
    with urllib.request.urlopen(request, timeout=20) as answer:
        told = json.loads(answer.read())
    assert told["outputs"][0]["data"] == pytest.approx([1 / (1 + np.exp(-1.0))])
    process.send_signal(number)
    assert process.wait(20) == 0
    [logged] = read_log(workspace.serving / promoted / "log")
    assert (logged.id, logged.at) == (told["id"], 1385856000000000)


def test_a_name_of_its_own_is_answered_to(start, promoted):
    process = start("--port", "0", "--name", "models.example.org")
    url = url_of(process)
    asked = urllib.request.Request(f"{url}/v2", headers={"host": "models.example.org"})
    assert urllib.request.urlopen(asked, timeout=20).status == 200
    asked = urllib.request.Request(f"{url}/v2", headers={"host": "other.example.org"})
    with pytest.raises(urllib.error.HTTPError, match="421"):
        urllib.request.urlopen(asked, timeout=20)


def test_without_a_promoted_version_it_is_6_and_says_what_to_do(start):
    code, _, errors = refused(start, "--port", "0")
    assert code == 6
    assert "no version is promoted" in errors
    assert "noria run" in errors


def test_off_this_machine_without_keys_it_is_6_and_with_one_it_serves(start, promoted, workspace):
    code, _, errors = refused(start, "--host", "0.0.0.0", "--port", "0")
    assert code == 6
    assert "needs API keys" in errors
    assert "noria key create" in errors
    key = ApiKeys(workspace.keys / "api-keys.json").create("tester")
    url = url_of(start("--host", "0.0.0.0", "--port", "0")).replace("0.0.0.0", "127.0.0.1")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{url}/v2", timeout=20)
    request = urllib.request.Request(f"{url}/v2", headers={"authorization": f"Bearer {key}"})
    assert urllib.request.urlopen(request, timeout=20).status == 200


def test_a_damaged_package_is_5(start, promoted, workspace):
    [folder] = workspace.packages.iterdir()
    with open(folder / "model.onnx", "ab") as file:
        file.write(b"x")
    code, _, errors = refused(start, "--port", "0")
    assert code == 5
    assert "not the one that was signed" in errors
    assert str(folder) in errors


def test_a_port_that_is_taken_is_8(start, promoted):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, errors = refused(start, "--port", str(taken.getsockname()[1]))
    assert code == 8
    assert "cannot listen there" in errors


@pytest.mark.parametrize("options", [["--port", "65536"], ["--port", "x"], ["--told-clock", "/no/such/file"]])
def test_a_wrong_option_is_2(start, options):
    assert refused(start, *options)[0] == 2


def test_no_project_there_is_2(tmp_path):
    done = subprocess.run([*COMMAND, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no project there" in done.stderr


def test_a_server_that_is_killed_leaves_its_port(start, promoted):
    process = start("--port", "0")
    url = url_of(process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(20)
    port = url.rpartition(":")[2]
    began = time.monotonic()
    assert url_of(start("--port", port)) == url
    assert time.monotonic() - began < 20
