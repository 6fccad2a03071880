"""What texts are: found over batches as over the whole, and as the naive reading of each value says."""

import math
import re
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from noria.expressions import parse, to_python
from noria.sources import kinds
from noria.sources.kinds import KindsFold, as_kinds, misfits, odd_value, with_kinds

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(width=32).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: f"{x:e}"),
    st.dates(date(1, 1, 1)).map(str),
    st.datetimes().map(str),
    st.datetimes(datetime(1000, 1, 1), datetime(2999, 1, 1)).map(lambda t: t.isoformat(timespec="seconds") + "Z"),
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(lambda t: t.isoformat(" ", timespec="seconds")),
    st.sampled_from([
        "nan", "NaN", "inf", "-INF", "+infinity", "1e400", "-0", "+1", "007", ".5", "5.", "1,5", " 1", "1 ", "", "true",
        "False", "yes", "t", "2013-02-30", "2013-02-28", "2013-02-28 24:00:00", "2013-02-28 23:59:60",
        "2013-02-28 05:00",
        "2013-02-28T05:00:00+05:30", "0000-01-01", "0000-01-01 00:00:00", "9999-12-31T23:59:59-14:00", "2013-1-1",
        "2013-02-28 05:00:00.1234567", "2013-02-28T05:00:00.5Z", "9223372036854775807", "9223372036854775808", "1e18",
        "1_000", "١٢", "1\n", "0x10", "1e5", "-", "2013-02-28\n", "2013-02-28 05:00:00.", "NaN\n", "1d", "1f",
    ]),
)  # fmt: skip
NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
WORD = re.compile(r"(?i:nan|[+-]?inf(?:inity)?)")
WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)")
TO = {kind: to_python(parse(f"CAST(x AS {sql})"), {"x": "string"})
      for kind, sql in (("bool", "boolean"), ("date", "date"), ("timestamp", "timestamp"))}  # fmt: skip


def naive(text, kind):
    """One value as of a kind, None where it is not."""
    if kind == "int":
        return int(text) if WHOLE.fullmatch(text) and -(2**63) <= int(text) < 2**63 else None
    if kind == "float":
        if WORD.fullmatch(text):
            return float(text)
        fits = NUMBER.fullmatch(text) and (not WHOLE.fullmatch(text) or naive(text, "int") is not None)
        return float(text) if fits and math.isfinite(float(text)) else None
    if kind == "bool" and text.lower() not in ("true", "false"):
        return None
    return TO[kind]({"x": text})


def naive_kind(texts):
    present = [text for text in texts if text is not None]
    if not present:
        return "null"
    for kind in ("int", "float", "bool", "date", "timestamp"):
        only_words = kind == "float" and all(WORD.fullmatch(text) for text in present)
        if not only_words and all(naive(text, kind) is not None for text in present):
            return kind
    return "string"


def same(one, other):
    return one == other or (isinstance(one, float) and isinstance(other, float) and math.isnan(one + other))


@settings(max_examples=300, deadline=None)
@given(st.lists(VALUES, max_size=6), st.sampled_from(["int", "float", "bool", "date", "timestamp"]))
def test_each_value_is_read_as_the_naive_reading_says(texts, kind):
    found = as_kinds(pl.DataFrame({"x": pl.Series(texts, dtype=pl.String)}), {"x": kind})["x"].to_list()
    for text, value in zip(texts, found, strict=True):
        assert same(value, None if text is None else naive(text, kind)), text


COLUMNS = st.lists(st.lists(VALUES, max_size=4), min_size=1, max_size=4) | VALUES.flatmap(
    lambda value: st.lists(st.lists(st.sampled_from([value, None]), max_size=3), min_size=1, max_size=3)
)


@settings(max_examples=300, deadline=None)
@given(COLUMNS)
def test_batches_are_of_the_kind_of_the_whole(parts):
    frames = [pl.DataFrame({"x": pl.Series(part, dtype=pl.String)}) for part in parts]
    fold, merged = KindsFold(), KindsFold()
    for frame in frames:
        fold.observe(frame)
        one = KindsFold()
        one.observe(frame)
        merged = one.merge(merged)
    texts = [text for part in parts for text in part]
    assert fold.kinds() == merged.kinds() == {"x": naive_kind(texts)}
    cast = pl.concat([as_kinds(frame, fold.kinds()) for frame in frames])
    assert_frame_equal(cast, with_kinds(pl.concat(frames), ()))
    assert_frame_equal(cast, pl.concat([as_kinds(frame, fold.kinds(), sure=True) for frame in frames]))
    assert not misfits(pl.concat(frames), fold.kinds())


