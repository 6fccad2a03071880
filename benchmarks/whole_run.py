"""The example from files to a rehearsed month: wall time, memory of all its processes, a run with nothing new."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.comparison import Comparison

NORIA = str(Path(sys.executable).with_name("noria"))
EXAMPLE = str(Path(__file__).parents[1] / "examples" / "flights")
EVERY = 0.1


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NORIA_WORKSPACE": str(Path(folder, "workspace"))}
        seconds, peak = watched([NORIA, "run", EXAMPLE], environment)
        note = f"memory shared by its processes counted once, looked at every {EVERY:g} s"
        Comparison("the example, first run", "s", seconds, goal="< 240 s").say()
        Comparison("the example, most memory of all processes", "GB", peak / 1e9, goal="< 2 GB", note=note).say()
        again = min(watched([NORIA, "run", EXAMPLE], environment)[0] for _ in range(5))
        Comparison("the example, a run with nothing new", "s", again, "its first run", seconds, "< 1 s").say()


def watched(command: list[str], environment: dict[str, str]) -> tuple[float, int]:
    """Wall seconds of a command, and the most memory that it and its descendants held at one moment, in bytes."""
    began, peak = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=sys.stderr, stderr=subprocess.DEVNULL, env=environment) as process:
        while process.poll() is None:
            peak = max(peak, sum(held(pid) for pid in (process.pid, *descendants(process.pid))))
            time.sleep(EVERY)
        seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{command} failed: exit {process.returncode}")
    return seconds, peak


def descendants(pid: int) -> list[int]:
    parents = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(place.parent.name)] = int(place.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    found, new = [], [pid]
    while new:
        new = [child for child, parent in parents.items() if parent in new]
        found += new
    return found


def held(pid: int) -> int:
    """Proportional set size: pages that several processes share are parted among them. 0 where it cannot be read."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


if __name__ == "__main__":
    main()
