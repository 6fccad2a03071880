"""A lake on S3 does what every lake must do, with safe commits; moto is the server."""

import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from noria.testing import LakeSuite

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
