"""Profiling 10 million rows of 10 columns, in batches, beside Polars' own ``describe`` of the whole."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

from benchmarks.comparison import Comparison

if TYPE_CHECKING:
    import polars as pl

ROWS, BATCH = 10_000_000, 250_000


def main() -> None:
    few, _ = apart("noria", ROWS // 10)
    ours, memory = apart("noria", ROWS)
    theirs, their_memory = apart("polars", ROWS)
    size = f"{ROWS // 10**6}M rows x 10 columns"
    note = "describe has counts, mean, std and quartiles only: no distinct values, frequent values, histograms, keys"
    versions = {"polars": version("polars")}
    Comparison(f"profile, {size}", "s", ours, "polars describe", theirs, note=note, versions=versions).say()
    Comparison(f"profile, {size}: most memory", "GB", memory, "polars describe", their_memory, "< 1 GB").say()
    Comparison("profile: seconds of ten times the rows", "x", ours / few, goal="10, linear").say()


def apart(who: str, rows: int) -> tuple[float, float]:
    """Seconds, and the most memory of a fresh process in GB; making the rows is not counted in the seconds."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measured, (who, rows))


def measured(who: str, rows: int) -> tuple[float, float]:
    import polars as pl

    from noria.contracts import Profiler

    seconds = 0.0
    if who == "noria":
        profiler = Profiler()
        for frame in batches(rows):
            began = time.perf_counter()
            profiler.update(frame)
            seconds += time.perf_counter() - began
        began = time.perf_counter()
        assert profiler.result().rows == rows
    else:
        whole = pl.concat(list(batches(rows)))
        began = time.perf_counter()
        whole.describe()
    return seconds + time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def batches(rows: int) -> Iterator[pl.DataFrame]:
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    for start in range(0, rows, BATCH):
        minutes = start + np.arange(BATCH)
        yield pl.DataFrame({
            "id": minutes, "x": rng.normal(size=BATCH), "y": rng.lognormal(size=BATCH), "z": rng.random(BATCH),
            "n": rng.integers(0, 100_000, BATCH), "age": rng.integers(0, 99, BATCH), "minute": minutes,
            "town": rng.choice(["Köln", "Bonn", "Aachen", "Trier"], BATCH), "flag": rng.random(BATCH) < 0.2,
            "code": rng.integers(0, 5000, BATCH),
        }).with_columns(
            at=pl.datetime(2020, 1, 1) + pl.duration(minutes="minute"), code=pl.format("C{}", "code")
        ).drop("minute")  # fmt: skip


if __name__ == "__main__":
    main()
