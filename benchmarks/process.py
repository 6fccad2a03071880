"""A process of its own for each run: its wall time and its peak memory, imports and all."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time


def seconds(code: str, *arguments: str, python: str = sys.executable, times: int = 3) -> tuple[float, float]:
    """The least wall time of some code in a fresh process in seconds, and its peak memory in MB.

    The peak is never less than what this process itself has held: it should hold little.

    The code gets its arguments from ``sys.argv[2]`` on; ``sys.argv[1]`` is an empty folder.
    """
    taken, peak = [], 0.0
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            environment = {**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false"}
            child = subprocess.Popen([python, "-c", code, folder, *arguments], env=environment)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            taken.append(time.perf_counter() - began)
            if child.returncode:
                raise SystemExit(f"a process failed: {child.returncode}")
            peak = max(peak, usage.ru_maxrss / 1024)
    return min(taken), peak
