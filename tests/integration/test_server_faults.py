"""Servers that are stopped and started in the middle of a load by ``noria run``: each row is there exactly once."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.sql_servers import _missing, free_port, mariadb, postgres

from noria.lake import open_lake

FEW, MANY = 10, 40_000
PROJECT = """
import noria as nr
data = nr.Source(
    "data", {origin}, event_time="at", known_before="at", columns={{"at": "TIMESTAMP '2026-01-01'"}},
    incremental={how}, tries={tries}, timeout="10s",
    contract=nr.Contract(rules=[nr.expression("n % 7 <> 0", on_fail="quarantine")]))
project = nr.Project(
    "small", endpoint=nr.Endpoint("e"),
    spine=nr.Spine(data, time="at", label="n > 5", features={{"hour": "EXTRACT(HOUR FROM at)"}}),
    search=nr.Search("binary", split=nr.TimeSplit(
        train_until="2026-02-01", validate_until="2026-03-01", test_until="2026-04-01")))
"""


class Between:
    """Stands between a load and its server, and does something once so many bytes came from there."""

    def __init__(self, port: int):
        self.port, self._to = free_port(), port
        self._left, self._then = -1, None
        self._listens = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._take, args=(self._listens,), daemon=True).start()

    def after(self, count, then):
        self._left, self._then = count, then

    @property
    def done(self):
        return self._left < 0

    def close(self):
        with contextlib.suppress(OSError):
            self._listens.shutdown(socket.SHUT_RDWR)
        self._listens.close()

    def _take(self, listens):
        while True:
            try:
                here, _ = listens.accept()
            except OSError:
                return
            try:
                there = socket.create_connection(("127.0.0.1", self._to), timeout=5)
                there.settimeout(None)
            except OSError:
                here.close()
                continue
            threading.Thread(target=self._carry, args=(here, there, False), daemon=True).start()
            threading.Thread(target=self._carry, args=(there, here, True), daemon=True).start()

    def _carry(self, one, other, counts):
        with contextlib.suppress(OSError):
            while some := one.recv(1 << 14):
                if counts and self._left >= 0:
                    self._left -= len(some)
                    if self._left < 0:
                        self._then()
                other.sendall(some)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
                end.close()


class Postgres:
    """Rows 1, 2, … of a table."""

    def __init__(self, stack, folder):
        self.server = stack.enter_context(postgres())
        self.server.sql("CREATE TABLE rows (n bigint PRIMARY KEY, note text)")
        self.port, self.start, self.stop = self.server.port, self.server.start, self.server.stop

    def origin(self, port):
        return f'nr.sql("postgresql://127.0.0.1:{port}/postgres", table="rows", user="root")'

    how = 'nr.Incremental("n")'

    def grow(self, first, last):
        self.server.sql(f"INSERT INTO rows SELECT g, repeat('x', 100) FROM generate_series({first}, {last}) g")


class Maria:
    """The same on MariaDB, which names a socket: a client that took it would leave what stands between."""

    def __init__(self, stack, folder):
        self.server = stack.enter_context(mariadb())
        self.server.sql("CREATE TABLE shop.many (n bigint PRIMARY KEY, note text)")
        self.port, self.start, self.stop = self.server.port, self.server.start, self.server.stop

    def origin(self, port):
        return f'nr.sql("mariadb://127.0.0.1:{port}/shop", table="many", user="reader")'

    how = 'nr.Incremental("n")'

    def grow(self, first, last):
        self.server.sql(f"USE shop; INSERT INTO many SELECT seq, SHA2(seq, 512) FROM seq_{first}_to_{last}")


class Process:
    """A server that is a process of its own."""

    command: list[str]
    port: int

    def start(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL, start_new_session=True)
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def stop(self):
        # It and all its sessions, as a machine that goes down does.
        listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        parents = {int(pid): int(parent) for pid, parent in (line.split() for line in listed.splitlines())}
        mine = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in mine} - mine:
            mine |= more
        for pid in mine:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        self.process.wait()


class Sftp(Process):
    """Files of rows on an OpenSSH server."""

    def __init__(self, stack, folder):
        if not Path("/usr/sbin/sshd").exists() or shutil.which("ssh-keygen") is None:
            _missing("OpenSSH's server")
        self.folder, self.port = folder, free_port()
        (folder / "root").mkdir()
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\nPermitRootLogin yes\n"
        )
        self.command = ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")]
        Path("/run/sshd").mkdir(exist_ok=True)
        self.start()
        stack.callback(self.stop)

    how = "nr.Incremental()"

    def origin(self, port):
        host = " ".join((self.folder / "host.pub").read_text().split()[:2])
        user = os.environ.get("USER") or "root"
        return (f'nr.files("sftp://127.0.0.1:{port}{self.folder}/root/*.csv", sign_in=nr.ssh("{user}", '
                f'key=nr.secret("file:{self.folder}/user"), host_key="{host}"))')  # fmt: skip

    def grow(self, first, last):
        for start in range(first, last + 1, 10_000):
            rows = "".join(f"{n},{'x' * 100}\n" for n in range(start, min(start + 9_999, last) + 1))
            (self.folder / "root" / f"{start:08}.csv").write_text("n,note\n" + rows)


API = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        asked, last = parse_qs(urlsplit(self.path).query), int(Path(sys.argv[2]).read_text())
        after = int(asked.get("after", ["0"])[0])
        page = [{"n": n, "note": "x" * 100} for n in range(after + 1, min(after + 2000, last) + 1)]
        text = json.dumps({"rows": page, "next": page[-1]["n"] if len(page) == 2000 else None}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *words):
        pass
class Server(ThreadingHTTPServer):
    allow_reuse_address = True
Server(("127.0.0.1", int(sys.argv[1])), Api).serve_forever()
"""


