"""Child: one function in a process of its own, metered, that ends when its parent does.

A light parent of one thread is forked, so whatever it has imported is there at once. A fork of a parent with more
threads (any that has used Polars, say) would lack them and hang where it waits for one: that spawns a new interpreter.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from noria.core import NoriaError, ResourceError
from noria.cost import Meters
from noria.declarations import load_project, projects_in

_PR_SET_PDEATHSIG = 1
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_TEXTS = ("No space left on device", "disk is full", "Disk quota exceeded", "File too large", "disk I/O error")
_SECONDS_TO_STOP = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: with a value, or with an error; and what it took.

    Attributes
    ----------
    value : object
        What the function returned.
    error : NoriaError, optional
        Why it returned nothing.
    meters : Meters, optional
        None where the child died without a word.
    """

    value: Any = None
    error: NoriaError | None = None
    meters: Meters | None = None


@dataclass(frozen=True, slots=True)
class Child:
    """A running child.

    Attributes
    ----------
    name : str
        What it does, for errors.
    connection : Connection
        Ready to be read when `receive` has something.
    process : BaseProcess
        The process.
    """

    name: str
    connection: Connection
    process: BaseProcess

    def receive(self) -> str | Ended:
        """What the child says (a text) or how it ended; blocks until there is one of them.

        The process is gone when it returns `Ended`.
        """
        try:
            message: str | Ended = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            message = Ended(error=_died(self.name, self.process.exitcode or 0))
        if isinstance(message, Ended):
            self.process.join(_SECONDS_TO_STOP)
            self.stop()
        return message

    def memory(self) -> int:
        """Bytes of memory that it holds at this moment, swapped ones too; 0 where the kernel does not say.

        Pages of files that are mapped do not count: the kernel takes those back as it needs.
        """
        held = 0
        with contextlib.suppress(OSError, ValueError):
            for line in Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines():
                if line.startswith(("RssAnon:", "RssShmem:", "VmSwap:")):
                    held += 1024 * int(line.split()[1])
        return held

    def stop(self) -> None:
        """End it now: politely, then by force."""
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(_SECONDS_TO_STOP)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()


def start(name: str, function: Callable[[Say], object], *, log: Path, crash: Path) -> Child:
    """Run ``function(say)`` in a child.

    Parameters
    ----------
    name : str
        What it does, for errors.
    function : callable
        Gets a callable that tells the parent how far it is. Picklable, and so is what it returns.
    log : Path
        Takes what the function, and libraries below it, print.
    crash : Path
        Takes the traceback of an error that nobody foresaw.
    """
    way = "fork" if _threads() == 1 else "spawn"
    context: Any = multiprocessing.get_context(way)
    ours, theirs = context.Pipe(duplex=False)
    work = function if way == "fork" else _packed(function)
    given = (os.getpid(), name, work, theirs, log, crash)
    process = context.Process(target=_main, args=given, name=f"noria {name}")
    process.start()
    theirs.close()
    return Child(name, ours, process)


def call(name: str, function: Callable[[Say], object], *, log: Path, crash: Path) -> Any:
    """What ``function(say)`` returns in a child of its own; its error is raised here."""
    child = start(name, function, log=log, crash=crash)
    try:
        while not isinstance(message := child.receive(), Ended):
            pass
    finally:
        child.stop()
    if message.error is not None:
        raise message.error
    return message.value


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent, process `parent`, ends in any way. Does so on Linux only."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was told
        os._exit(1)


def worded(error: BaseException, *, place: str | None = None) -> NoriaError | None:
    """An error of the machine (disk, memory, permission) as a `NoriaError`; None for one that nobody foresaw.

    Examples
    --------
    >>> print(worded(OSError(28, "No space left on device", "/data/x.parquet")))
    the disk is full
      at:   /data/x.parquet
      mend: free some space and run again: what is finished is kept
    """
    for fault in _chain(error):
        if isinstance(fault, NoriaError):
            return fault
        name = getattr(fault, "filename", None)
        where = str(name) if name else place
        if getattr(fault, "errno", None) in _FULL or any(text in str(fault) for text in _FULL_TEXTS):
            mend = "free some space and run again: what is finished is kept"
            return ResourceError("the disk is full", place=where, mend=mend)
        if isinstance(fault, MemoryError):
            mend = "run it where there is more memory, or read less at a time"
            return ResourceError("there is not enough memory", place=place, mend=mend)
        if isinstance(fault, PermissionError) or getattr(fault, "errno", None) == errno.EROFS:
            mend = "let this user read and write there"
            return ResourceError("not permitted", place=where, value=str(fault), mend=mend)
    return None


