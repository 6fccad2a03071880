"""Loading a CSV file to the lake with its contract checked: beside dlt, and beside Polars and delta-rs alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from benchmarks.comparison import Comparison
from benchmarks.environment import python_with
from benchmarks.process import seconds

ROWS = int(os.environ.get("NORIA_BENCHMARK_ROWS", "5000000"))
NORIA = """
import sys
from pathlib import Path
import noria as nr
from noria import ingest
from noria.steps import StepContext
from noria.workspace import Workspace
folder = Path(sys.argv[1])
root = folder / ".noria"
root.mkdir()
workspace = Workspace(root, folder / "project.py", f"sqlite:///{root}/ledger.db", f"file://{root}/lake",
                      f"lmdb:///{root}/online", f"sqlite:///{root}/mlflow.db")
orders = nr.Source("orders", sys.argv[2], event_time="at", contract=nr.Contract(
    key="id", types={"at": "timestamp"}, rules=[
        nr.between("amount", 0, 1000), nr.one_of("status", ["paid", "open", "void"]), nr.not_null("customer"),
        nr.one_of("country", ["DE", "FR", "US", "GB", "IT"]), nr.between("quantity", 1, 9), nr.not_null("at")]))
project = nr.Project("orders", spine=nr.Spine(orders, time="at", label="quantity > 4"), endpoint=nr.Endpoint("large"),
                     search=nr.Search("binary", split=nr.TimeSplit(
                         train_until="2026-01-02", validate_until="2026-01-03", test_until="2026-01-04")))
outcome = ingest.steps(project, folder, workspace)[0].function(StepContext(workspace, "key", {}))
assert outcome.facts["kept"] == int(sys.argv[3]), outcome.facts
"""
ALONE = """
import sys
import polars as pl
from deltalake import WriterProperties, write_deltalake
rows = pl.read_csv(sys.argv[2], try_parse_dates=True)
write_deltalake(sys.argv[1] + "/lake", rows, writer_properties=WriterProperties(compression="ZSTD"))
assert len(rows) == int(sys.argv[3])
"""
DLT = """
import sys
from pathlib import Path
import dlt
from dlt.sources.filesystem import filesystem, read_csv, read_csv_duckdb
path = Path(sys.argv[2])
files = filesystem(bucket_url=path.parent.as_uri(), file_glob=path.name)
options = {"use_pyarrow": True, "chunk_size": 200_000}
rows = files | (read_csv_duckdb(**options) if sys.argv[4] == "duckdb" else read_csv(chunksize=200_000))
pipeline = dlt.pipeline("orders", pipelines_dir=sys.argv[1], dataset_name="shop",
                        destination=dlt.destinations.filesystem(f"file://{sys.argv[1]}/lake"))
pipeline.run(rows.with_name("orders"), loader_file_format="parquet", table_format="delta")
assert pipeline.last_trace.last_normalize_info.row_counts["orders"] == int(sys.argv[3])
"""


def write(path: Path) -> None:
    """Orders of a shop: whole numbers, numbers, labels, texts and moments."""
    import numpy as np
    import polars as pl

    random = np.random.default_rng(0)
    moments = np.datetime64("2026-01-01") + random.integers(0, 86_400 * 300, ROWS).astype("timedelta64[s]")
    pl.DataFrame({
        "id": np.arange(ROWS), "customer": random.integers(0, 100_000, ROWS),
        "amount": (random.random(ROWS) * 1000).round(2), "quantity": random.integers(1, 9, ROWS),
        "country": np.array(["DE", "FR", "US", "GB", "IT"])[random.integers(0, 5, ROWS)],
        "status": np.array(["paid", "open", "void"])[random.integers(0, 3, ROWS)],
        "note": np.char.add("n", random.integers(0, 10**6, ROWS).astype(str)),
        "at": moments.astype("datetime64[us]"),
    }).write_csv(path, datetime_format="%Y-%m-%d %H:%M:%S")  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.csv"
        # By another process: what this one held at most would count as the peak of all that it starts.
        made = (
            "import sys; from pathlib import Path; from benchmarks.loading_csv import write; write(Path(sys.argv[1]))"
        )
        subprocess.run([sys.executable, "-c", made, str(path)], check=True)
        what = (
            f"CSV, {ROWS:,} rows of 8 columns, {path.stat().st_size / 1e6:,.0f} MB, to the lake with 6 rules and a key"
        )
        ours, memory = seconds(NORIA, str(path), str(ROWS))
        theirs, peak = seconds(ALONE, str(path), str(ROWS))
        note = f"peak {memory:,.0f} MB, {peak:,.0f} MB"
        versions = {name: version(name) for name in ("polars", "deltalake")}
        Comparison(what, "s", ours, "Polars into delta-rs, all at once", theirs, "",
                   f"{note}; theirs checks nothing", versions).say()  # fmt: skip
        python = str(python_with("dlt[deltalake,filesystem]>=1.31", "sqlalchemy<2.1", "duckdb", "pandas"))
        asked = [python, "-c", "from importlib.metadata import version; print(version('dlt'))"]
        versions = {"dlt": subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()}
        for reader in ("duckdb", "pandas"):
            theirs, peak = seconds(DLT, str(path), str(ROWS), reader, python=python, times=1)
            note = f"peak {memory:,.0f} MB, {peak:,.0f} MB; dlt without a contract" + "; its default" * (
                reader == "pandas"
            )
            Comparison(what, "s", ours, f"dlt, {reader}", theirs, "3x", note, versions).say()


if __name__ == "__main__":
    main()
