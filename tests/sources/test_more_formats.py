"""Avro, Excel, and what is said of a file where its name does not say it."""

import datetime as dt
import io
import json
from decimal import Decimal

import fastavro
import openpyxl
import polars as pl
import pytest

import noria as nr
from noria.core import DataError, DeclarationError
from noria.declarations import Incremental, Source
from noria.sources import Ask, connector, read
from noria.sources.formats import delimited, json_lines

NESTED = {"type": "record", "name": "place", "fields": [{"name": "x", "type": "double"}]}
AVRO = {
    "type": "record", "name": "row",
    "fields": [
        {"name": "n", "type": ["null", "long"]},
        {"name": "s", "type": "string"},
        {"name": "b", "type": "boolean"},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "color", "type": {"type": "enum", "name": "color", "symbols": ["red", "blue"]}},
        {"name": "raw", "type": "bytes"},
        {"name": "place", "type": ["null", NESTED]},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "either", "type": ["null", "long", "string"]},
    ],
}  # fmt: skip
AT = dt.datetime(2024, 1, 31, 5, 6, 7, 8, tzinfo=dt.UTC)
RECORD = {"n": 1, "s": "é", "b": True, "day": dt.date(2024, 1, 31), "at": AT, "price": Decimal("1.50"), "color": "red",
          "raw": b"\xff", "place": {"x": 0.5}, "tags": ["a", "b"], "either": "x"}  # fmt: skip


def avro(*records, codec="deflate") -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema(AVRO), records, codec=codec)
    return out.getvalue()


def test_avro_has_types_and_what_is_nested_is_json(tmp_path):
    (tmp_path / "a.avro").write_bytes(avro(RECORD, {**RECORD, "n": None, "place": None, "either": 3}))
    found = read(Source("s", "a.avro"), tmp_path).drop("_row")
    assert found.row(0) == (1, "é", True, dt.date(2024, 1, 31), AT, Decimal("1.50"), "red", b"\xff", '{"x":0.5}',
                            '["a","b"]', "x")  # fmt: skip
    assert found["n"].to_list() == [1, None]
    assert found["place"].to_list() == ['{"x":0.5}', None]
    assert found["either"].to_list() == ["x", "3"]


def test_avro_that_is_broken(tmp_path):
    whole = avro(*[RECORD] * 100)
    for data in (b"", b"Obj\x01", whole[:100], whole[:-20], whole[:200] + b"\xff" * 20 + whole[220:]):
        (tmp_path / "a.avro").write_bytes(data)
        with pytest.raises(DataError, match="source 's'"):
            read(Source("s", "a.avro"), tmp_path)


def workbook(*sheets) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.remove(book.active)
    for number, rows in enumerate(sheets, 1):
        sheet = book.create_sheet(f"sheet {number}")
        for row in rows:
            sheet.append(row)
    book.save(out)
    return out.getvalue()


CELLS = [
    ["n", "x", "zip", "day", "at", "ok", "mixed"],
    [1, 1e-12, "00501", dt.date(2024, 1, 31), dt.datetime(2024, 1, 31, 5, 6, 7), True, "x"],
    [None] * 7,
    [-2, 1.5, "1", dt.date(2024, 2, 1), dt.datetime(2024, 1, 31), False, 3],
]


