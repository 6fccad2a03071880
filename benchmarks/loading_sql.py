"""Loading a PostgreSQL table to the lake: beside ADBC straight into delta-rs, connectorx, and dlt's two ways.

It needs a PostgreSQL server: the variable ``NORIA_BENCHMARK_POSTGRESQL`` is its URL, by default
``postgresql://root@127.0.0.1/test``; the table ``noria_benchmark`` is made there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version

from benchmarks.comparison import Comparison
from benchmarks.environment import python_with
from benchmarks.process import seconds

ROWS, TIMES = int(os.environ.get("NORIA_BENCHMARK_ROWS", "5000000")), 3
URL = os.environ.get("NORIA_BENCHMARK_POSTGRESQL", "postgresql://root@127.0.0.1/test")
TABLE = f"""
DROP TABLE IF EXISTS noria_benchmark;
CREATE TABLE noria_benchmark AS SELECT g::bigint AS id, (g % 1000)::int AS amount, g * 0.5::float8 AS price,
    (g % 7)::smallint AS day, 'text number ' || (g % 100000) AS note,
    timestamptz '2024-01-01' + g * interval '1 second' AS at, (g % 3 = 0) AS paid, (g * 0.01)::numeric(12, 2) AS cents
    FROM generate_series(1, {ROWS}) g;
ALTER TABLE noria_benchmark ADD PRIMARY KEY (id);
"""
READ = """
import sys
from pathlib import Path
import noria as nr
from noria.sources import Ask
origin = nr.sql(sys.argv[2], table="noria_benchmark", ranges=sys.argv[4] or None, connections=2)
batches = origin.batches(Ask(nr.Source("orders", origin), Path(sys.argv[1])))
assert sum(len(batch.frame) for batch in batches) == int(sys.argv[3])
"""
READ_ADBC = """
import sys
import adbc_driver_postgresql.dbapi as adbc
with adbc.connect(sys.argv[2]) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT * FROM noria_benchmark")
    assert sum(batch.num_rows for batch in cursor.fetch_record_batch()) == int(sys.argv[3])
"""
READ_CONNECTORX = """
import sys
import connectorx
select = "SELECT * FROM noria_benchmark"
reader = connectorx.read_sql(sys.argv[2], select, return_type="arrow_stream", batch_size=131072)
assert sum(batch.num_rows for batch in reader) == int(sys.argv[3])
"""
LOAD = """
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
orders = nr.Source("orders", nr.sql(sys.argv[2], table="noria_benchmark"), event_time="at",
                   contract=nr.Contract(key="id", rules=[
                       nr.between("amount", 0, 999), nr.not_null("note"), nr.not_null("paid"), nr.not_null("at"),
                       nr.one_of("day", [0, 1, 2, 3, 4, 5, 6]), nr.between("price", 0, 1e9)]))
project = nr.Project("orders", spine=nr.Spine(orders, time="at", label="paid"), endpoint=nr.Endpoint("paid"),
                     search=nr.Search("binary", split=nr.TimeSplit(
                         train_until="2024-01-05", validate_until="2024-01-10", test_until="2024-01-15")))
outcome = ingest.steps(project, folder, workspace)[0].function(StepContext(workspace, "key", {}))
assert outcome.facts["kept"] == int(sys.argv[3]), outcome.facts
"""
LOAD_ADBC = """
import sys
import adbc_driver_postgresql.dbapi as adbc
from deltalake import WriterProperties, write_deltalake
with adbc.connect(sys.argv[2]) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT id, amount, price, day, note, at, paid, cents::float8 AS cents FROM noria_benchmark")
    zstd = WriterProperties(compression="ZSTD")
    write_deltalake(sys.argv[1] + "/lake", cursor.fetch_record_batch(), writer_properties=zstd)
"""
LOAD_DLT = """
import sys
import dlt
from dlt.sources.sql_database import sql_table
options = {} if sys.argv[4] == "sqlalchemy" else {"backend": sys.argv[4]}
if sys.argv[4] == "connectorx":
    options["backend_kwargs"] = {"return_type": "arrow"}
url = sys.argv[2].replace("postgresql://", "postgresql+psycopg2://") if sys.argv[4] != "connectorx" else sys.argv[2]
table = sql_table(credentials=url, table="noria_benchmark", chunk_size=100_000, **options)
pipeline = dlt.pipeline("orders", pipelines_dir=sys.argv[1], dataset_name="shop",
                        destination=dlt.destinations.filesystem(f"file://{sys.argv[1]}/lake"))
pipeline.run(table, loader_file_format="parquet", table_format="delta")
"""


def took(code: str, *options: str, python: str = sys.executable, times: int = TIMES) -> tuple[float, float]:
    return seconds(code, URL, str(ROWS), *(options or ("",)), python=python, times=times)


def main() -> None:
    subprocess.run(["psql", "-q", URL, "-v", "ON_ERROR_STOP=1", "-c", TABLE], check=True, stderr=subprocess.DEVNULL)
    read = f"PostgreSQL, {ROWS:,} rows of 8 columns, read"
    ours, memory = took(READ)
    ranged, _ = took(READ, "id")
    note = f"peak {memory:,.0f} MB; in two ranges {ranged:.2f} s"
    for peer, code, library in (
        ("ADBC", READ_ADBC, "adbc-driver-postgresql"),
        ("connectorx", READ_CONNECTORX, "connectorx"),
    ):
        theirs, peak = took(code)
        Comparison(
            read, "s", ours, peer, theirs, "", f"{note}; {peer} {peak:,.0f} MB", {library: version(library)}
        ).say()
    load = f"PostgreSQL, {ROWS:,} rows of 8 columns, to the lake with 6 rules and a key"
    ours, memory = took(LOAD)
    theirs, peak = took(LOAD_ADBC)
    note = f"peak {memory:,.0f} MB, {peak:,.0f} MB; theirs without a contract"
    versions = {name: version(name) for name in ("adbc-driver-postgresql", "deltalake")}
    Comparison(load, "s", ours, "ADBC into delta-rs", theirs, "0.77x", note, versions).say()
    python = str(python_with("dlt[deltalake,sql_database]>=1.31", "sqlalchemy<2.1", "psycopg2-binary", "connectorx"))
    dlt = "from importlib.metadata import version; print(version('dlt'))"
    versions = {"dlt": subprocess.run([python, "-c", dlt], capture_output=True, text=True, check=True).stdout.strip()}
    for backend, goal, times in (("connectorx", "3x", TIMES), ("pyarrow", "3x", 1), ("sqlalchemy", "20x", 1)):
        theirs, peak = took(LOAD_DLT, backend, python=python, times=times)
        note = f"peak {memory:,.0f} MB, {peak:,.0f} MB; dlt without a contract" + (
            "; its default" if goal == "20x" else ""
        )
        Comparison(load, "s", ours, f"dlt, {backend}", theirs, goal, note, versions).say()


if __name__ == "__main__":
    main()
