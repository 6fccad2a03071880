"""A key has one text, the same from a frame and from a row, and no two keys share it."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.features.keys import key_bytes, key_text

texts = st.text(st.sampled_from("a\x1e\x1f0 1é東🛫\0"), max_size=4) | st.none()
kinds = {
    pl.String: texts,
    pl.Int64: st.integers(-(2**63), 2**63 - 1) | st.none(),
    pl.Boolean: st.booleans() | st.none(),
    pl.Date: st.dates(date(1000, 1, 1)) | st.none(),
}


@pytest.mark.parametrize("kind", kinds, ids=str)
@given(st.data())
def test_a_frame_and_a_row_give_the_same_key(kind, data):
    rows = data.draw(st.lists(st.tuples(kinds[kind], texts), max_size=10))
    frame = pl.DataFrame(rows, schema={"one": kind, "two": pl.String}, orient="row")
    for keys in (("one",), ("one", "two")):
        of_rows = [key_bytes(row, keys) for row in frame.iter_rows(named=True)]
        assert of_rows == [None if key is None else key.encode() for key in key_text(frame, keys)]


@given(st.tuples(texts, texts), st.tuples(texts, texts))
def test_two_keys_are_one_only_if_all_parts_are(left, right):
    one, other = (key_bytes(dict(zip("ab", pair, strict=True)), ("a", "b")) for pair in (left, right))
    assert (one == other) == (left == right) or None in (one, other)


def test_a_text_that_no_table_can_hold_is_a_key_that_is_never_found():
    assert key_bytes({"a": "\ud800"}, ("a",)) == b"\xed\xa0\x80"
