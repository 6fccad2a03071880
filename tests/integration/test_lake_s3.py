"""A lake on S3 does what every lake must do, with safe commits; moto is the server."""

import contextlib
import re
import socket
import subprocess
import sys
import time
import urllib.request

import polars as pl
import pytest

from noria import features, ingest
from noria.core import DataError, ResourceError, TransientError
from noria.declarations import load_project
from noria.lake import open_lake
from noria.ledger import open_ledger
from noria.plan import plan_steps
from noria.run import execute
from noria.testing import LakeSuite
from noria.workspace import workspace_of

SECRET = "wJalrXUtnFEMI-not-a-real-key"


@pytest.fixture(scope="module")
def server():
    """A moto server in a process of its own, and the environment that leads to it."""
    pytest.importorskip("moto", reason="moto[server] is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    environment = {
        "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIATESTTESTTEST", "AWS_SECRET_ACCESS_KEY": SECRET,
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        for _ in range(200):
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                time.sleep(0.05)
        yield url
    running.kill()
    running.wait()


def made_bucket(url: str, name: str) -> str:
    urllib.request.urlopen(urllib.request.Request(f"{url}/{name}", method="PUT"), timeout=10).close()
    return f"s3://{name}"


class TestS3(LakeSuite):
    @pytest.fixture
    def url(self, server, request):
        return made_bucket(server, f"lake{abs(hash(request.node.name)):x}") + "/some/prefix"


def test_a_run_with_its_lake_on_s3(server, project_file):
    """From the source to the training set, which is all that reads or writes the lake; the second run does nothing."""
    bucket = made_bucket(server, "wholerun")
    settings = project_file.parent / "noria.toml"
    told = settings.read_text()
    assert "[workspace]" in told
    settings.write_text(re.sub(r"\[workspace\]", f'[workspace]\nlake = "{bucket}/tables"', told))
    workspace, project = workspace_of(project_file), load_project(project_file)
    steps = (*ingest.steps(project, project_file.parent), features.steps(project)[0])
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        execute(plan_steps(project, steps, workspace, ledger), workspace, ledger)
        assert plan_steps(project, steps, workspace, ledger).due == ()
    lake = open_lake(workspace.lake)
    assert "parcels" in lake.tables()
    assert lake.size("parcels", 0) > 0
    assert lake.has("parcels", 0)
    assert len(lake.versions("parcels")) == 1
    assert not (workspace.root / "lake").exists()
    kept = b"".join(file.read_bytes() for file in project_file.parent.rglob("*") if file.is_file())
    assert SECRET.encode() not in kept


def test_an_error_says_what_to_mend_and_no_secret(server):
    lake = open_lake("s3://bucketthatisnot/lake")
    for ask in (
        lambda: lake.write("t", pl.DataFrame({"n": [1]}), step_key="k"), lambda: lake.read("t"), lake.tables,
        lambda: lake.versions("t"),
    ):  # fmt: skip
        with pytest.raises((ResourceError, DataError)) as caught:
            ask()
        assert "no such" in str(caught.value)
        assert "AKIATEST" not in str(caught.value)
        assert SECRET not in str(caught.value)


def test_a_server_that_does_not_answer_is_waited_for_and_then_said(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(TransientError, match="does not answer") as caught:
        open_lake("s3://bucket/lake").tables()
    assert SECRET not in str(caught.value)
