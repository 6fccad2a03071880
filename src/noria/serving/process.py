"""ServerProcess: a server of its own process, for whoever needs one for a while."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from noria import core
from noria.core import NoriaError, TransientError
from noria.declarations import Project
from noria.workspace import Workspace


class ServerProcess:
    """A server that runs while the ``with`` block does, on a free port of this machine.

    It ends with this process, however that ends, because it watches the pipe between them.

    Parameters
    ----------
    project : Project
        Its endpoint is served.
    workspace : Workspace
        Where its state lives.
    clock : Path, optional
        The file of a `noria.core.ToldClock`; the wall by default.
    hosts : sequence of str
        Host names to answer to, beside the endpoint's.
    api_keys : Path, optional
        The file of API keys.
    patience : float
        Seconds to wait for the server to be ready, and again for it to end.

    Attributes
    ----------
    port : int
        Where it listens, on 127.0.0.1.
    url : str
        ``http://127.0.0.1:<port>``.
    pid : int
        Of its process.

    Raises
    ------
    NoriaError
        On entering: whatever the server refuses to start for, or `TransientError` where it is not ready in time.
    """

    def __init__(
        self,
        project: Project,
        workspace: Workspace,
        *,
        clock: Path | None = None,
        hosts: Sequence[str] = (),
        api_keys: Path | None = None,
        patience: float = 30.0,
    ):
        self.port = 0
        self._patience = patience
        self._given = {
            "endpoint": project.endpoint.name,
            "hosts": [*project.endpoint.hosts, *hosts],
            "workspace": {name: str(value) for name, value in asdict(workspace).items()},
            "api_keys": api_keys and str(api_keys),
            "clock": clock and str(clock),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> ServerProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "noria.serving"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(self._given).encode() + b"\n")
            self._process.stdin.flush()
            said = self._hear()
        except BaseException:
            self._process.kill()
            self._end()
            raise
        if "error" in said:
            self._end()
            raise _as_error(said["error"])
        self.port = int(said["port"])

    def stop(self) -> None:
        """Let it answer what has begun and write its log, then end."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(self._patience)
        except subprocess.TimeoutExpired:
            process.kill()
        self._end()

    def _hear(self) -> dict[str, Any]:
        """The one line that the server says: its port, or why it does not start."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        deadline = time.monotonic() + self._patience
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        line = process.stdout.readline() if ready else b""
        try:
            said = json.loads(line)
        except ValueError:
            raise TransientError(
                "the server did not start" if ready else f"the server was not ready after {self._patience:g} s",
                place=f"process {process.pid}",
                mend="its last words are on the terminal",
            ) from None
        assert isinstance(said, dict)
        return said

    def _end(self) -> None:
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process.wait()
            self._process = None


def _as_error(said: dict[str, Any]) -> NoriaError:
    kind = getattr(core, said["kind"], NoriaError)
    error: NoriaError = kind(said["message"], place=said["place"], value=said["value"], mend=said["mend"])
    return error