def test_excel_cells_are_read_as_they_are(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(workbook(CELLS))
    found = read(Source("s", "a.xlsx"), tmp_path).drop("_row")
    assert found.to_dict(as_series=False) == {
        "n": [1, -2], "x": [1e-12, 1.5], "zip": ["00501", "1"], "day": [dt.date(2024, 1, 31), dt.date(2024, 2, 1)],
        "at": [dt.datetime(2024, 1, 31, 5, 6, 7, tzinfo=dt.UTC), dt.datetime(2024, 1, 31, tzinfo=dt.UTC)],
        "ok": [True, False], "mixed": ["x", "3"],
    }  # fmt: skip


def test_a_sheet_must_be_named_where_there_are_several(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(workbook([["a"], [1]], [["title"], ["b"], [2]]))
    with pytest.raises(DataError, match="2 sheets") as caught:
        read(Source("s", "a.xlsx"), tmp_path)
    assert "sheet 1, sheet 2" in str(caught.value)
    for sheet in (1, "sheet 1"):
        assert read(Source("s", nr.files("a.xlsx", sheet=sheet)), tmp_path)["a"].to_list() == [1]
    assert read(Source("s", nr.files("a.xlsx", sheet=2, skip=1)), tmp_path)["b"].to_list() == [2]
    assert read(Source("s", nr.files("a.xlsx", sheet=1, header=["z"])), tmp_path)["z"].to_list() == ["a", "1"]
    for sheet in (0, 3, "no", -1):
        with pytest.raises(DataError, match="no such sheet"):
            read(Source("s", nr.files("a.xlsx", sheet=sheet)), tmp_path)
    with pytest.raises(DataError, match="cannot be parsed"):
        read(Source("s", nr.files("a.xlsx", sheet=1, header=["y", "z"])), tmp_path)


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.xlsb", "a.ods"])
def test_a_workbook_that_is_none(tmp_path, name):
    whole = workbook(CELLS)
    for data in (b"", b"PK", b"x" * 1000, whole[:1000], whole[:-100], whole[:200] + b"\xff" * 50 + whole[250:]):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match="source 's'"):
            read(Source("s", name), tmp_path)


def put(folder, text, name="a.txt", encoding="utf-8"):
    (folder / name).write_bytes(text.encode(encoding))


@pytest.mark.parametrize(
    ("text", "options", "rows"),
    [
        ("a;b\n1;x\n", {"separator": ";"}, [(1, "x")]),
        ("a|b\n'1'|'x|y'\n", {"separator": "|", "quote": "'"}, [(1, "x|y")]),
        ('a,b\n1,"x\n2,y"\n', {"quote": ""}, [(1, '"x'), (2, 'y"')]),
        ("# by\n\n# me\na,b\n1,x\n", {"skip": 3}, [(1, "x")]),
        ("1,x\n2,y\n", {"header": False}, [(1, "x"), (2, "y")]),
        ("1,x\n", {"header": ["n", "t"]}, [(1, "x")]),
        ("a,b\n1,x", {"header": True}, [(1, "x")]),
    ],
)
def test_what_is_said_of_a_text(tmp_path, text, options, rows):
    put(tmp_path, text)
    found = read(Source("s", nr.files("a.txt", format="csv", **options)), tmp_path)
    assert found.drop("_row").rows() == rows
    if options.get("header") is False:
        assert found.columns == ["_row", "column_1", "column_2"]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "utf-8-sig", "UTF8"])
def test_encodings(tmp_path, encoding):
    text = "a,b\n1,é\n" * 1 + "2,ü\n" * 300_000
    put(tmp_path, text, "a.csv", encoding)
    found = read(Source("s", nr.files("a.csv", encoding=encoding)), tmp_path)
    assert found["b"].value_counts(sort=True).rows() == [("ü", 300_000), ("é", 1)]
    (tmp_path / "a.jsonl").write_bytes('{"b": "é"}\n'.encode(encoding))
    assert read(Source("s", nr.files("a.jsonl", encoding=encoding)), tmp_path)["b"].to_list() == ["é"]


def test_a_wrong_encoding_is_said(tmp_path):
    put(tmp_path, "a,b\n1,é\n", "a.csv", "latin-1")
    with pytest.raises(DataError, match="not of its encoding") as caught:
        read(Source("s", nr.files("a.csv", encoding="ascii")), tmp_path)
    assert "line 2" in str(caught.value.place)
    for encoding in ("klingon", "hex", "rot13"):
        with pytest.raises(DeclarationError, match="no such encoding"):
            read(Source("s", nr.files("a.csv", encoding=encoding)), tmp_path)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("a.jsonl", {"separator": ";"}), ("a.jsonl", {"header": False}), ("a.parquet", {"encoding": "latin-1"}),
        ("a.parquet", {"skip": 1}), ("a.arrow", {"sheet": 1}), ("a.csv", {"sheet": 1}), ("a.xlsx", {"quote": "'"}),
        ("a.avro", {"separator": ","}), ("a.csv", {"store": {"region": "x"}}), ("a.csv", {"hosts": "example.org"}),
        ("a.csv", {"sign_in": nr.ssh("ann")}),
    ],
)  # fmt: skip
def test_what_a_format_has_not_is_refused(tmp_path, name, option):
    (tmp_path / name).write_bytes(b"x")
    from noria.sources import fingerprint

    for ask in (read, fingerprint):
        with pytest.raises(DeclarationError, match="has no such thing"):
            ask(Source("s", nr.files(name, **option)), tmp_path)


