"""From a CSV file of 300,000 rows to a served model: ``noria init``, ``noria run``, ``noria serve``, one answer."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.comparison import Comparison

NORIA = str(Path(sys.executable).with_name("noria"))
ROWS = 300_000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        csv = Path(folder, "loans.csv")
        made(csv)
        began = time.perf_counter()
        command([NORIA, "init", str(csv), "--target", "default", "--into", str(Path(folder, "loans"))])
        proposed = time.perf_counter()
        command([NORIA, "run", str(Path(folder, "loans"))])
        trained = time.perf_counter()
        probability = served(Path(folder, "loans"))
        answered = time.perf_counter()
        assert 0 < probability < 1
    note = f"init {proposed - began:.1f} s, run {trained - proposed:.1f} s, serve and answer {answered - trained:.1f} s"
    Comparison(f"a CSV of {ROWS:,} rows to a served model", "s", answered - began, goal="< 90 s", note=note).say()


def made(csv: Path) -> None:
    """Loans, asked for over two years and a half, of whom some are not paid back."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    income, amount = np.round(rng.lognormal(10, 0.5, ROWS)), np.round(rng.lognormal(9, 0.7, ROWS))
    grade, region = rng.choice(list("ABCDE"), ROWS), rng.choice([f"region {n}" for n in range(30)], ROWS)
    odds = -3 + 0.8 * np.log(amount / income + 0.1) + 0.5 * (grade == "E")
    minutes = np.sort(rng.integers(0, 60 * 24 * 900, ROWS))
    pl.DataFrame({
        "loan_id": np.arange(ROWS), "minute": minutes, "income": income, "amount": amount, "grade": grade,
        "region": region, "age": rng.integers(18, 90, ROWS), "months": rng.choice([12, 24, 36, 60], ROWS),
        "rate": np.round(rng.normal(6, 2, ROWS).clip(0.5, 20), 2), "email": [f"u{n}@example.org" for n in range(ROWS)],
        "default": (rng.random(ROWS) < 1 / (1 + np.exp(-odds))).astype(int),
    }).with_columns(
        income=pl.when(pl.int_range(pl.len()) % 20 > 0).then("income"),
        applied=pl.datetime(2022, 1, 1) + pl.duration(minutes="minute"),
    ).drop("minute").write_csv(csv)  # fmt: skip


def command(arguments: list[str]) -> None:
    done = subprocess.run(arguments, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stderr}")


def served(project: Path) -> float:
    """Start a server, ask it once, and end it."""
    with subprocess.Popen([NORIA, "serve", str(project), "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = next(word for line in server.stdout for word in line.split() if word.startswith("http"))
        row = {
            "income": 30_000,
            "amount": 9_000,
            "grade": "E",
            "region": "region 3",
            "age": 40,
            "months": 24,
            "rate": 6.5,
        }
        request = urllib.request.Request(
            url, json.dumps({"rows": [row]}).encode(), {"content-type": "application/json"}
        )
        answer = json.loads(urllib.request.urlopen(request, timeout=30).read())
        server.terminate()
    return float(answer["predictions"][0]["probability"])


if __name__ == "__main__":
    main()