class Rest(Process):
    """Pages of rows of a REST API."""

    def __init__(self, stack, folder):
        self.port, self.held = free_port(), folder / "held"
        self.held.write_text("0")
        self.command = [sys.executable, "-c", API, str(self.port), str(self.held)]
        self.start()
        stack.callback(self.stop)

    how = 'nr.Incremental("n")'

    def origin(self, port):
        return (f'nr.rest("http://127.0.0.1:{port}", "/rows", rows="$.rows[*]", in_the_clear=True, '
                'paginate=nr.cursor("next", param="after"))')  # fmt: skip

    def grow(self, first, last):
        self.held.write_text(str(last))


def run(project):
    """One ingest, as a user runs it."""
    command = [sys.executable, "-c", "from noria.cli import main; main()", "run", str(project), "--only", "ingest:data"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def numbers(folder):
    """The numbers of all rows that are there, kept and set aside."""
    lake = open_lake(f"file://{folder}/.noria/lake")
    return sorted(n for table in ("data", "data__quarantine") for n in lake.read(table).collect()["n"])


@pytest.mark.parametrize("kind", [Postgres, Maria, Sftp, Rest])
def test_a_server_that_stops_in_the_middle_of_a_load_costs_no_row(tmp_path, kind):
    """It comes back soon, or stays away."""
    with contextlib.ExitStack() as stack:
        (tmp_path / "server").mkdir()
        server = kind(stack, tmp_path / "server")
        between = Between(server.port)
        stack.callback(between.close)
        folder = tmp_path / "project"
        folder.mkdir()
        project = folder / "project.py"
        project.write_text(PROJECT.format(origin=server.origin(between.port), how=server.how, tries=10))
        server.grow(1, FEW)
        done = run(project)
        assert done.returncode == 0, done.stderr
        assert numbers(folder) == list(range(1, FEW + 1))

        # It stops while it answers, and comes back soon: that is waited for, or said.
        server.grow(FEW + 1, MANY)
        back = threading.Timer(1.0, server.start)

        def stops():
            server.stop()
            back.start()

        between.after(300_000, stops)
        done = run(project)
        said = done.stdout + done.stderr
        assert between.done, f"it stopped in the middle: {said}"
        back.join()
        assert done.returncode in (0, 4), said
        assert "Traceback" not in said
        if done.returncode == 4:
            assert numbers(folder) == list(range(1, FEW + 1)), "nothing was written"
            assert str(between.port) in said
            done = run(project)
            assert done.returncode == 0, done.stdout + done.stderr
        assert numbers(folder) == list(range(1, MANY + 1))

        # It stops and stays away: the run ends, and says what it waited for.
        server.grow(MANY + 1, MANY + FEW)
        project.write_text(PROJECT.format(origin=server.origin(between.port), how=server.how, tries=2))
        server.stop()  # what stands between goes on: it takes connections, and ends them at once
        try:
            done = run(project)
        finally:
            server.start()
        said = done.stdout + done.stderr
        assert done.returncode == 4, said
        assert "Traceback" not in said
        assert str(between.port) in said
        assert numbers(folder) == list(range(1, MANY + 1))
        done = run(project)
        assert done.returncode == 0, done.stdout + done.stderr
        assert numbers(folder) == list(range(1, MANY + FEW + 1))
