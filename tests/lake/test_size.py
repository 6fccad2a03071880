"""What a version of a table takes."""

from pathlib import Path

import polars as pl

from noria.lake import open_lake


def test_a_version_has_the_size_of_its_files(tmp_path):
    lake = open_lake(f"file://{tmp_path}")
    first = lake.write("flights", pl.DataFrame({"_row": [1], "late": [True]}), step_key="a")
    before = sum(file.stat().st_size for file in Path(lake.path("flights")).glob("*.parquet"))
    second = lake.write("flights", pl.DataFrame({"_row": range(9_999)}), step_key="b")
    after = sum(file.stat().st_size for file in Path(lake.path("flights")).glob("*.parquet"))
    assert lake.size("flights", first) == before
    assert lake.size("flights", second) == after - before
    assert lake.size("flights", 7) == lake.size("planes", 0) == 0