@pytest.mark.parametrize("bad", [{"separator": ""}, {"separator": ";;"}, {"separator": "\n"}, {"separator": "é"},
                                 {"quote": "ab"}, {"skip": -1}, {"format": "doc"}, {"compression": "rar"}])  # fmt: skip
def test_what_cannot_be_is_refused_at_once(bad):
    with pytest.raises(DeclarationError):
        nr.files("a.csv", **bad)


def test_format_and_compression_where_the_name_does_not_say(tmp_path):
    import gzip

    (tmp_path / "export").write_bytes(gzip.compress(b"a\n1\n"))
    assert read(Source("s", nr.files("export", format="csv", compression="gz")), tmp_path)["a"].to_list() == [1]
    (tmp_path / "plain.csv.gz").write_bytes(b"a\n1\n")
    found = read(Source("s", nr.files("plain.csv.gz", format="csv", compression="none")), tmp_path)
    assert found["a"].to_list() == [1]


# ------------------------------------------------------------------------------------------------------- JSON lines


def lines(tmp_path, *rows) -> pl.DataFrame:
    (tmp_path / "a.jsonl").write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return read(Source("s", "a.jsonl"), tmp_path).drop("_row")


def test_json_lines_lose_nothing(tmp_path):
    big = 2**70
    found = lines(
        tmp_path,
        {"a": 1, "n": {"x": [1, {"y": None}]}, "big": big},
        "\n",
        {"b": "x", "a": 2.5, "big": 1, "mixed": "x"},
        {"mixed": 3, "a": None, "n": [1, 2]},
        {"mixed": True},
    )
    assert found["a"].to_list() == [1.0, 2.5, None, None]
    assert found["n"].to_list() == ['{"x":[1,{"y":null}]}', None, "[1,2]", None]
    assert found["big"].to_list() == [str(big), "1", None, None]
    assert found["b"].to_list() == [None, "x", None, None]
    assert found["mixed"].to_list() == [None, "x", "3", "true"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": 1, "a": 2}\n', "twice"), ('{"n": {"a": 1, "a": 2}}\n', "twice"), ('{"a": "\\ud800"}\n', ""),
        ('{"a": 1} {"a": 2}\n', ""), ('"a"\n', ""), ("[" * 100_000 + "\n", ""), ('{"a": 1', ""),
        ('{"": 1}\n', "no name"),
        ('{"a": 1e400}\n', ""), ("{'a': 1}\n", ""),
    ],
)  # fmt: skip
def test_a_line_that_is_no_row_is_named(tmp_path, line, said):
    with pytest.raises(DataError) as caught:
        lines(tmp_path, {"a": 1}, "\n", line)
    assert "line " in str(caught.value.place)
    assert said in str(caught.value)


def test_json_lines_over_many_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(json_lines, "_BLOCK", 100)
    rows = [{"n": n, **({"late": "x"} if n > 50 else {})} for n in range(100)]
    found = lines(tmp_path, *rows)
    assert found["n"].to_list() == list(range(100))
    assert found["late"].null_count() == 51
    source = Source("s", "a.jsonl")
    batches = list(connector(source).batches(Ask(source, tmp_path)))
    assert len(batches) > 10
    assert [batch.first for batch in batches][1] == len(batches[0].frame) + 1


# -------------------------------------------------------------------------------------------------- CSV over blocks


