"""Files from real servers: OpenSSH, S3 (moto), Google's and Azure's stores (their emulators), a web server that breaks.

Each starts its own server on a free port, and stops and starts it in the middle of a read.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest

import noria as nr
from noria.core import DataError, DeclarationError, MissingExtra, NoriaError, TransientError
from noria.declarations import Incremental, Source
from noria.sources import Ask, connector, fingerprint, read
from noria.testing import SourceSuite

ROWS = pl.DataFrame({"n": range(200_000), "text": [f"row {n}" for n in range(200_000)]})


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def answers(port: int, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.fail(f"no server at port {port}")


def missing(what: str):
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing")


def names_of(source: Source, since=None) -> tuple[list[str], dict]:
    """The places that are read, and the state after them."""
    batches = list(connector(source).batches(Ask(source, Path("/")), since))
    assert batches
    return sorted({batch.place.rpartition("/")[2] for batch in batches if len(batch.frame)}), batches[-1].state


# ------------------------------------------------------------------------------------------------------------- SFTP


class SshServer:
    """OpenSSH's own server, for this user, with a configuration and keys of its own."""

    def __init__(self, folder: Path):
        self.folder, self.port = folder, free_port()
        self.data = folder / "data"
        self.data.mkdir()
        for name, kind in (("host", "ed25519"), ("user", "ed25519"), ("stranger", "ed25519"), ("rsa", "rsa")):
            more = ["-N", "open sesame"] if name == "rsa" else ["-N", ""]
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-f", folder / name, *more], check=True)
        (folder / "authorized_keys").write_text((folder / "user.pub").read_text() + (folder / "rsa.pub").read_text())
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile {folder}/pid\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\nPermitRootLogin yes\n"
        )
        self._process = None

    def start(self) -> None:
        Path("/run/sshd").mkdir(exist_ok=True)
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", self.folder / "config"], stderr=log, start_new_session=True
        )
        answers(self.port)

    def stop(self) -> None:
        """Stop it and all its sessions, as a machine that goes down does."""
        if self._process is not None:
            children = subprocess.run(
                ["ps", "-o", "pid=", "--ppid", str(self._process.pid)], capture_output=True, text=True, check=False
            ).stdout.split()
            for child in children:
                inner = subprocess.run(
                    ["ps", "-o", "pid=", "--ppid", child], capture_output=True, text=True, check=False
                ).stdout.split()
                for pid in (*inner, child):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
            self._process.kill()
            self._process.wait()
            self._process = None

    def url(self, path: str) -> str:
        return f"sftp://127.0.0.1:{self.port}{self.data}/{path}"

    def sign_in(self, **more):
        user = os.environ.get("USER") or "root"
        host_key = " ".join((self.folder / "host.pub").read_text().split()[:2])
        return nr.ssh(**{"user": user, "key": nr.secret("SSH_KEY"), "host_key": host_key} | more)


