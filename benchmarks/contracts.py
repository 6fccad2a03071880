"""Contracts: fifty rules on ten million rows, beside pandera, Pointblank, Great Expectations and Polars by hand.

Every one has the rows in memory as its own frame; what is timed is the check alone, the best of three runs. Each must
find the same rows broken, rule by rule; pandera tells only how many cases there are in all.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.comparison import Comparison
from benchmarks.environment import python_with
from benchmarks.point_in_time import HERE, Stopped, measured

ROWS, MANY = 10_000_000, 100_000_000
REPEATS = "3"
PARTS = 10
"""Files that the many rows lie in."""
AIRPORTS = ("EWR", "JFK", "LGA", "BOS", "ORD", "SFO")


def rules_of(wrong: bool) -> list[list[Any]]:
    """Fifty rules; all hold, or two of them are broken: one by one row in a thousand, one by one in six."""
    low = 3 if wrong else 0
    numbers = [("id", 0, 10**9), ("delay", -1000, 100_000), ("distance", low, 10_000), ("fare", 0.0, 1e6),
               ("score", -50.0, 50.0), ("share", 0.0, 1.0)]  # fmt: skip
    rules: list[list[Any]] = [["not_null", name] for name, *_ in numbers]
    rules += [["not_null", name] for name in ("origin", "tail", "dest")]
    for name, least, most in numbers:
        wider = ((least, most), (least - 1, most), (least, most + 1), (least - 1, most + 1))
        rules += [["between", name, *bounds] for bounds in wider]
    for name in ("origin", "dest"):
        known = AIRPORTS[: 5 if wrong else 6]
        rules += [["one_of", name, *known], ["matches", name, "[A-Z]{3}"], ["length", name, 3, 3],
                  ["length", name, 1, 8], ["one_of", name, *AIRPORTS, "LAX"]]  # fmt: skip
    rules += [["matches", "tail", "N[0-9]{5}"], ["length", "tail", 6, 6], ["length", "tail", 1, 10],
              ["matches", "tail", "N.*"]]  # fmt: skip
    rules += [["at_most", "share", "distance"] if wrong else ["at_most", "share", "score_high"],
              ["at_most", "score", "score_high"]]  # fmt: skip
    rules += [["between", "score_high", -50.0, 200.0]]
    assert len(rules) == 50, len(rules)
    return rules


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="noria-contracts-") as place:
        folder = Path(place)
        ours("make", str(folder / "rows.parquet"), str(ROWS), "0")
        for wrong in (False, True):
            (folder / "rules.json").write_text(json.dumps(rules_of(wrong)), encoding="utf-8")
            against(folder, wrong)
        (folder / "rules.json").write_text(json.dumps(rules_of(False)), encoding="utf-8")
        linear(folder)


def against(folder: Path, wrong: bool) -> None:
    rules = str(folder / "rules.json")
    noria = ours("noria", str(folder / "rows.parquet"), rules, REPEATS)
    how = "some broken" if wrong else "all of which hold"
    expectations = python_with("great_expectations", "pyarrow")
    peers = [("Polars by hand", "by_hand", Path(sys.executable), "1x"),
             ("pandera", "pandera", python_with("pandera[polars]"), "3x"),
             ("Pointblank", "pointblank", python_with("pointblank", "polars"), "3x"),
             ("Great Expectations", "great_expectations", expectations, "30x")]  # fmt: skip
    script, file = HERE / "peers" / "contract_rules.py", folder / "rows.parquet"
    for peer, name, python, goal in peers:
        command = [str(each) for each in (python, script, name, file, rules, REPEATS)]
        try:
            theirs = measured(command)
        except Stopped as stopped:
            print(f"{peer}: {stopped}", file=sys.stderr)
            continue
        found = [sum(noria["failed"])] if name == "pandera" else noria["failed"]
        if theirs["failed"] != found:
            raise SystemExit(f"not the same rows break the rules: {found} and by {peer} {theirs['failed']}")
        peaks = f"{noria['peak'] / 1e6:,.0f} MB and {theirs['peak'] / 1e6:,.0f} MB"
        note = f"peak memory, the rows included, {peaks}"
        Comparison(f"50 rules, {how}, {ROWS:,} rows x 10 columns", "s", noria["seconds"], peer,
                   theirs["seconds"], goal, note, theirs["versions"]).say()  # fmt: skip


def linear(folder: Path) -> None:
    """Many rows, from files in batches: memory and time."""
    for parts in (1, PARTS):
        for part in range(parts):
            path = folder / f"part-{part}.parquet"
            if not path.exists():
                ours("make", str(path), str(MANY // PARTS), str(part * (MANY // PARTS)))
        found = ours("batches", str(folder / "part-*.parquet"), str(folder / "rules.json"))
        Comparison(f"50 rules and a key, {found['rows']:,} rows x 10 columns of Parquet files, in batches", "s",
                   found["seconds"], goal="linear, < 4 GB", note=f"peak memory {found['peak'] / 1e6:,.0f} MB; "
                   f"{found['seconds'] / found['rows'] * 1e9:.0f} ns a row").say()  # fmt: skip


def ours(*arguments: str) -> dict[str, Any]:
    return measured([sys.executable, "-m", "benchmarks.contracts", *arguments])


# What runs in a process of its own.


def make(path: str, rows: str, first: str) -> None:
    """Columns of the kinds that tables have; keys come out of order."""
    import numpy as np
    import polars as pl

    size, chance = int(rows), np.random.default_rng(int(first))
    score = chance.normal(size=size)
    pl.DataFrame({
        "id": int(first) + chance.permutation(size),
        "delay": chance.integers(-60, 1500, size),
        "distance": chance.integers(0, 2000, size).clip(2),
        "fare": np.round(chance.exponential(200, size), 2),
        "score": score,
        "score_high": score + 10 + chance.random(size),
        "share": chance.random(size),
        "origin": pl.Series(AIRPORTS).gather(chance.integers(0, 5, size)),
        "dest": pl.Series(AIRPORTS).gather(chance.integers(0, 6, size)),
        "tail": pl.Series([f"N{number:05d}" for number in range(4000)]).gather(chance.integers(0, 4000, size)),
    }).write_parquet(path)  # fmt: skip
    print(json.dumps({"rows": size}))


def contract(path: str, *, key: bool = False) -> Any:
    import noria as nr

    kinds = {
        "not_null": nr.not_null,
        "between": nr.between,
        "one_of": lambda name, *values: nr.one_of(name, values),
        "matches": nr.matches,
        "length": nr.length,
        "at_most": lambda one, two: nr.expression(f"{one} <= {two}"),
    }
    said = json.loads(Path(path).read_text(encoding="utf-8"))
    return nr.Contract(key="id" if key else (), rules=[kinds[kind](*rest) for kind, *rest in said])


def noria(path: str, rules: str, repeats: str) -> None:
    import polars as pl

    import noria as nr

    frame, wanted = pl.read_parquet(path), contract(rules)
    frame = frame.with_row_index("_row", 1)
    seconds = []
    for _ in range(int(repeats)):
        began = time.perf_counter()
        report = nr.check(frame, wanted)
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"seconds": min(seconds), "failed": [verdict.failed for verdict in report.verdicts]}))


def batches(paths: str, rules: str) -> None:
    import noria as nr

    wanted = contract(rules, key=True)
    began = time.perf_counter()
    report = nr.check(paths, wanted)
    assert report.passed, str(report)
    print(json.dumps({"seconds": time.perf_counter() - began, "rows": report.rows}))


if __name__ == "__main__":
    {"make": make, "noria": noria, "batches": batches}[sys.argv[1]](*sys.argv[2:])
