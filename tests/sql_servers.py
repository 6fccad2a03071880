"""Servers that tests start, stop and start again: PostgreSQL with a log of changes, and MariaDB."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _as(user: str, *command: str) -> list[str]:
    return ["runuser", "-u", user, "--", *command] if os.getuid() == 0 else list(command)


def _missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"{what} is not installed")


class Postgres:
    """A cluster of its own on a free port, which trusts everybody but the user ``locked``."""

    def __init__(self, folder: Path) -> None:
        bins = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
        if not bins:
            _missing("PostgreSQL")
        self.bin, self.data, self.port = bins[-1].parent, folder / "data", free_port()
        self._run("initdb", "-D", str(self.data), "-U", "root", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        with open(self.data / "postgresql.conf", "a") as settings:
            settings.write(
                f"port={self.port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\nfsync=off\n"
                "wal_level=logical\nmax_connections=40\nmax_prepared_transactions=4\nshared_buffers=64MB\n"
                "logging_collector=on\n"
            )
        hosts = (self.data / "pg_hba.conf").read_text()
        (self.data / "pg_hba.conf").write_text(f"host all locked 127.0.0.1/32 scram-sha-256\n{hosts}")
        self.start()

    def _run(self, command: str, *options: str) -> None:
        # Not to a pipe: the server inherits it, and nobody would see its end.
        with open(self.data.parent / "commands", "ab+") as told:
            done = subprocess.run(
                _as("postgres", str(self.bin / command), *options), stdout=told, stderr=told, check=False
            )
            told.seek(0)
            assert done.returncode == 0, told.read().decode()

    def start(self) -> None:
        self._run("pg_ctl", "-D", str(self.data), "-w", "-s", "-l", str(self.data / "started"), "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-w", "-s", "-m", mode, "stop")

    @property
    def url(self) -> str:
        return f"postgresql://127.0.0.1:{self.port}/postgres"

    def sql(self, *commands: str) -> str:
        """Run commands, each in a transaction of its own; what they print."""
        options = [part for command in commands for part in ("-c", command)]
        done = subprocess.run(
            [str(self.bin / "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "root", "-qAtX",
             "-v", "ON_ERROR_STOP=1", "postgres", *options],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A session that stays open, for transactions that overlap."""
        one = Session(self)
        try:
            yield one
        finally:
            one.close()


class Session:
    """One connection, told commands one after the other."""

    def __init__(self, server: Postgres) -> None:
        self._process = subprocess.Popen(
            [str(server.bin / "psql"), "-h", "127.0.0.1", "-p", str(server.port), "-U", "root", "-qAtX", "postgres"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def sql(self, command: str) -> None:
        """Run a command and wait until it is done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command};\n\\echo done\n")
        self._process.stdin.flush()
        while self._process.stdout.readline().strip() != "done":
            assert self._process.poll() is None

    def close(self) -> None:
        self._process.communicate("\\q\n")


class MariaDB:
    """A server of its own on a free port; the user ``reader`` has no password."""

    def __init__(self, folder: Path) -> None:
        if not shutil.which("mariadbd") or not shutil.which("mariadb-install-db"):
            _missing("MariaDB")
        self.data, self.port, self.folder = folder / "data", free_port(), folder
        options = ["--no-defaults", f"--datadir={self.data}", f"--tmpdir={folder}"]
        subprocess.run(
            _as("mysql", "mariadb-install-db", *options, "--auth-root-authentication-method=normal", "--skip-test-db"),
            capture_output=True, check=True,
        )  # fmt: skip
        self.options = [*options, f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={folder}/s",
                        "--innodb-flush-log-at-trx-commit=0", f"--log-error={folder}/log"]  # fmt: skip
        self.start()
        self.sql("CREATE USER reader", "CREATE USER locked IDENTIFIED BY 'sesam-öffne dich'",
                 "CREATE DATABASE shop", "GRANT ALL ON shop.* TO reader")  # fmt: skip

    def start(self) -> None:
        server = shutil.which("mariadbd") or "mariadbd"
        user = "mysql" if os.getuid() == 0 else None
        self.process = subprocess.Popen([server, *self.options], user=user, stderr=subprocess.DEVNULL)
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.1)
        raise AssertionError(Path(self.folder, "log").read_text())

    def stop(self) -> None:
        subprocess.run(
            ["mariadb-admin", "--no-defaults", f"--socket={self.folder}/s", "-uroot", "shutdown"], check=True
        )
        self.process.wait(30)

    @property
    def url(self) -> str:
        return f"mariadb://127.0.0.1:{self.port}/shop"

    def sql(self, *commands: str) -> str:
        done = subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={self.folder}/s", "-uroot", "-N", "-e", ";".join(commands)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextlib.contextmanager
def folder_for(user: str) -> Iterator[Path]:
    """A folder that a server's user may write."""
    path = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="noria-"))
    if os.getuid() == 0:
        with contextlib.suppress(LookupError):
            shutil.chown(path, user)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    with folder_for("postgres") as folder:
        server = Postgres(folder)
        try:
            yield server
        finally:
            with contextlib.suppress(AssertionError):
                server.stop()


@contextlib.contextmanager
def mariadb() -> Iterator[MariaDB]:
    with folder_for("mysql") as folder:
        server = MariaDB(folder)
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                server.stop()