@pytest.fixture(scope="module")
def ssh_server(tmp_path_factory):
    if not Path("/usr/sbin/sshd").exists() or shutil.which("ssh-keygen") is None:
        missing("OpenSSH's server")
    server = SshServer(tmp_path_factory.mktemp("ssh"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def sftp(ssh_server, monkeypatch):
    for file in sorted(ssh_server.data.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
    monkeypatch.setenv("SSH_KEY", (ssh_server.folder / "user").read_text())
    monkeypatch.setenv("SSH_RSA", (ssh_server.folder / "rsa").read_text())
    monkeypatch.setenv("SSH_STRANGER", (ssh_server.folder / "stranger").read_text())
    monkeypatch.setenv("SSH_WORDS", "open sesame")
    return ssh_server


class TestSftp(SourceSuite):
    @pytest.fixture
    def source(self, sftp):
        (sftp.data / "a.csv").write_text("n\n1\n2\n")
        return Source("parcels", nr.files(sftp.url("a.csv"), sign_in=sftp.sign_in()), tries=1)

    @pytest.fixture
    def change(self, sftp):
        return lambda: (sftp.data / "a.csv").write_text("n\n1\n2\n3\n")

    @pytest.fixture
    def gone(self, sftp):
        return (sftp.data / "a.csv").unlink


def test_sftp_reads_globs_links_and_packed_files(sftp):
    (sftp.data / "day=1").mkdir()
    (sftp.data / "day=1" / "a.csv").write_text("n\n1\n")
    (sftp.data / "day=2").mkdir()
    ROWS.head(3).write_parquet(sftp.data / "day=2" / "b.parquet")
    (sftp.data / "day=2" / "c.csv").symlink_to(sftp.data / "day=1" / "a.csv")
    (sftp.data / "circle").symlink_to(sftp.data)
    signed = sftp.sign_in()
    for path, rows in (("day=1/*.csv", 1), ("day=*/*.csv", 2), ("**/*.csv", 2), ("day=2/b.parquet", 3)):
        assert len(read(Source("s", nr.files(sftp.url(path), sign_in=signed)), Path("/"))) == rows, path
    for path in ("day=3/*.csv", "no.csv", "day=1", "no/**/*.csv"):
        with pytest.raises(DataError, match="no such file"):
            read(Source("s", nr.files(sftp.url(path), sign_in=signed)), Path("/"))


def test_sftp_knows_who_it_talks_to_and_shows_no_secret(sftp):
    (sftp.data / "a.csv").write_text("n\n1\n")
    right = " ".join((sftp.folder / "host.pub").read_text().split()[:2])
    wrong = " ".join((sftp.folder / "user.pub").read_text().split()[:2])
    known = sftp.folder / "known"
    known.write_text(f"[127.0.0.1]:{sftp.port} {right}\n")
    for good in (
        {}, {"key": nr.secret("SSH_RSA"), "passphrase": nr.secret("SSH_WORDS")},
        {"host_key": None, "known_hosts": str(known)},
    ):  # fmt: skip
        assert len(read(Source("s", nr.files(sftp.url("a.csv"), sign_in=sftp.sign_in(**good))), Path("/"))) == 1
    for bad, said in (
        ({"host_key": wrong}, "host key"),
        ({"host_key": None, "known_hosts": "/dev/null"}, "host key is not known"),
        ({"host_key": "nonsense"}, "no host key"),
        ({"key": nr.secret("SSH_STRANGER")}, "does not let us in"),
        ({"key": nr.secret("SSH_RSA")}, "key cannot be used"),
        ({"key": nr.secret("SSH_WORDS")}, "key cannot be used"),
        ({"key": None, "password": nr.secret("SSH_WORDS")}, "does not let us in"),
    ):
        with pytest.raises(DeclarationError, match=said) as caught:
            read(Source("s", nr.files(sftp.url("a.csv"), sign_in=sftp.sign_in(**bad))), Path("/"))
        assert "sesame" not in str(caught.value)
        assert "PRIVATE" not in str(caught.value)
    with pytest.raises(DeclarationError, match="no password"):
        read(Source("s", "sftp://ann:hunter2@127.0.0.1/a.csv"), Path("/"))


def test_sftp_reads_on_by_files(sftp):
    (sftp.data / "a.csv").write_text("n\n1\n")
    (sftp.data / "b.csv").write_text("n\n2\n")
    source = Source("s", nr.files(sftp.url("*.csv"), sign_in=sftp.sign_in()), incremental=Incremental())
    names, state = names_of(source)
    assert names == ["a.csv", "b.csv"]
    assert list(connector(source).batches(Ask(source, Path("/")), state)) == []
    (sftp.data / "b.csv").write_text("n\n2\n3\n")
    (sftp.data / "c.csv").write_text("n\n4\n")
    batches = list(connector(source).batches(Ask(source, Path("/")), state))
    assert [(batch.place[-5:], batch.again, batch.frame["n"].to_list()) for batch in batches] == [
        ("b.csv", True, ["2", "3"]), ("c.csv", False, ["4"]),
    ]  # fmt: skip


def test_sftp_goes_on_after_the_server_went_down_in_the_middle(sftp, monkeypatch):
    from noria.sources.transports import sftp as module

    ROWS.write_csv(sftp.data / "big.csv")
    monkeypatch.setattr(module, "_PART", 64 << 10)
    real, parts, said = module.copied, [], []

    def breaking(ask, file, read, *, extra):
        def slowly(offset):
            for chunk in read(offset):
                parts.append(offset)
                if len(parts) == 5:
                    sftp.stop()
                    threading.Timer(1, sftp.start).start()
                yield chunk

        return real(ask, file, slowly, extra=extra)

    monkeypatch.setattr(module, "copied", breaking)
    source = Source("s", nr.files(sftp.url("big.csv"), sign_in=sftp.sign_in()), tries=8, timeout="5s")
    found = pl.concat(batch.frame for batch in connector(source).batches(Ask(source, Path("/"), say=said.append)))
    assert found["n"].cast(pl.Int64).to_list() == ROWS["n"].to_list()
    assert len(set(parts)) > 1, "it went on from an offset"
    assert any("does not answer: trying again" in text for text in said)


def test_sftp_says_what_it_waits_for_when_nobody_answers(sftp):
    source = Source(
        "s", nr.files(f"sftp://127.0.0.1:{free_port()}/a.csv", sign_in=sftp.sign_in()), tries=2, timeout="1s"
    )
    said = []
    with pytest.raises(TransientError, match="does not answer"):
        list(connector(source).batches(Ask(source, Path("/"), say=said.append)))
    assert said


# ----------------------------------------------------------------------------------------------------------- stores


def objects_source(url: str, store: dict, **more) -> Source:
    return Source("s", nr.files(url, store=store), **{"timeout": "10s", **more})


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    boto3 = pytest.importorskip("boto3")
    port = free_port()
    code = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    log = (tmp_path_factory.mktemp("moto") / "log").open("wb")
    process = subprocess.Popen([sys.executable, "-c", code], stdout=log, stderr=log)
    try:
        answers(port, 40)
        url = f"http://127.0.0.1:{port}"
        keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=url, **keys)
        client.create_bucket(Bucket="shop")
        yield client, {"endpoint": url, "region": "us-east-1", "access_key_id": nr.secret("S3_KEY"),
                       "secret_access_key": nr.secret("S3_SECRET")}  # fmt: skip
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def bucket(s3, monkeypatch):
    client, store = s3
    monkeypatch.setenv("S3_KEY", "AKIDNORIATEST")
    monkeypatch.setenv("S3_SECRET", "open-sesame")
    for one in client.list_objects_v2(Bucket="shop").get("Contents", []):
        client.delete_object(Bucket="shop", Key=one["Key"])
    return client, store


class TestS3(SourceSuite):
    @pytest.fixture
    def source(self, bucket):
        bucket[0].put_object(Bucket="shop", Key="a.csv", Body=b"n\n1\n2\n")
        return objects_source("s3://shop/a.csv", bucket[1])

    @pytest.fixture
    def change(self, bucket):
        return lambda: bucket[0].put_object(Bucket="shop", Key="a.csv", Body=b"n\n1\n3\n")

    @pytest.fixture
    def gone(self, bucket):
        return lambda: bucket[0].delete_object(Bucket="shop", Key="a.csv")


def test_s3_reads_globs_and_reads_on_by_files(bucket, tmp_path):
    client, store = bucket
    ROWS.write_csv(tmp_path / "big.csv")
    client.upload_file(str(tmp_path / "big.csv"), "shop", "day=1/ü [1].csv")
    client.put_object(Bucket="shop", Key="day=2/in/b.csv", Body=b"n,text\n7,x\n")
    client.put_object(Bucket="shop", Key="day=2/.hidden.csv", Body=b"n,text\n8,x\n")
    client.put_object(Bucket="shop", Key="day=2/_SUCCESS", Body=b"")
    assert len(read(objects_source("s3://shop/**/*.csv", store), Path("/"))) == len(ROWS) + 1
    assert len(read(objects_source("s3://shop/day=?/*.csv", store), Path("/"))) == len(ROWS)
    source = objects_source("s3://shop/**/*.csv", store, incremental=Incremental())
    _, state = names_of(source)
    assert list(connector(source).batches(Ask(source, Path("/")), state)) == []
    client.put_object(Bucket="shop", Key="day=3/c.csv", Body=b"n,text\n9,y\n")
    assert names_of(source, state)[0] == ["c.csv"]
    for url in ("s3://shop/no.csv", "s3://shop/no/*.csv"):
        with pytest.raises(DataError, match="no such file"):
            read(objects_source(url, store), Path("/"))


def test_s3_refuses_settings_that_are_none_and_shows_no_secret(bucket):
    _, store = bucket
    for bad, said in (
        ({**store, "acess_key": "x"}, "cannot be used so"),
        ({**store, "region": "x\ny"}, "one line of printable"),
    ):
        with pytest.raises(NoriaError, match=said) as caught:
            read(objects_source("s3://shop/a.csv", bad, tries=1), Path("/"))
        assert "sesame" not in str(caught.value)
    with pytest.raises(DeclarationError, match="a bucket and a key"):
        read(objects_source("s3://shop", store), Path("/"))
    with pytest.raises(DeclarationError, match="has no such thing"):
        read(Source("s", nr.files("s3://shop/a.csv", sign_in=nr.ssh("ann"))), Path("/"))
    down = {**store, "endpoint": f"http://127.0.0.1:{free_port()}"}
    with pytest.raises(TransientError, match="the store does not answer"):
        read(objects_source("s3://shop/a.csv", down, tries=2), Path("/"))


def test_gs_is_read_by_the_api_that_it_shares_with_s3(bucket):
    """Google's emulators know no XML API, by which the library reads; S3's server knows the same calls."""
    client, store = bucket
    client.put_object(Bucket="shop", Key="day/a.csv", Body=b"n\n1\n", ACL="public-read")
    client.put_object(Bucket="shop", Key="day/b.csv", Body=b"n\n2\n3\n", ACL="public-read")
    source = objects_source("gs://shop/day/*.csv", {"base_url": store["endpoint"], "skip_signature": "true"}, tries=1)
    assert read(source, Path("/"))["n"].to_list() == [1, 2, 3]
    assert fingerprint(source, Path("/")).reads == "2 files, 10 bytes"


def test_az_is_read_through_its_emulator(tmp_path, monkeypatch):
    azurite = shutil.which("azurite-blob") or shutil.which("azurite-blob", path=os.environ.get("AZURITE", ""))
    if azurite is None:
        assert not os.environ.get("CI"), "CI has no azurite: npm install -g azurite"
        pytest.skip("azurite is missing: npm install -g azurite")
    obstore = pytest.importorskip("obstore")
    port, log = free_port(), (tmp_path / "log").open("wb")
    process = subprocess.Popen(
        [azurite, "--blobPort", str(port), "--inMemoryPersistence", "--skipApiVersionCheck", "--silent"],
        stdout=log, stderr=log, cwd=tmp_path,
    )  # fmt: skip
    try:
        answers(port)
        # The account of every emulator of this kind, as its documentation prints it.
        key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
        monkeypatch.setenv("AZ_KEY", key)
        url = f"http://127.0.0.1:{port}/devstoreaccount1"
        from obstore.store import AzureStore

        made = AzureStore(
            "shop", account_name="devstoreaccount1", account_key=key, endpoint=url, client_options={"allow_http": True}
        )
        _create_container(url, key)
        obstore.put(made, "day/a.csv", b"n\n1\n2\n")
        store = {"account_name": "devstoreaccount1", "account_key": nr.secret("AZ_KEY"), "endpoint": url}
        source = objects_source("az://shop/day/*.csv", store, tries=1)
        assert read(source, Path("/"))["n"].to_list() == [1, 2]
    finally:
        process.kill()
        process.wait()


def _create_container(url: str, key: str) -> None:
    """The one call of the store's API that its client library has not."""
    import base64
    import hashlib
    import hmac
    import urllib.request
    from email.utils import formatdate

    date = formatdate(usegmt=True)
    text = f"PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:2021-08-06\n" + (
        "/devstoreaccount1/devstoreaccount1/shop\nrestype:container"
    )
    signed = base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()
    request = urllib.request.Request(
        f"{url}/shop?restype=container", method="PUT",
        headers={"x-ms-date": date, "x-ms-version": "2021-08-06", "Content-Length": "0",
                 "Authorization": f"SharedKey devstoreaccount1:{signed}"},
    )  # fmt: skip
    urllib.request.urlopen(request, timeout=10).close()


# ------------------------------------------------------------------------------------------------------------- HTTP


class Web(http.server.BaseHTTPRequestHandler):
    """A web server that can be told to break off, to know no ranges, to redirect and to be busy."""

    protocol_version = "HTTP/1.1"
    content = b""
    tag = '"1"'
    breaks = 0
    ranges = True
    busy = 0
    redirect = ""
    seen: list = []
    no_head = False

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        web = type(self)
        web.seen.append((self.command, dict(self.headers)))
        if web.redirect and self.path.startswith("/there"):
            return self._head(302, {"Location": web.redirect, "Content-Length": "0"})
        if web.no_head and not body:
            return self._head(405, {"Content-Length": "0"})
        if web.busy:
            web.busy -= 1
            return self._head(503, {"Content-Length": "0"})
        if not self.path.startswith("/a"):
            return self._head(404, {"Content-Length": "0"})
        begin, status, more = 0, 200, {}
        if web.ranges and (wanted := self.headers.get("Range")):
            begin = int(wanted.removeprefix("bytes=").partition("-")[0])
            status, more = 206, {"Content-Range": f"bytes {begin}-{len(web.content) - 1}/{len(web.content)}"}
        data = web.content[begin:]
        self._head(status, {"Content-Length": str(len(data)), "ETag": web.tag, **more})
        if body:
            if web.breaks:
                web.breaks -= 1
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self.wfile.write(data)

    def _head(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def web():
    class Own(Web):
        seen = []
        content = b"n\n" + b"".join(b"%d\n" % n for n in range(100_000))

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Own.url = f"http://127.0.0.1:{server.server_port}"
    yield Own
    server.shutdown()
    server.server_close()


def web_source(web, path="/a.csv?token=hunter2", **more) -> Source:
    return Source("s", f"{web.url}{path}", **{"timeout": "2s", **more})


class TestWeb(SourceSuite):
    @pytest.fixture
    def source(self, web):
        web.content = b"n\n1\n2\n"
        return web_source(web)

    @pytest.fixture
    def change(self, web):
        return lambda: setattr(web, "tag", '"2"')


@pytest.mark.parametrize("ranges", [True, False])
def test_the_web_goes_on_where_an_answer_broke_off(web, ranges):
    web.breaks, web.ranges = 3, ranges
    found = read(web_source(web, tries=3 if ranges else 4), Path("/"))
    assert found["n"].to_list() == list(range(100_000))
    assert [headers.get("Range") for command, headers in web.seen if command == "GET"][1].startswith("bytes=")


def test_the_web_is_busy_gone_or_changed(web):
    web.busy = 2
    assert len(read(web_source(web, tries=4), Path("/"))) == 100_000
    with pytest.raises(DataError, match="404") as caught:
        read(web_source(web, "/b.csv?token=hunter2"), Path("/"))
    assert "hunter2" not in str(caught.value)
    web.busy = 99
    with pytest.raises(TransientError, match="503"):
        read(web_source(web, tries=2), Path("/"))
    web.busy = 0
    batches = connector(web_source(web, tries=1)).batches(Ask(web_source(web, tries=1), Path("/")))
    web.content, web.breaks = web.content * 2, 0
    assert sum(len(batch.frame) for batch in batches) > 100_000
    web.no_head = True
    assert fingerprint(web_source(web), Path("/")).digest


def test_the_web_is_not_followed_to_another_host(web):
    web.redirect = f"{web.url}/a.csv"
    assert len(read(web_source(web, "/there.csv"), Path("/"))) == 100_000
    web.redirect = web.url.replace("127.0.0.1", "localhost") + "/a.csv"
    with pytest.raises(DataError, match="redirects to another host") as caught:
        read(web_source(web, "/there.csv"), Path("/"))
    assert "hosts=" in str(caught.value)
    allowed = Source("s", nr.files(f"{web.url}/there.csv", hosts="localhost"))
    assert len(read(allowed, Path("/"))) == 100_000
    web.redirect = f"{web.url}/there.csv"
    with pytest.raises(DataError, match="in a circle"):
        read(web_source(web, "/there.csv"), Path("/"))
    with pytest.raises(DeclarationError, match="everybody on the way"):
        read(Source("s", nr.files(f"{web.url}/a.csv", sign_in=nr.bearer(nr.secret("T")))), Path("/"))


def test_hdfs_says_what_is_missing():
    """Hadoop's client is at hand nowhere here; what is tested is that its absence is said."""
    try:
        with pytest.raises((DeclarationError, TransientError, MissingExtra)):
            read(Source("s", "hdfs://127.0.0.1:1/a.csv", tries=1), Path("/"))
    except ImportError:
        pytest.skip("this Arrow has no Hadoop")
