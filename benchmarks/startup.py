"""How long it takes to begin: import, ``--help``, and a run with nothing to do."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.comparison import Comparison

TIMES = 9
NORIA = str(Path(sys.executable).with_name("noria"))


def seconds(*command: str) -> float:
    """The median wall time of a command, after one that warms the disk's cache."""
    taken = []
    for _ in range(TIMES + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def main() -> None:
    nothing = seconds(sys.executable, "-c", "pass")
    note = f"a bare interpreter takes {nothing:.3f} s of each"
    noria = seconds(sys.executable, "-c", "import noria")
    for peer in ("sklearn", "mlflow", "optuna"):
        package = {"sklearn": "scikit-learn"}.get(peer, peer)
        theirs = seconds(sys.executable, "-c", f"import {peer}")
        Comparison("import", "s", noria, package, theirs, "< 0.1 s", note, {package: version(package)}).say()
    mlflow = str(Path(sys.executable).with_name("mlflow"))
    Comparison("--help", "s", seconds(NORIA, "--help"), "mlflow", seconds(mlflow, "--help"), "< 0.3 s", note).say()
    with tempfile.TemporaryDirectory() as folder:
        project = str(Path(folder, "parcels"))
        subprocess.run([NORIA, "init", project], check=True, stdout=subprocess.DEVNULL)
        began = time.perf_counter()
        subprocess.run([NORIA, "run", project], check=True, stdout=subprocess.DEVNULL)
        first = time.perf_counter() - began
        Comparison("a run with nothing new, small project", "s", seconds(NORIA, "run", project), "its first run", first,
                   "< 1 s").say()  # fmt: skip


if __name__ == "__main__":
    main()
