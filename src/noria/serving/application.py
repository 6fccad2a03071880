"""The application: from a request to its answer. No route changes anything."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from noria import __version__
from noria.core import Clock, DataError
from noria.serving.answer import Answer, Refusal, plain_text, refused, told
from noria.serving.fleet import Fleet, Loaded
from noria.serving.guard import Guard
from noria.serving.log import Answered, PredictionLog
from noria.serving.metrics import Metrics
from noria.serving.rows import Predicted, Predictions, Row, read_rows, seed_of
from noria.serving.tensors import Inferred, Probability, matrices_of, read_inference

LARGEST_BODY = 4 << 20
BODY_SECONDS = 10.0
_VERSION = "{version}"
_logger = logging.getLogger("noria.serving")

Handler = Callable[[bytes, str, str], Answer]


class Application:
    """Answers the requests of one endpoint, as an RSGI application.

    Parameters
    ----------
    name : str
        The endpoint's.
    fleet : Fleet
        What answers; may be replaced between two requests.
    guard, log, metrics, clock
        Who may ask, where answers are written, what is counted, when now is.

    Attributes
    ----------
    table : mapping of str to mapping of str to handler
        Every path, ``{version}`` standing for a version, and its methods.
    """

    def __init__(self, name: str, fleet: Fleet, guard: Guard, log: PredictionLog, metrics: Metrics, clock: Clock):
        self.fleet = fleet
        self.draining = False
        self.metrics = metrics
        self._name, self._guard, self._log, self._clock = name, guard, log, clock
        self._reading: dict[asyncio.Task[Any] | None, float] = {}
        self._ids = map(f"{secrets.token_hex(6)}-{{:x}}".format, itertools.count(1))
        model = f"/v2/models/{name}"
        self._versions = f"{model}/versions/"
        self.table: dict[str, dict[str, Handler]] = {
            "/": {"GET": self._root},
            "/metrics": {"GET": self._metrics},
            "/v2": {"GET": self._server},
            "/v2/health/live": {"GET": self._live},
            "/v2/health/ready": {"GET": self._ready},
            model: {"GET": self._model},
            f"{model}/ready": {"GET": self._ready},
            f"{model}/infer": {"POST": self._infer},
            f"{self._versions}{_VERSION}": {"GET": self._model},
            f"{self._versions}{_VERSION}/ready": {"GET": self._ready},
            f"{self._versions}{_VERSION}/infer": {"POST": self._infer},
            f"/v1/{name}": {"POST": self._rows},
        }

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        began = time.perf_counter()
        request = next(self._ids)
        route = "none"
        try:
            headers, method = scope.headers, scope.method
            self._guard.check(headers)
            route, methods, version = self._find(scope.path)
            handler = methods.get(method)
            if handler is None:
                raise Refusal(405, "this path does not know that method", ("allow", ", ".join(methods)))
            body = await self._read(headers, protocol) if method == "POST" else b""
            answer = handler(body, version, request)
        except Refusal as refusal:
            answer = refused(refusal, request)
        except Exception:
            _logger.exception("request %s failed", request)
            self.metrics.failures["internal"] += 1
            answer = refused(Refusal(500, "the server failed; its log says why under this id"), request)
        protocol.response_bytes(answer.status, answer.headers, answer.body)
        self.metrics.count(route, answer.status, time.perf_counter() - began)

    async def _read(self, headers: Any, protocol: Any) -> bytes:
        """The body of a request that says that it is JSON, up to a size and within a time."""
        chunked = _refuse_head(headers)
        task = asyncio.current_task()
        self._reading[task] = time.monotonic()
        try:
            return await _read_chunks(protocol) if chunked else await protocol()
        except asyncio.CancelledError:
            if task is None or task in self._reading:
                raise
            task.uncancel()
            raise Refusal(408, f"the body took longer than {BODY_SECONDS:g} s", ("connection", "close")) from None
        finally:
            self._reading.pop(task, None)

    def give_up_slow_bodies(self) -> None:
        """Stop waiting for bodies that take too long. To be called now and then: a timer a request would cost more."""
        late = time.monotonic() - BODY_SECONDS
        while self._reading:
            task, began = next(iter(self._reading.items()))  # the oldest
            if began > late:
                return
            del self._reading[task]
            if task is not None:
                task.cancel()

    def _find(self, path: str) -> tuple[str, dict[str, Handler], str]:
        """The route of a path, its methods, and the version that the path names."""
        methods = self.table.get(path)
        if methods is not None and _VERSION not in path:
            return path, methods, ""
        if path.startswith(self._versions):
            version, slash, action = path[len(self._versions) :].partition("/")
            route = f"{self._versions}{_VERSION}{slash}{action}"
            if route in self.table and version in self.fleet.versions:
                return route, self.table[route], version
        raise Refusal(404, "there is nothing here")

    # What follows are the handlers: (body, version that the path names, the request's id) -> Answer.

    def _root(self, body: bytes, version: str, request: str) -> Answer:
        return told({"name": "noria", "version": __version__, "endpoint": self._name, "shares": self.fleet.shares,
                     "routes": list(self.table)})  # fmt: skip

    def _metrics(self, body: bytes, version: str, request: str) -> Answer:
        text = self.metrics.exposition(self._log.counts, self.fleet.shares)
        return plain_text(text, "text/plain; version=0.0.4; charset=utf-8")

    def _server(self, body: bytes, version: str, request: str) -> Answer:
        return told({"name": "noria", "version": __version__, "extensions": []})

    def _live(self, body: bytes, version: str, request: str) -> Answer:
        return told({"live": True})

    def _ready(self, body: bytes, version: str, request: str) -> Answer:
        if self.draining:
            raise Refusal(503, "the server is stopping", ("retry-after", "1"))
        return told({"name": self._name, "ready": True})

    def _model(self, body: bytes, version: str, request: str) -> Answer:
        loaded = self._choose(version, request.encode())
        inputs = [("numbers", "FP32", loaded.numbers), ("categories", "BYTES", loaded.categories)]
        return told({
            "name": self._name, "versions": list(self.fleet.versions), "platform": "onnxruntime_onnx",
            "inputs": [{"name": name, "datatype": kind, "shape": [-1, len(names)], "parameters": {"features": names}}
                       for name, kind, names in inputs if names],
            "outputs": [{"name": "probability", "datatype": "FP64", "shape": [-1]}],
        })  # fmt: skip

    def _infer(self, body: bytes, version: str, request: str) -> Answer:
        asked = read_inference(body)
        loaded = self._choose(version, asked.id.encode() or body)
        numbers, categories = matrices_of(asked, loaded)
        request = asked.id or request
        names = _names(request, len(numbers))
        scores = self._score(loaded, names, (), numbers, categories, self._clock.micros())
        return told(Inferred(self._name, loaded.version, request, [Probability([len(scores)], scores)]))

    def _rows(self, body: bytes, version: str, request: str) -> Answer:
        asked = read_rows(body)
        names = _names(asked.id or request, len(asked.rows))
        at = self._clock.micros()
        made: dict[int, Predicted] = {}
        parts = [(loaded, places, self._fetch(loaded, [asked.rows[place] for place in places], at))
                 for loaded, places in self._split(asked.rows, names if asked.id else None)]  # fmt: skip
        for loaded, places, (numbers, categories) in parts:
            ids, rows = [names[place] for place in places], [asked.rows[place] for place in places]
            scores = self._score(loaded, ids, rows, numbers, categories, at)
            for place, name, score in zip(places, ids, scores, strict=True):
                made[place] = Predicted(name, score, loaded.version)
        return told(Predictions([made[place] for place in range(len(names))]))

    def _score(
        self, loaded: Loaded, ids: Sequence[str], rows: Sequence[Row], numbers: Any, categories: Any, at: int
    ) -> list[float]:
        """Answer rows of one version, and leave word of it."""
        scores: list[float] = loaded.package.score(numbers, categories).tolist()
        self._log.append(Answered(ids, at, loaded.version, scores, rows, loaded.names, numbers, categories))
        self.metrics.predictions[loaded.version] += len(ids)
        return scores

    def _choose(self, version: str, seed: bytes) -> Loaded:
        if version:
            return self.fleet.versions[version]
        fleet = self.fleet
        return fleet.only or fleet.pick(seed)

    def _split(self, rows: Sequence[Row], names: Sequence[str] | None) -> list[tuple[Loaded, Sequence[int]]]:
        """Which version answers which rows."""
        only = self.fleet.only
        if only is not None:
            return [(only, range(len(rows)))]
        places: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            seed = names[place].encode() if names else seed_of(row)
            places.setdefault(self.fleet.pick(seed).version, []).append(place)
        return [(self.fleet.versions[version], its) for version, its in places.items()]

    def _fetch(self, loaded: Loaded, rows: Sequence[Row], at: int) -> tuple[Any, Any]:
        """The features of rows; a fault of the store is not the asker's, and may pass."""
        try:
            if loaded.features is not None:
                return loaded.package.matrices(loaded.features.columns(rows, at))
        except DataError as error:
            where = f": {error.place}" if error.place else ""
            raise Refusal(400, f"{error.message}{where}{f'; {error.mend}' if error.mend else ''}") from None
        except Exception:
            _logger.exception("features cannot be fetched")
        self.metrics.failures["features"] += 1
        raise Refusal(503, "features cannot be fetched now", ("retry-after", "1"))


def _names(request: str, rows: int) -> list[str]:
    """The ids of the predictions of a request."""
    return [request] if rows == 1 else [f"{request}/{row}" for row in range(rows)]


def _refuse_head(headers: Any) -> bool:
    """Refuse a body by what its head says; whether it comes in chunks, of a length that is not said."""
    kind = headers.get("content-type", "")
    if kind != "application/json" and kind.partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "the body must be application/json")
    if headers.get("content-encoding"):
        raise Refusal(415, "the body must not be compressed")
    length = headers.get("content-length")
    if length is None or headers.get("transfer-encoding") is not None:
        return True
    if not (length.isascii() and length.isdigit()):
        raise Refusal(400, "the length of the body is not a number")
    if len(length) > 9 or int(length) > LARGEST_BODY:
        raise Refusal(413, f"a body has at most {LARGEST_BODY:,} bytes")
    return False


async def _read_chunks(protocol: Any) -> bytes:
    body = bytearray()
    async for chunk in protocol:
        body += chunk
        if len(body) > LARGEST_BODY:
            raise Refusal(413, f"a body has at most {LARGEST_BODY:,} bytes")
    return bytes(body)
