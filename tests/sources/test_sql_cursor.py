"""The cursor as text and back, and transactions that a row's number tells."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.sources.postgresql_changes import series
from noria.sources.sql_cursor import Cursor
from noria.sources.sql_late import _between


@given(st.one_of(
    st.tuples(st.just("int"), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just("float"), st.floats(allow_nan=False)),
    st.tuples(st.just("date"), st.dates()),
    st.tuples(st.just("timestamp"), st.datetimes(timezones=st.just(dt.UTC))),
    st.tuples(st.just("string"), st.text()),
))  # fmt: skip
def test_text_gives_the_same_value_back(pair):
    kind, value = pair
    cursor = Cursor("c", kind)
    assert cursor.restored({"cursor": cursor.text(value), "type": kind}) == value


@given(st.integers(3, 2**40), st.integers(0, 2**20), st.integers(-(2**20), 2**21))
def test_a_rows_number_of_32_bits_tells_whether_it_lies_between(low, count, step):
    number = low + step
    if number < 3:
        return
    text = _between(low, low + count).replace("xmin::text::int8", str(number % 2**32))
    assert eval(text) == (low <= number < low + count)  # noqa: S307


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("float8", b"Infinity", float("inf")),
        ("float8", b"-Infinity", float("-inf")),
        ("float4", b"1.5", 1.5),
        ("numeric", b"12.34", 12.34),
        ("bool", b"f", False),
        ("money", b"-$1,234.50", -1234.5),
        ("bytea", b"\\x00ff", b"\x00\xff"),
        ("timestamp", b"12024-01-01 00:00:00", dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),
        ("timestamptz", b"0044-03-15 00:00:00+00 BC", dt.datetime(1, 1, 1, tzinfo=dt.UTC)),
        ("timestamptz", b"2024-01-01 00:00:00.5+00", dt.datetime(2024, 1, 1, 0, 0, 0, 500000, dt.UTC)),
        ("date", b"infinity", dt.date(9999, 12, 31)),
        ("_int4", b"{1,NULL}", "{1,NULL}"),
    ],
)
def test_a_text_of_the_log_is_the_value(kind, text, value):
    assert series("x", kind, [None, text]).to_list() == [None, value]
