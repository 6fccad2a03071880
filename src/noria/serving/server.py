"""The server: one process that answers for one endpoint until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from noria.core import Clock, GateError, NoriaError, ResourceError, WallClock
from noria.declarations import Project
from noria.security import public_key
from noria.serving.application import Application
from noria.serving.features import opener
from noria.serving.fleet import Fleet, Loaded, load_fleet
from noria.serving.guard import Guard
from noria.serving.log import PredictionLog
from noria.serving.metrics import Metrics
from noria.serving.routes import read_routes, routes_file
from noria.workspace import Workspace

_WATCH_SECONDS = 0.05
_RETRY_SECONDS = 5.0
_logger = logging.getLogger("noria.serving")


@dataclass(frozen=True, slots=True)
class Service:
    """What one server process is given.

    Attributes
    ----------
    endpoint : str
        Whose versions it serves.
    hosts : tuple of str
        Host names that it answers to.
    workspace : Workspace
        Where routes, packages, keys, the online store and the log are.
    host, port : str, int
        Where it listens; port 0 takes a free one.
    api_keys : Path, optional
        The file of API keys.
    """

    endpoint: str
    hosts: tuple[str, ...]
    workspace: Workspace
    host: str = "127.0.0.1"
    port: int = 0
    api_keys: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the endpoint's routes and log are."""
        return self.workspace.serving / self.endpoint


def serve(
    project: Project,
    workspace: Workspace,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    hosts: Sequence[str] = (),
    clock: Clock | None = None,
    api_keys: Path | None = None,
    ready: Callable[[int], None] = lambda port: None,
) -> None:
    """Serve a project's endpoint until SIGTERM or SIGINT; what has begun is answered and logged then.

    Parameters
    ----------
    project : Project
        Its endpoint is served.
    workspace : Workspace
        Where its state lives.
    host, port : str, int
        Where to listen. Port 0 takes a free one.
    hosts : sequence of str
        Host names to answer to, beside the endpoint's.
    clock : Clock, optional
        Where now comes from.
    api_keys : Path, optional
        The file of API keys. Where it holds one, every request needs one.
    ready : callable
        Is told the port once requests are answered.

    Raises
    ------
    GateError
        No version is promoted; or `host` is not of this machine alone and there are no API keys.
    IntegrityError
        No promoted version can be loaded.
    ResourceError
        The port is taken.
    """
    service = Service(project.endpoint.name, (*project.endpoint.hosts, *hosts), workspace, host, port, api_keys)
    asyncio.run(run(service, clock or WallClock(), ready))


async def run(service: Service, clock: Clock, ready: Callable[[int], None], lifeline: int | None = None) -> None:
    """Serve until a signal comes, or until the other end of `lifeline` (a file descriptor) is closed."""
    guard = Guard(service.hosts, service.api_keys)
    if not (guard.needs_key or _of_this_machine(service.host)):
        raise GateError(
            "a server that others can reach needs API keys",
            place=f"--host {service.host}",
            mend="make one with: noria key create LABEL, or listen on 127.0.0.1",
        )
    watch = _Watch(service)
    metrics = Metrics()
    fleet, errors = watch.load(None)
    for error in errors:
        metrics.failures["routes"] += 1
        _logger.error("served without a version that cannot be loaded: %s", error)
    _settle()
    held, port = _hold(service.host, service.port)
    log = PredictionLog(service.folder / "log")
    try:
        application = Application(service.endpoint, fleet, guard, log, metrics, clock)
        await _answer(application, service.host, port, guard, watch, ready, lifeline)
    finally:
        held.close()
        log.close()


async def _answer(
    application: Application,
    host: str,
    port: int,
    guard: Guard,
    watch: _Watch,
    ready: Callable[[int], None],
    lifeline: int | None,
) -> None:
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.server.embed import Server

    server = Server(
        application,
        host,
        port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
        backlog=1024,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
    )

    loop = asyncio.get_running_loop()

    def stop() -> None:
        application.draining = True
        if lifeline is not None:
            loop.remove_reader(lifeline)
        server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if lifeline is not None:
        loop.add_reader(lifeline, stop)
    tasks = [loop.create_task(_say_ready(host, port, ready)), loop.create_task(watch.keep(application, guard))]
    try:
        await server.serve()
    finally:
        for task in tasks:
            task.cancel()


async def _say_ready(host: str, port: int, ready: Callable[[int], None]) -> None:
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    while True:
        try:
            _, writer = await asyncio.open_connection(address, port)
        except OSError:
            await asyncio.sleep(0.005)
            continue
        writer.close()
        ready(port)
        return


class _Watch:
    """Notices that routes or API keys changed, off the request path, and swaps versions between two requests."""

    def __init__(self, service: Service):
        self._service = service
        self._open_features = opener(service.workspace.online)
        self._seen: object = None

    def load(self, known: dict[str, Loaded] | None) -> tuple[Fleet, list[NoriaError]]:
        """What the routes say now. At the start whatever loads is served; later new routes are taken whole or not."""
        self._seen = self._state()
        return load_fleet(
            read_routes(self._service.folder),
            self._service.workspace.packages,
            public_key(self._service.workspace.keys),
            self._open_features,
            known=known,
            partly=known is None,
        )

    def _state(self) -> object:
        try:
            status = routes_file(self._service.folder).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size

    async def keep(self, application: Application, guard: Guard) -> None:
        """Look every few milliseconds, for ever; and at bodies that take too long."""
        loop = asyncio.get_running_loop()
        again = float("inf") if _whole(application.fleet) else loop.time() + _RETRY_SECONDS
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            application.give_up_slow_bodies()
            try:
                guard.reload()
            except (NoriaError, OSError) as error:
                _logger.error("the API keys stay as they were: %s", error)
            if self._state() == self._seen and loop.time() < again:
                continue
            again = float("inf")
            try:
                application.fleet, _ = await loop.run_in_executor(None, self.load, dict(application.fleet.versions))
            except Exception as error:  # whatever it is, what is loaded goes on answering
                application.metrics.failures["routes"] += 1
                _logger.error("the routes stay as they were: %s", error)
                again = loop.time() + _RETRY_SECONDS
            if not _whole(application.fleet):
                again = loop.time() + _RETRY_SECONDS


def _settle() -> None:
    """Keep what is loaded out of garbage collections, which would stop all requests for as long as they look at it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _whole(fleet: Fleet) -> bool:
    return all(loaded.features is not None for loaded in fleet.versions.values())


def _of_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hold(host: str, port: int) -> tuple[socket.socket, int]:
    """Make sure of a port: granian shares ports between processes, so it would not notice that one is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as alone:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind((host, port))
            port = alone.getsockname()[1]
        held = socket.socket(family)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, port))
    except OSError as error:
        raise ResourceError(
            "cannot listen there", place=f"{host}:{port}", value=error.strerror, mend="take another --port, or --port 0"
        ) from None
    return held, port
