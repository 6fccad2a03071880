"""``python -m benchmarks [NAME …]``: run benchmarks, each in its own process, and print Noria beside its peers.

Without names all are run, and ``benchmarks/RESULTS.md`` is written; with names, their sections of it. A benchmark is a
module here with a function ``main`` that says `Comparison`s.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.comparison import Comparison

HERE = Path(__file__).parent
NO_BENCHMARKS = {"__init__", "__main__", "comparison", "environment", "process"}
SHOWN = ("noria", "polars", "deltalake", "numpy", "scikit-learn", "lightgbm", "onnxruntime", "granian", "mlflow")


def main(names: list[str]) -> int:
    known = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in NO_BENCHMARKS)
    if unknown := set(names) - set(known):
        print(f"no such benchmark: {', '.join(sorted(unknown))}; one of {', '.join(known)}", file=sys.stderr)
        return 2
    found = {name: list(comparisons(name)) for name in names or known}
    text = "\n".join(report(found))
    print(text)
    results = HERE / "RESULTS.md"
    if names:
        text = with_sections(results.read_text(encoding="utf-8"), found)
    results.write_text(text.rstrip() + "\n", encoding="utf-8")
    return 0


def with_sections(text: str, found: dict[str, list[Comparison]]) -> str:
    """The results with the sections of some benchmarks written anew, each saying when and beside what it was run."""
    head, *parts = text.split("\n## ")
    sections = {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in parts}
    for name, each in found.items():
        versions = sorted({(peer, number) for one in each for peer, number in one.versions.items()})
        beside = ", ".join(f"{peer} {number}" for peer, number in versions)
        said = f"Run on {datetime.now(UTC):%Y-%m-%d}" + (f" beside {beside}." if beside else ".")
        sections[name] = said + "\n\n" + "\n".join(table(each))
    return "\n".join([head.rstrip(), *(f"\n## {name}\n\n{sections[name]}" for name in sorted(sections))])


def comparisons(name: str) -> Iterator[Comparison]:
    """What one benchmark says; its other output goes to the terminal."""
    command = [sys.executable, "-c", f"from benchmarks.{name} import main; main()"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if comparison := Comparison.heard(line):
                yield comparison
            print(line, end="", file=sys.stderr, flush=True)
    if process.returncode:
        raise SystemExit(f"benchmark {name} failed: exit {process.returncode}")


def report(found: dict[str, list[Comparison]]) -> Iterator[str]:
    yield "# Results"
    yield ""
    yield f"Written by `python -m benchmarks` on {datetime.now(UTC):%Y-%m-%d}. A ratio above 1: Noria is better."
    yield ""
    system = f"{platform.system()} {platform.release()}"
    yield f"- Machine: {processor()}, {os.cpu_count()} cores, {memory():.0f} GB, {system}"
    yield f"- Python {platform.python_version()}; " + ", ".join(f"{name} {version(name)}" for name in SHOWN)
    others = {name: number for each in found.values() for one in each for name, number in one.versions.items()}
    if others:
        yield "- Peers: " + ", ".join(f"{name} {number}" for name, number in sorted(others.items()))
    for name, each in found.items():
        yield ""
        yield f"## {name}"
        yield ""
        yield from table(each)


def table(each: list[Comparison]) -> Iterator[str]:
    """What one benchmark says, as a table."""
    yield "| what | Noria | peer | ratio | goal | note |"
    yield "|---|---:|---:|---:|---|---|"
    for one in each:
        theirs = f"{one.peer}: {figure(one.theirs, one.unit)}" if one.theirs is not None else ""
        ratio = f"{one.ratio:.2f}" if one.ratio is not None else ""
        yield f"| {one.what} | {figure(one.noria, one.unit)} | {theirs} | {ratio} | {one.goal} | {one.note} |"


def figure(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