def test_a_csv_over_many_blocks_has_the_rows_and_places_of_one(tmp_path, monkeypatch):
    text = "a,b\n" + "".join(f'{n},"x\n""{n}"\n' for n in range(500))
    put(tmp_path, text, "a.csv")
    whole = read(Source("s", "a.csv"), tmp_path)
    monkeypatch.setattr(delimited, "_BLOCK", 64)
    assert read(Source("s", "a.csv"), tmp_path).equals(whole)
    source = Source("s", "a.csv")
    batches = list(connector(source).batches(Ask(source, tmp_path)))
    assert len(batches) > 10
    firsts = [batch.first for batch in batches]
    assert [batch.frame["a"][0] for batch in batches] == [str(first - 1) for first in firsts]
    for wrong, said in (("7\n", "row 501"), ("7,8,9\n", "row 501"), ('7,"x\n' + "1,2\n" * 50, "row 501")):
        put(tmp_path, text + wrong, "a.csv")
        with pytest.raises(DataError) as caught:
            read(source, tmp_path)
        assert said in str(caught.value.place), wrong


def test_a_row_longer_than_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "_BLOCK", 64)
    monkeypatch.setattr(delimited, "_LARGE_BLOCK", 4096)
    rows = "1,2\n" * 40
    put(tmp_path, "a,b\n" + rows + "1," + "x" * 1000 + "\n" + rows, "a.csv")
    found = read(Source("s", "a.csv"), tmp_path)
    assert len(found) == 81
    assert found["b"].str.len_chars().max() == 1000
    put(tmp_path, "a,b\n" + rows + '1,"x\n' + rows * 200, "a.csv")
    with pytest.raises(DataError, match="cannot be parsed") as caught:
        read(Source("s", "a.csv"), tmp_path)
    assert "after row 40" in str(caught.value.place)
    assert "quote" in str(caught.value.mend)


def test_a_hundred_thousand_columns(tmp_path):
    names = [f"c{n}" for n in range(100_000)]
    put(tmp_path, ",".join(names) + "\n" + ",".join(["1"] * len(names)) + "\n", "a.csv")
    source = Source("s", "a.csv")
    frames = [batch.frame for batch in connector(source).batches(Ask(source, tmp_path))]
    assert sum(map(len, frames)) == 1
    assert frames[-1].columns == names


# ------------------------------------------------------------------------------------------------------ incremental


def test_only_what_is_new_is_read(tmp_path):
    source = Source("s", "*.csv", incremental=Incremental())

    def since(state):
        batches = list(connector(source).batches(Ask(source, tmp_path), state))
        told = [(batch.place.rpartition("/")[2], batch.frame["a"].to_list(), batch.again) for batch in batches]
        return told, batches[-1].state if batches else state

    put(tmp_path, "a\n1\n", "a.csv")
    put(tmp_path, "a\n2\n", "b.csv")
    told, state = since(None)
    assert told == [("a.csv", ["1"], False), ("b.csv", ["2"], False)]
    assert json.loads(json.dumps(state)) == state
    assert since(state)[0] == []
    (tmp_path / "a.csv").touch()
    assert since(state)[0] == [], "times do not count"
    put(tmp_path, "a\n2\n3\n", "b.csv")
    put(tmp_path, "a\n4\n", "c.csv")
    told, state = since(state)
    assert told == [("b.csv", ["2", "3"], True), ("c.csv", ["4"], False)]
    (tmp_path / "a.csv").rename(tmp_path / "gone")
    assert since(state)[0] == []
    (tmp_path / "gone").rename(tmp_path / "a.csv")
    assert since(state)[0] == []
    assert next(connector(source).batches(Ask(source, tmp_path))).state == {
        "files": {"a.csv": state["files"]["a.csv"]}
    }, "one can stop after each file"


def test_without_incremental_there_is_no_state(tmp_path):
    put(tmp_path, "a\n1\n", "a.csv")
    source = Source("s", "a.csv")
    assert [batch.state for batch in connector(source).batches(Ask(source, tmp_path))] == [None]
