"""The training set of the flights example: features of 336,776 flights as they were when each question was asked."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.comparison import Comparison
from benchmarks.environment import python_with

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent / "examples" / "flights"
REPEATS = 3
FEAST_ROWS, FEAST_SECONDS = 5_000, 60.0
FREE_BYTES = 20 * 10**9
"""Feast's store writes what it joins to disk; it is stopped when less than this is free."""
FREE_MEMORY = 4 * 10**9
WEATHER = ("temp", "wind_speed", "visib", "pressure", "precip")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="noria-point-in-time-") as place:
        flights = ours("prepare", place)["rows"]
        against_polars(Path(place))
        for hours in (3, 0):
            against_feast(Path(place), flights, hours)


def against_polars(folder: Path) -> None:
    """The windowed features and lookups; all columns of the peer are compared."""
    inputs = [str(folder / f"{name}.parquet") for name in ("flights", "weather", "planes", "peer")]
    theirs = measured([sys.executable, str(HERE / "peers" / "polars_windows.py"), *inputs, str(REPEATS)])
    noria = ours("joined", str(folder))
    columns, equal = compared(folder / "noria.parquet", folder / "peer.parquet")
    if equal != columns:
        raise SystemExit(f"only {equal} of {columns} columns are equal")
    note = (
        f"{columns} columns, all equal to 1e-6 (Noria's time is of {noria['features']}); peak memory "
        f"{noria['peak'] / 1e6:,.0f} MB and {theirs['peak'] / 1e6:,.0f} MB"
    )
    Comparison(f"training set of {noria['rows']:,} flights", "s", noria["seconds"], "Polars by hand", theirs["seconds"],
               "0.5x", note, theirs["versions"]).say()  # fmt: skip


def against_feast(folder: Path, most: int, hours: int) -> None:
    """One view, the weather at the origin, on the largest spine that Feast can finish; spines double.

    With 0 hours a value is never too old, as Feast has it by default.
    """
    python = str(python_with("feast[duckdb]"))
    rows, largest, ended = FEAST_ROWS, None, ""
    while not ended:
        command = [python, str(HERE / "peers" / "feast_history.py"), "weather_events.parquet", "spine.parquet",
                   str(rows), "duckdb", str(hours)]  # fmt: skip
        try:
            largest = measured(command, FEAST_SECONDS, folder)
            ended = "; these are all" if rows == most else ""
            rows = min(2 * rows, most)
        except Stopped as stopped:
            ended = f"; {rows:,} were stopped: {stopped}"
    if largest is None:
        raise SystemExit(f"Feast finished no spine{ended}")
    noria = ours("weather", str(folder), str(largest["rows"]), f"{hours}h" if hours else "400d")
    note = (
        f"{len(WEATHER)} columns; Feast also sees what is of the very moment, and takes a null for a value; peak "
        f"memory {noria['peak'] / 1e6:,.0f} MB and {largest['peak'] / 1e6:,.0f} MB{ended}"
    )
    if hours:
        note += "; with an age limit Feast's own join is small, and the ratio is that of two small joins"
    age = f"of the last {hours} h" if hours else "however old"
    Comparison(f"weather {age} of {noria['rows']:,} flights", "s", noria["seconds"], "Feast get_historical_features",
               largest["seconds"], "200x", note, largest["versions"]).say()  # fmt: skip


class Stopped(Exception):
    """A process took too long or too much disk, or failed."""


def ours(*arguments: str) -> dict[str, Any]:
    return measured([sys.executable, "-m", "benchmarks.point_in_time", *arguments])


def measured(command: list[str], seconds: float = 600.0, folder: Path = HERE.parent) -> dict[str, Any]:
    """The JSON that a process prints as its last line, and its peak memory; it is killed beyond the limits."""
    why: list[str] = []
    done = threading.Event()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=folder, env={**os.environ, "TMPDIR": tempfile.gettempdir()}
    )

    def watch() -> None:
        began = time.monotonic()
        while not done.wait(0.05):
            if time.monotonic() - began > seconds:
                why.append(f"not done after {seconds:.0f} s")
            elif shutil.disk_usage(folder).free < FREE_BYTES:
                why.append(f"less than {FREE_BYTES / 1e9:.0f} GB of disk were left")
            elif available() < FREE_MEMORY:
                why.append(f"less than {FREE_MEMORY / 1e9:.0f} GB of memory were left")
            if why:
                process.send_signal(signal.SIGKILL)
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    done.set()
    watcher.join()
    if process.returncode:
        raise Stopped(why[0] if why else f"exit {process.returncode}")
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return {**found, "peak": used.ru_maxrss * 1024}