def test_columns_side_by_side_are_as_one_after_the_other(monkeypatch):
    texts = {"n": ["1", "-2", None], "x": ["1.5", "nan", "1"], "d": ["2024-01-31"] * 3, "b": ["true", None, "FALSE"]}
    frame = pl.DataFrame(texts | {"s": ["a", "b", "c"]})
    one = with_kinds(frame, ())
    monkeypatch.setattr(kinds, "_MANY_ROWS", 0)
    assert_frame_equal(with_kinds(frame, ()), one)
    assert [str(dtype) for dtype in one.dtypes] == ["Int64", "Float64", "Date", "Boolean", "String"]


def test_columns_may_come_and_go_and_texts_alone_are_looked_at():
    fold = KindsFold()
    fold.observe(pl.DataFrame({"a": ["1"], "n": [1], "none": [None]}))
    fold.observe(pl.DataFrame({"b": ["x"], "none": ["2013-01-31"]}))
    assert fold.kinds() == {"a": "int", "none": "date", "b": "string"}


def test_what_does_not_fit_is_null_and_told():
    frame = pl.DataFrame({"n": ["1", "2.5", None], "t": ["2013-01-31", "soon", None], "z": ["a", None, None]})
    wanted = {"n": "int", "t": "date", "z": "string", "not_there": "int"}
    assert as_kinds(frame, wanted).rows() == [(1, date(2013, 1, 31), "a"), (None, None, None), (None, None, None)]
    assert {name: rows.to_list() for name, rows in misfits(frame, wanted).items()} == {
        "n": [False, True, False], "t": [False, True, False],
    }  # fmt: skip
    assert as_kinds(frame, {"z": "null"}).schema["z"] == pl.Null


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M"])
def test_moments_of_one_form_are_as_the_cast_reads_them(form):
    times = [datetime(1999, 12, 31, 23, 59, 59, 999999), datetime(2024, 2, 29, 0, 0, 0, 1)]
    texts = [time.strftime(form) for time in times]
    found = as_kinds(pl.DataFrame({"x": [*texts, None]}), {"x": "timestamp"})["x"].to_list()
    assert found == [datetime.strptime(text, form).replace(tzinfo=UTC) for text in texts] + [None]


def parts(*usual, odd):
    """Mostly what is usual, so that many a text is a moment."""
    return st.one_of(*[st.sampled_from(usual)] * 4, st.sampled_from(odd))


MOMENTS = st.tuples(
    parts("1000", "2024", "9999", odd=["0000", "0999"]),
    parts("-01-31", "-02-29", odd=["-02-30", "-1-1", "0131", "-13-01"]),
    parts(" ", "T", odd=["t", "  ", "_"]),
    parts("00:00:00", "10:59:59", odd=["10", "24", "10:00", "100000", "10:60:00", "23:59:60", "10:00:0"]),
    parts("", ".5", ".123456", odd=[".", ".1234567"]),
    parts("", "Z", odd=["z", "+01", "+0100", "+01:00", "+24:00", " UTC"]),
).map("".join)


@given(texts=st.lists(MOMENTS, min_size=1, max_size=2))
@example(texts=["2024-01-31T10:00:00Z", "2024-01-31T10:00:00+01:00"])
@example(texts=["2024-01-31 10:00:00", "2024-01-31T10"])
@settings(max_examples=300)
def test_the_fast_way_reads_moments_as_the_cast_does(texts):
    found = as_kinds(pl.DataFrame({"x": texts}), {"x": "timestamp"})
    for text, moment in zip(texts, found["x"], strict=True):
        beside = as_kinds(pl.DataFrame({"x": [text, "no time"]}), {"x": "timestamp"})  # which has not one form
        assert moment == beside["x"][0], text


def test_the_odd_one_out_is_found():
    assert odd_value(pl.Series(["1", "x", "2", "nan"])) == (1, "x")
    assert odd_value(pl.Series(["1", "00501", "2", None])) == (1, "00501")
    assert odd_value(pl.Series(["a", "b", "1"])) is None
