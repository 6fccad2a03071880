"""Client: asks the server over HTTP on one connection that stays open, and measures how long it takes."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from noria.core import NoriaError

_TIMEOUT = 30.0
_IDLE = 2.0
"""Seconds after which a connection is not used again: a server closes idle ones, and a question must not meet that."""
_NEAR = 1e-9


@dataclass(slots=True)
class Client:
    """Asks one endpoint of a server.

    Attributes
    ----------
    host, port : str, int
        Where the server listens.
    endpoint : str
        The endpoint's name.
    requests : int
        HTTP requests so far.
    single_ms : list of float
        Milliseconds of each request that carried one question.
    """

    host: str
    port: int
    endpoint: str
    requests: int = 0
    single_ms: list[float] = field(default_factory=list)
    _connection: http.client.HTTPConnection | None = None
    _used: float = 0.0

    def ask(self, questions: Sequence[Mapping[str, Any]], number: int) -> None:
        """Ask questions of one moment in one request.

        Parameters
        ----------
        questions : sequence of mappings
            What each carries.
        number : int
            Of the first: the request's id, by which `Answers` finds them in the log again.

        Raises
        ------
        NoriaError
            The server refused, or does not answer.
        """
        import msgspec

        body = msgspec.json.encode({"rows": questions, "id": str(number)})
        began = time.perf_counter_ns()
        self._send("POST", f"/v1/{self.endpoint}", body)
        taken = (time.perf_counter_ns() - began) / 1e6
        self.requests += 1
        if len(questions) == 1:
            self.single_ms.append(taken)

    def wait_for(self, weights: Mapping[str, float]) -> None:
        """Wait until the server routes requests as it was told in its routes file.

        Raises
        ------
        NoriaError
            It does not for half a minute.
        """
        import msgspec

        deadline = time.monotonic() + _TIMEOUT
        wanted = {version: share for version, share in weights.items() if share}
        while (shares := msgspec.json.decode(self._send("GET", "/"))["shares"]).keys() != wanted.keys() or any(
            abs(shares[version] - share) > _NEAR for version, share in wanted.items()
        ):
            if time.monotonic() > deadline:
                raise NoriaError(
                    "the server does not take its new routes", value=shares, mend="see its log in the workspace"
                )
            time.sleep(0.01)

    def _send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        if time.monotonic() - self._used > _IDLE:
            self.close()
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.host, self.port, timeout=_TIMEOUT)
        try:
            self._connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = self._connection.getresponse()
            answer = response.read()
            self._used = time.monotonic()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise NoriaError(
                "the server does not answer", place=f"{self.host}:{self.port}", value=str(error)
            ) from error
        if response.status != 200:
            raise NoriaError(
                "the server refused a question of the rehearsal",
                place=path,
                value=f"{response.status}: {answer[:200].decode(errors='replace')}",
            )
        return answer

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
