"""What each format gives: the same rows, whatever they were written as and packed in."""

import gzip
import io
import math
import zipfile
from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.core import DataError, DeclarationError
from noria.declarations import Contract, Source
from noria.sources import fingerprint, read

AT = [datetime(2013, 3, 10, 7, 30, tzinfo=UTC), None, datetime(2013, 11, 3, 5, tzinfo=UTC)]
FRAME = pl.DataFrame(
    {
        "n": [1, None, -3],
        "x": [0.5, 1e10, None],
        "s": ["é", "a,b", None],
        "b": [True, False, None],
        "at": pl.Series(AT, dtype=pl.Datetime("us", "UTC")),
        "day": [date(2013, 1, 31), None, date(1970, 1, 1)],
    }
)


def text_of(frame: pl.DataFrame, separator: str = ",") -> bytes:
    return frame.write_csv(separator=separator, datetime_format="%Y-%m-%dT%H:%M:%SZ").encode()


def written(frame: pl.DataFrame, kind: str) -> bytes:
    out = io.BytesIO()
    if kind in (".csv", ".tsv"):
        return text_of(frame, "\t" if kind == ".tsv" else ",")
    if kind in (".jsonl", ".ndjson"):
        frame.with_columns(pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"), pl.col("day").cast(pl.String)).write_ndjson(
            out
        )
    elif kind == ".parquet":
        frame.write_parquet(out)
    else:
        frame.write_ipc(out)
    return out.getvalue()


def packed(data: bytes, packing: str, name: str) -> bytes:
    if packing == ".gz":
        return gzip.compress(data)
    if packing == ".zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
            archive.writestr(f"__MACOSX/._{name}", b"shadow")
        return out.getvalue()
    if packing == ".zst":
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(data)
        return sink.getvalue().to_pybytes()
    return data


@pytest.mark.parametrize("packing", ["", ".gz", ".zip", ".zst"])
@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather"])
def test_every_format_packed_every_way_gives_the_same_rows(tmp_path, kind, packing):
    (tmp_path / f"data{kind}{packing}").write_bytes(packed(written(FRAME, kind), packing, f"data{kind}"))
    found = read(Source("s", f"data{kind}{packing}"), tmp_path)
    assert found["_row"].to_list() == [1, 2, 3]
    assert found.schema["_row"] == pl.Int64
    assert found.drop("_row").equals(FRAME)


def test_an_archive_may_hide_the_format_of_what_it_holds(tmp_path):
    (tmp_path / "data.zip").write_bytes(packed(b"a\n1\n", ".zip", "inside.csv"))
    assert read(Source("s", "data.zip"), tmp_path)["a"].to_list() == [1]


def test_a_stream_of_arrow_is_read_as_a_file_of_it(tmp_path):
    FRAME.write_ipc_stream(tmp_path / "data.arrow")
    assert read(Source("s", "data.arrow"), tmp_path).drop("_row").equals(FRAME)


def of(text: str, tmp_path, **fields) -> pl.DataFrame:
    (tmp_path / "data.csv").write_bytes(text.encode())
    return read(Source("s", "data.csv", **fields), tmp_path).drop("_row")


@pytest.mark.parametrize(
    ("values", "read_as"),
    [
        (["1", "-2", ""], [1, -2, None]),
        (["9223372036854775807", "-9223372036854775808"], [2**63 - 1, -(2**63)]),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"]),  # as a number it would lose digits
        (["1" + "0" * 400, "1"], ["1" + "0" * 400, "1"]),
        (["1e400", "1"], ["1e400", "1"]),  # as a number it would be infinite
        (["1e3", "1"], [1000.0, 1.0]),
        (["1.5", "NaN"], [1.5, math.nan]),
        (["1.5", "-inf"], [1.5, -math.inf]),
        (["nan", "inf"], ["nan", "inf"]),
        (["00501", "10001"], ["00501", "10001"]),
        (["+49123", "1"], ["+49123", "1"]),
        (["1,5"], ["1,5"]),
        (["true", "FALSE"], [True, False]),
        (["yes", "no"], ["yes", "no"]),
        (["2013-02-28", ""], [date(2013, 2, 28), None]),
        (["2013-02-30"], ["2013-02-30"]),
        (["2013-02-28 05:00", "2013-03-01"], [datetime(2013, 2, 28, 5, tzinfo=UTC), datetime(2013, 3, 1, tzinfo=UTC)]),
        (["2013-02-28T05:00:00+05:30"], [datetime(2013, 2, 27, 23, 30, tzinfo=UTC)]),
        (["2013-02-28T05:00:00.123456Z"], [datetime(2013, 2, 28, 5, 0, 0, 123456, tzinfo=UTC)]),
        (["2013-02-28T05:00:00Z", "soon"], ["2013-02-28T05:00:00Z", "soon"]),
        (["28.02.2013"], ["28.02.2013"]),
        (["", ""], [None, None]),
        (["ünï\u202ecode", "😀"], ["ünï\u202ecode", "😀"]),
        ([" 1"], [" 1"]),
    ],
)
def test_a_column_of_a_text_is_of_a_kind_when_all_of_it_is(tmp_path, values, read_as):
    found = of("a,b\n" + "".join(f'"{value}",x\n' for value in values), tmp_path)["a"].to_list()
    assert [type(value) for value in found] == [type(value) for value in read_as]
    assert found == pytest.approx(read_as, nan_ok=True) if isinstance(read_as[0], float) else found == read_as


INTS = st.lists(st.none() | st.integers(-(2**70), 2**70), min_size=1)