def available() -> int:
    """Bytes of memory that could be had, on Linux."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))


def compared(ours: Path, theirs: Path) -> tuple[int, int]:
    """How many columns the peer has, and how many of them are ours to 1e-6."""
    import polars as pl

    mine, other = pl.read_parquet(ours).sort("_row"), pl.read_parquet(theirs)
    same = 0
    for name in other.columns:
        one, two = mine[name].cast(pl.Float64), other[name].cast(pl.Float64)
        apart = ((one - two).abs() > 1e-6 * two.abs() + 1e-9) | (one.is_null() != two.is_null())
        same += not apart.fill_null(False).any()
    return len(other.columns), same


# What runs in a process of its own.


def prepare(place: str) -> None:
    """The example's tables as parquet files, types and derived columns as ingest makes them."""
    import polars as pl

    from noria.declarations import load_project
    from noria.ingest import prepared
    from noria.sources import read

    folder = Path(place)
    for source in load_project(PROJECT).sources:
        prepared(source, read(source, PROJECT)).write_parquet(folder / f"{source.name}.parquet")
    flights, weather = (pl.read_parquet(folder / f"{name}.parquet") for name in ("flights", "weather"))
    asked = flights.select("origin", event_timestamp=pl.col("scheduled") - pl.duration(hours=1))
    asked.write_parquet(folder / "spine.parquet")
    weather.select("origin", pl.col(WEATHER).cast(pl.Float64), event_timestamp="time_hour").write_parquet(
        folder / "weather_events.parquet"
    )
    print(json.dumps({"rows": len(flights)}))


def joined(place: str) -> None:
    """The example's whole training set."""
    import polars as pl

    from noria.declarations import load_project
    from noria.expressions import polars_kinds
    from noria.features import features_of, joined, plans_of

    project = load_project(PROJECT)
    tables = {source.name: pl.read_parquet(Path(place, f"{source.name}.parquet")) for source in project.sources}
    schemas = {name: polars_kinds(table.schema) for name, table in tables.items()}
    features, plans = features_of(project, schemas), plans_of(project.features, schemas)
    lazy = {name: table.lazy() for name, table in tables.items()}
    seconds, made = fastest(lambda: joined(project, lazy, plans, schemas, features))
    made.write_parquet(Path(place, "noria.parquet"))
    print(json.dumps({"seconds": seconds, "rows": len(made), "features": len(features)}))


def weather(place: str, rows: str, window: str) -> None:
    """The example's weather view alone, for the first flights."""
    import polars as pl

    import noria as nr
    from noria.declarations import load_project
    from noria.expressions import polars_kinds
    from noria.features import plans_of
    from noria.features.join import training_set

    source = next(source for source in load_project(PROJECT).sources if source.name == "weather")
    view = nr.FeatureView(
        "weather", source, keys="origin", aggregates=[nr.last(column, windows=[window]) for column in WEATHER]
    )
    table = pl.read_parquet(Path(place, "weather.parquet"))
    spine = pl.read_parquet(Path(place, "spine.parquet")).head(int(rows))
    plans = plans_of([view], {"weather": polars_kinds(table.schema)})
    seconds, made = fastest(lambda: training_set(spine, spine["event_timestamp"], {"weather": table}, plans))
    assert len(made) == len(WEATHER)
    print(json.dumps({"seconds": seconds, "rows": len(spine)}))


def fastest(work: Callable[[], Any]) -> tuple[float, Any]:
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        made = work()
        taken.append(time.perf_counter() - began)
    return min(taken), made


if __name__ == "__main__":
    {"prepare": prepare, "joined": joined, "weather": weather}[sys.argv[1]](*sys.argv[2:])
