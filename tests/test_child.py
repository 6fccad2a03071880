import errno
import functools
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from noria import child
from noria.core import DataError, GateError, NoriaError, ResourceError

sys.path.insert(0, str(Path(__file__).parent))
import child_work as work

MB = 2**20


@pytest.fixture(params=["fork", "spawn"])
def way(request, monkeypatch):
    """How the child is made: a parent with one thread is forked, another starts a new interpreter."""
    monkeypatch.setattr(child, "_threads", lambda: 1 if request.param == "fork" else 2)
    return request.param


def started(folder, function, **given):
    work = functools.partial(function, **given)
    return child.start("step x", work, log=folder / "x.log", crash=folder / "crashes" / "x.txt")


def ended(folder, function, **given):
    running = started(folder, function, **given)
    said = []
    while not isinstance(message := running.receive(), child.Ended):
        said.append(message)
    assert not running.process.is_alive()
    return message, said


def test_what_it_says_and_returns_arrives(tmp_path, way):
    message, said = ended(tmp_path, work.returns, value={"a": [1, None]})
    assert message.value == {"a": [1, None]}
    assert message.error is None
    assert said == ["working"]


def test_its_own_errors_arrive_whole(tmp_path, way):
    error = DataError("wrong", place="a.csv:3", value="x", mend="right")
    message, _ = ended(tmp_path, work.raises, error=error)
    assert type(message.error) is DataError
    assert str(message.error) == str(error)
    assert not (tmp_path / "crashes").exists()


def test_an_error_that_nobody_foresaw_leaves_its_traceback(tmp_path, way):
    message, _ = ended(tmp_path, work.crashes)
    assert message.error.exit_code == 1
    assert message.error.value.startswith("ZeroDivisionError")
    assert "in crashes\n" in (tmp_path / "crashes" / "x.txt").read_text()
    assert (tmp_path / "x.log").read_text() == "from below Python\nand from its errors\n"


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGKILL, ResourceError), (signal.SIGUSR1, NoriaError), (signal.SIGUSR2, NoriaError)]
)
def test_a_signal_is_named(tmp_path, way, number, kind):
    message, _ = ended(tmp_path, work.kills_itself, number=number)
    assert type(message.error) is kind
    assert message.error.value == number.name
    assert message.meters is None


def test_an_end_without_a_word_is_an_error(tmp_path, way):
    message, _ = ended(tmp_path, work.ends, code=3)
    assert "ended without a result" in message.error.message
    assert message.error.value == "exit code 3"


def test_too_little_memory_is_said(tmp_path, way):
    message, _ = ended(tmp_path, work.asks_for_too_much)
    assert type(message.error) is ResourceError
    assert message.error.message == "there is not enough memory"


def test_a_full_disk_is_said_with_its_place(tmp_path, way):
    message, _ = ended(tmp_path, work.writes_too_much, path=tmp_path / "big")
    assert message.error.message == "the disk is full"


def test_a_peak_is_its_own(tmp_path, way):
    held = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()  # a fork holds it, too
    ballast = bytearray(600 * MB)
    ballast[::4096] = b"x" * len(ballast[::4096])
    del ballast
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > held + 500 * MB
    small, _ = ended(tmp_path, work.holds, size=MB)
    large, _ = ended(tmp_path, work.holds, size=300 * MB)
    grown = large.meters.peak_bytes - small.meters.peak_bytes
    assert 270 * MB < grown < 330 * MB
    assert small.meters.peak_bytes < held + 400 * MB


def test_processor_time_counts_those_that_it_waits_for(tmp_path, way):
    own, _ = ended(tmp_path, work.spins, seconds=0.2)
    other, _ = ended(tmp_path, work.lets_another_spin, seconds=0.2)
    assert own.meters.cpu_seconds >= 0.2
    assert other.meters.cpu_seconds >= 0.2
    assert own.meters.wall_seconds >= 0.19


def test_a_failure_is_metered_too(tmp_path, way):
    message, _ = ended(tmp_path, work.raises, error=GateError("no"))
    assert message.meters.wall_seconds > 0
    assert message.meters.peak_bytes > MB


def test_stop_ends_it(tmp_path, way):
    running = started(tmp_path, work.ends_when_asked)
    assert running.receive() == "ready"
    running.stop()
    assert not running.process.is_alive()


def test_call_raises_its_error(tmp_path):
    place = {"log": tmp_path / "x.log", "crash": tmp_path / "x.txt"}
    assert child.call("x", functools.partial(work.returns, value=3), **place) == 3
    with pytest.raises(GateError, match="no"):
        child.call("x", functools.partial(work.raises, error=GateError("no")), **place)


def test_it_ends_with_its_parent(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from noria import child; import child_work\n"
        "running = child.start('x', child_work.tells_its_pid_and_sleeps, log=Path(sys.argv[2]), crash=Path('/'))\n"
        "print(running.receive(), flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, os.path.dirname(__file__), tmp_path / "log"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and is_running(pid):
        time.sleep(0.01)
    assert not is_running(pid)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_parent_with_threads_is_not_forked():
    before = child._threads()
    waiting = threading.Event()
    thread = threading.Thread(target=waiting.wait)
    thread.start()
    try:
        assert child._threads() == before + 1
    finally:
        waiting.set()
        thread.join()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/d/x"), "the disk is full\n  at:   /d/x"),
        (RuntimeError("database or disk is full"), "the disk is full\n  mend"),
        (PermissionError(errno.EACCES, "Permission denied", "/d/x"), "not permitted\n  at:   /d/x"),
        (OSError(errno.EROFS, "Read-only file system", "/d/x"), "not permitted\n  at:   /d/x"),
        (MemoryError(), "there is not enough memory"),
    ],
)
def test_faults_of_the_machine_are_worded(error, said):
    assert str(child.worded(error)).startswith(said)
    wrapped = ValueError("in the middle of something")
    wrapped.__cause__ = error
    assert str(child.worded(wrapped)).startswith(said)


def test_other_errors_are_not():
    assert child.worded(ValueError("x")) is None
    assert child.worded(FileNotFoundError(errno.ENOENT, "No such file", "/x")) is None