@settings(max_examples=60, deadline=None)
@given(INTS)
def test_whole_numbers_come_back_digit_by_digit(tmp_path_factory, values):
    text = "a,b\n" + "".join(f"{'' if value is None else value},x\n" for value in values)
    found = of(text, tmp_path_factory.mktemp("ints"))["a"].to_list()
    assert [None if value is None else str(value) for value in found] == [
        None if value is None else str(value) for value in values
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1))
def test_texts_come_back_letter_by_letter(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("texts")
    frame = pl.DataFrame({"key": ["k"] * len(values), "text": [f"~{value}~" for value in values]})
    (folder / "data.csv").write_bytes(frame.write_csv(line_terminator="\r\n").encode())
    assert read(Source("s", "data.csv"), folder)["text"].to_list() == frame["text"].to_list()


def test_columns_whose_type_is_declared_stay_as_written(tmp_path):
    found = of("zip,n,x\n00501,12,1\n10001,abc,2\n", tmp_path, contract=Contract(types={"zip": "string", "n": "int"}))
    assert found["zip"].to_list() == ["00501", "10001"]
    assert found["n"].to_list() == ["12", "abc"]
    assert found["x"].to_list() == [1, 2]


def test_null_values_mean_null_in_texts_only(tmp_path):
    text = "a,b\nNA,n/a\n1,NA\n"
    assert of(text, tmp_path, null_values=["NA", "n/a"]).rows() == [(None, None), (1, None)]
    assert of(text, tmp_path, null_values="n/a").rows() == [("NA", None), ("1", "NA")]
    FRAME.write_parquet(tmp_path / "data.parquet")
    source = Source("s", "data.parquet", null_values="NA")
    with pytest.raises(DeclarationError, match="null values can only be named") as caught:
        fingerprint(source, tmp_path)
    assert "data.parquet" in str(caught.value)


def test_moments_of_typed_formats_are_in_utc(tmp_path):
    at = [datetime(2013, 7, 1, 12)]
    frame = pl.DataFrame(
        {
            "naive": pl.Series(at, dtype=pl.Datetime("ms")),
            "tokyo": pl.Series(at, dtype=pl.Datetime("ns")).dt.replace_time_zone("Asia/Tokyo"),
            "label": pl.Series(["a"], dtype=pl.Categorical()),
        }
    )
    frame.write_parquet(tmp_path / "data.parquet")
    found = read(Source("s", "data.parquet"), tmp_path)
    assert found.schema["naive"] == found.schema["tokyo"] == pl.Datetime("us", "UTC")
    assert found.row(0)[1:] == (datetime(2013, 7, 1, 12, tzinfo=UTC), datetime(2013, 7, 1, 3, tzinfo=UTC), "a")


def test_line_ends_quotes_blank_lines_and_a_mark(tmp_path):
    assert of('\ufeffa,"b ""x"""\r\n1,"two\nlines"\r\n\r\n2,\r\n', tmp_path).to_dict(as_series=False) == {
        "a": [1, 2], 'b "x"': ["two\nlines", None],
    }  # fmt: skip
    assert of('a,b\n1,5" pipe\n2,x', tmp_path)["b"].to_list() == ['5" pipe', "x"]


@pytest.mark.parametrize(
    ("text", "said", "place"),
    [
        ("a,b\n1,2\n3\n", "a row has 1 fields, the header has 2", "row 2"),
        ("a,b\n1,2\n3,4,5\n", "a row has 3 fields, the header has 2", "row 2"),
        ('a,b\n1,"x\n2,y\n', "a quote is never closed", "row 1"),
        ("a,b,a\n1,2,3\n", "a column stands twice in the header", "line 1"),
        ("a,,b\n1,2,3\n", "a column has no name", "line 1"),
        ("", "the file is empty", ""),
        (" \n\n", "the file is empty", ""),
        ("a,b\n", "there are columns but no row", ""),
        ("a,b", "there are columns but no row", ""),
        ("_row,b\n1,2\n", "has a column '_row'", ""),
    ],
)
def test_what_is_wrong_with_a_text_is_said_with_its_place(tmp_path, text, said, place):
    with pytest.raises(DataError) as caught:
        of(text, tmp_path)
    assert said in caught.value.message
    assert "source 's'" in caught.value.message
    assert "data.csv" in str(caught.value.place)
    assert place in str(caught.value.place)
    assert caught.value.mend
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("name", "data", "said", "line"),
    [
        ("data.jsonl", b'{"a": 1}\n{"a": \n', "cannot be parsed", "line 2"),
        ("data.jsonl", b'{"a": 1}\n[1]\n', "cannot be parsed", "line 2"),
        ("data.jsonl", b'{"a": NaN}\n', "cannot be parsed", "line 1"),
        ("data.jsonl", b'{"a": 1e400}\n', "cannot be parsed", "line 1"),
        ("data.parquet", b"PAR1 is how it begins", "cannot be parsed", ""),
        ("data.arrow", b"ARROW1 is how it begins", "cannot be parsed", ""),
        ("data.feather", b"nothing like it", "cannot be parsed", ""),
        ("data.xlsx", b"PK", "cannot be parsed", ""),
        ("data", b"a,b\n", "unknown format", ""),
    ],
)  # fmt: skip
def test_a_file_that_is_not_what_its_name_says(tmp_path, name, data, said, line):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        read(Source("s", name), tmp_path)
    assert said in caught.value.message
    assert name in str(caught.value.place)
    assert line in str(caught.value.place)
    assert caught.value.value
    assert caught.value.mend
