"""A table of thousands of columns costs what its values cost: no step asks for all columns once per column."""

import time

from noria.declarations import Source
from noria.sources import read

VALUES = ("1", "2.5", "word", "2026-01-01", "true", "2026-01-01 10:00:00", "")


def wide(folder, columns):
    names = ["at", "n", *(f"c{number}" for number in range(columns - 2))]
    values = ["2026-01-01 10:00:00", "2", *(VALUES[number % len(VALUES)] for number in range(columns - 2))]
    (folder / "wide.csv").write_text(",".join(names) + "\n" + ",".join(values) + "\n")
    return Source("data", "wide.csv", event_time="at")


def test_one_row_of_three_thousand_columns_is_read_and_loaded(world):
    source = wide(world.folder, 3_000)
    began = time.process_time()
    rows = read(source, world.folder)
    spent = time.process_time() - began
    assert rows.shape == (1, 3_001)
    assert rows.row(0)[3:9] == (1, 2.5, "word", *rows.row(0)[6:9])
    assert [str(dtype) for dtype in rows.dtypes[3:8]] == ["Int64", "Float64", "String", "Date", "Boolean"]
    began = time.process_time()
    outcome = world.load(source)
    loaded = time.process_time() - began
    assert outcome.facts["kept"] == 1
    assert outcome.facts["quarantined"] == 0
    assert spent < 5, f"{spent:.1f} s to read"  # it was 60, and four times as many with twice the columns
    assert loaded < 15, f"{loaded:.1f} s to load"
