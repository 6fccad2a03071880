"""Other engines read the tables where they lie: DuckDB by its own Delta reader, Spark by the files that the log names.

Two of them are too heavy for every run, and are looked for in the folders that these variables name:
NORIA_DUCKDB_DELTA, 133 MB: ``pip install --target FOLDER duckdb==1.4.4 duckdb-ext-delta==1.4.4.20260205 pytz``
NORIA_PYSPARK, 493 MB: ``pip install --target FOLDER pyspark``; Spark's own Delta reader is a jar that only Maven has.
"""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable

from noria.lake import open_lake


@pytest.fixture
def lake(tmp_path):
    """A table that went through everything: columns that came, types that widened, merges, a compaction, a restore."""
    lake = open_lake(f"file://{tmp_path}/a lake")
    day = datetime(2013, 3, 10, 7, 30, 0, 123, UTC)
    rows = pl.DataFrame({"id": [1, 2, 3], "n": [1, None, 3], "at": [day, None, day], "text": ["é", None, "x" * 100]})
    lake.write("t", rows, step_key="a")
    lake.write("t", rows.with_columns(pl.col("id") + 3, pl.lit(1.5).alias("more")), step_key="b", mode="append")
    lake.write("t", pl.DataFrame({"id": [2, 9], "n": [0.5, 9.5]}), step_key="c", mode="merge", key=["id"], widen=True)
    lake.compact("t")
    lake.write("t", rows[:0], step_key="d")
    lake.restore("t", 4)
    lake.write("t", pl.DataFrame({"id": [3], "tags": [["a", None]]}), step_key="e", mode="merge", key=["id"])
    return lake


def plain(lake, version=None):
    """Its rows as JSON that every engine can say."""
    rows = lake.read("t", version).sort("id").collect()
    return [{**row, "at": row["at"] and int(row["at"].timestamp() * 1e6)} for row in rows.to_dicts()]


def files(lake):
    """The files that the log names, by their paths."""
    return [
        f"{lake.path('t')}/{name}" for name in DeltaTable(lake.path("t")).get_add_actions().column("path").to_pylist()
    ]


def folder_of(variable):
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} names no folder with the engine")
    return folder


def ran(script, folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": folder, "TZ": "UTC"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


DUCKDB = '''
import glob, json, sys
import duckdb
path, folder = sys.argv[1:]
connection = duckdb.connect()
(extension,) = glob.glob(folder + "/duckdb_ext/extensions/*/*/delta.duckdb_extension")
connection.execute(f"LOAD '{extension}'")
rows = connection.execute(
    f"""SELECT * REPLACE (epoch_us("at") AS "at") FROM delta_scan('{path}') ORDER BY id"""
).fetchall()
names = [column[0] for column in connection.description]
print(json.dumps([dict(zip(names, row)) for row in rows]))
'''

SPARK = """
import json, sys
from pyspark.sql import SparkSession, functions as f
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config(
    "spark.sql.session.timeZone", "UTC").getOrCreate()
frame = spark.read.option("mergeSchema", "true").parquet(*json.loads(sys.argv[1]))
rows = frame.withColumn("at", f.unix_micros("at")).orderBy("id").collect()
print(json.dumps([row.asDict() for row in rows]))
"""


def test_duckdb_reads_a_table_by_its_delta_extension(lake):
    folder = folder_of("NORIA_DUCKDB_DELTA")
    assert ran(DUCKDB, folder, lake.path("t"), folder) == plain(lake)


def test_spark_reads_the_files_that_the_log_names(lake):
    folder = folder_of("NORIA_PYSPARK")
    found = ran(SPARK, folder, json.dumps(files(lake)))
    expected = plain(lake)
    assert [{name: row.get(name) for name in expected[0]} for row in found] == expected


def test_duckdb_of_any_version_reads_the_files_that_the_log_names(lake):
    rows = duckdb.sql(
        'SELECT id, n, epoch_us("at"), text, more, tags FROM read_parquet($files, union_by_name = true) ORDER BY id',
        params={"files": files(lake)},
    ).fetchall()  # fmt: skip
    names = ("id", "n", "at", "text", "more", "tags")
    assert [dict(zip(names, row, strict=True)) for row in rows] == [
        {name: row[name] for name in names} for row in plain(lake)
    ]


def test_no_feature_is_asked_of_readers_that_some_lack(lake):
    protocol = DeltaTable(lake.path("t")).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    assert not protocol.reader_features