def _threads() -> int:
    """Threads of this process, also those that libraries started below Python; 0 where nobody can tell."""
    with contextlib.suppress(OSError):
        return len(os.listdir("/proc/self/task"))
    return 0


def _chain(error: BaseException) -> Iterator[BaseException]:
    fault: BaseException | None = error
    while fault is not None:
        yield fault
        fault = fault.__cause__ or fault.__context__


@dataclass(frozen=True, slots=True)
class _Packed:
    """A function for a new interpreter, and the projects whose kinds it holds: they are imported before it is made."""

    projects: tuple[Path, ...]
    data: bytes

    def __call__(self, say: Say) -> object:
        for path in self.projects:
            load_project(path)
        return pickle.loads(self.data)(say)  # noqa: S301  it comes from the parent, by the pipe that made this process


def _packed(function: Callable[[Say], object]) -> _Packed:
    data = pickle.dumps(function)
    return _Packed(projects_in(data), data)


def _main(parent: int, name: str, function: Callable[[Say], object], pipe: Connection, log: Path, crash: Path) -> None:
    die_with_parent(parent)
    # Handlers, not SIG_IGN: programs that the function starts must not inherit deafness to Ctrl-C.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    signal.signal(signal.SIGTERM, _stopped)
    began = time.perf_counter()
    try:
        _print_to(log)
        ended = Ended(function(pipe.send))
    except Exception as error:
        ended = Ended(error=worded(error, place=name) or _crashed(name, error, crash))
    ended = Ended(ended.value, ended.error, _meters(time.perf_counter() - began))
    with contextlib.suppress(BrokenPipeError):
        pipe.send(ended)


def _stopped(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _print_to(log: Path) -> None:
    """Point standard output and error of this process at a file, below Python too."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _crashed(name: str, error: Exception, crash: Path) -> NoriaError:
    what = f"{type(error).__name__}: {error}"
    place = str(crash)
    try:
        crash.parent.mkdir(parents=True, exist_ok=True)
        crash.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError as fault:
        place = f"the traceback could not be written: {fault}"
    mend = "the traceback is in that file; if your own code is not in it, please report it"
    return NoriaError(f"{name} ended with an error that Noria does not know", place=place, value=what, mend=mend)


def _died(name: str, code: int) -> NoriaError:
    if code >= 0:
        return NoriaError(f"{name} ended without a result", value=f"exit code {code}", mend="run again")
    number = signal.Signals(-code)
    if number is signal.SIGKILL:
        mend = "if the system killed it for memory, run it where there is more; what is finished is kept"
        return ResourceError(f"{name} was killed", value=number.name, mend=mend)
    return NoriaError(f"{name} was ended by a signal", value=number.name, mend="run again; what is finished is kept")


def _meters(wall: float) -> Meters:
    """What this process and the children that it has waited for took.

    Bytes are those that system calls moved, files in the page cache included, so that a second run reads the same.
    The peak is the largest of the process and of those children; what a forked process shares with its parent counts.
    """
    import resource

    me, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    try:
        moved = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
        read, written = int(moved["rchar"]), int(moved["wchar"])
    except OSError:
        read, written = 512 * (me.ru_inblock + children.ru_inblock), 512 * (me.ru_oublock + children.ru_oublock)
    return Meters(
        wall_seconds=wall,
        cpu_seconds=me.ru_utime + me.ru_stime + children.ru_utime + children.ru_stime,
        peak_bytes=max(_peak_of_me() or unit * me.ru_maxrss, unit * children.ru_maxrss),
        read_bytes=read,
        written_bytes=written,
    )


def _peak_of_me() -> int:
    """The most memory that this program held, in bytes; 0 where the kernel does not say.

    Not ``ru_maxrss``: on Linux a new interpreter begins with that of the process that started it.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return 0
