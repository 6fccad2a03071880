"""What of a REST source needs no server: its declaration, rows, cursors and peers."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import noria as nr
from noria.core import DataError, DeclarationError, content_key
from noria.declarations import dump, restore
from noria.sources import rest_client
from noria.sources.rest_peers import Peers
from noria.sources.rest_rows import decoded, frame_of, rows_at, value_at
from noria.sources.rest_since import Since


def test_a_declaration_is_data():
    one = nr.rest(
        "https://shop.example/v2", "/orders", params={"a": 1, "key": nr.secret("KEY")}, headers={"B": "c"},
        rows="$.items[*]", paginate=nr.cursor("meta.next", param="after"), sign_in=nr.basic("ann", nr.secret("PW")),
        version=("V", "1"), method="POST", body={"q": [1, {"x": None}]}, rate="10/s", hosts=["b.example"],
    )  # fmt: skip
    for copy in (restore(dump(one)), pickle.loads(pickle.dumps(one))):
        assert copy == one
        assert hash(copy) == hash(one)
    assert content_key(one) != content_key(one.replace(rows="$[*]"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"url": "shop.example"}, "https:// URL"),
        ({"url": "ftp://shop.example"}, "https:// URL"),
        ({"url": "https://ann:hunter2@shop.example"}, "by reference"),
        ({"url": "https://shop.example?key=hunter2"}, "by reference"),
        ({"body": {"a": 1}}, "body says nothing"),
        ({"method": "DELETE"}, "method"),
        ({"rate": "fast"}, "rate"),
        ({"rate": "0/s"}, "rate"),
        ({"most_pages": 0}, "most_pages"),
    ],
)
def test_what_cannot_be_declared(fields, message):
    with pytest.raises(DeclarationError, match=message):
        nr.rest(**{"url": "https://shop.example", **fields})


def test_a_key_has_one_place():
    from noria.sources.sign_in import ApiKey

    for wrong in ({}, {"header": "A", "param": "b"}, {"header": "a b"}, {"header": "A\r\nB"}):
        with pytest.raises(DeclarationError):
            ApiKey(nr.secret("KEY"), **wrong)
    assert nr.api_key(nr.secret("KEY")).header == "X-Api-Key"


def test_paths_to_rows():
    answer = {"data": [{"rows": [{"id": 1}]}, {"rows": [{"id": 2}]}], "by": {"a": {"id": 3}, "b": {"id": 4}}}
    assert [row["id"] for row in rows_at("$.data[*].rows[*]", answer, "")] == [1, 2]
    assert [row["id"] for row in rows_at("$.by[*]", answer, "")] == [3, 4]
    assert [row["id"] for row in rows_at("$..rows[?@.id > 1]", answer, "")] == [2]
    assert rows_at("$", {"id": 1}, "") == [{"id": 1}]
    assert value_at("data[0].rows[0].id", answer) == 1
    with pytest.raises(DataError, match="no rows where they should be"):
        rows_at("$.items[*]", answer, "")
    with pytest.raises(DeclarationError, match="no JSON path"):
        rows_at("$.[", answer, "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=4), max_size=8))
def test_every_value_is_kept(rows):
    if rows and not any(rows):
        with pytest.raises(DataError, match="no columns"):
            frame_of(rows)
        return
    frame = frame_of(rows)
    assert len(frame) == len(rows)
    for name in frame.columns:
        for row, value in zip(rows, frame[name].to_list(), strict=True):
            given = row.get(name)
            if given is None:
                assert value is None
            elif isinstance(value, str) and not isinstance(given, str):
                assert decoded(value.encode(), "") == given
            else:
                assert value == given
                assert isinstance(value, bool) == isinstance(given, bool)


def since(cursor="at", state=None, **fields):
    return Since(nr.Source("x", "x.csv", incremental=nr.Incremental(cursor, **fields)), state)


@pytest.mark.parametrize(
    ("values", "greatest"),
    [
        (["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z"], "2026-01-01T00:00:00.5Z"),
        (["2026-01-01T02:00:00+02:00", "2026-01-01T00:30:00Z"], "2026-01-01T00:30:00Z"),
        (["2026-01-02", "2026-01-01"], "2026-01-02"),
        ([3, 20, None, 7], 20),
        ([1.5, 1], 1.5),
        (["9", "10"], "9"),  # texts
        (["20260101", "20260102"], "20260102"),
        ([None], None),
    ],
)
def test_the_greatest_value(values, greatest):
    one = since()
    one.follow([{"at": value} for value in values], "")
    assert one.state == (None if greatest is None else {"cursor": greatest})
    assert one.asked() == (repr(greatest) if isinstance(greatest, float) else greatest)


@pytest.mark.parametrize(
    ("greatest", "lookback", "asked"),
    [
        ("2026-01-01T00:00:10Z", "15s", "2025-12-31T23:59:55Z"),
        ("2026-01-01 00:00:10", "15s", "2025-12-31 23:59:55"),
        ("2026-01-01T00:00:10.250+02:00", "15s", "2025-12-31T23:59:55.250+02:00"),
        ("2026-01-01T00:00:10.250001Z", "1us", "2026-01-01T00:00:10.250000Z"),
        ("2026-01-01", "1d", "2025-12-31"),
        (100, 30, 70),
        (1.5, 0.25, "1.25"),
    ],
)
def test_looking_back(greatest, lookback, asked):
    assert since(state={"cursor": greatest}, lookback=lookback).asked() == asked


def test_cursors_that_are_none():
    with pytest.raises(DataError, match="values of two kinds"):
        since().follow([{"at": 1}, {"at": "2026-01-01"}], "")
    for wrong in ([1], {"a": 1}, True):
        with pytest.raises(DataError, match="no cursor"):
            since().follow([{"at": wrong}], "")
    with pytest.raises(DeclarationError, match="no looking back from a text"):
        since(state={"cursor": "abc"}, lookback="1s").asked()


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "fe80::1%eth0", "0.0.0.0",
     "224.0.0.1", "100.100.100.200", "fd00:ec2::254", "::", "255.255.255.255", "::169.254.169.254", "169.254.0.7"],
)  # fmt: skip
def test_where_clouds_keep_credentials_nobody_leads_us(address):
    with pytest.raises(DataError, match="no source is read from such an address"):
        Peers("shop.example").check(address)


def test_a_name_that_led_outside_does_not_lead_inside_later():
    peers = Peers("shop.example")
    for address in ("10.0.0.1", "127.0.0.1", "93.184.216.34", "2606:2800:220:1::1"):
        peers.check(address)
    for address in ("10.0.0.1", "127.0.0.1", "::1", "::ffff:10.0.0.1", "fd12::1"):
        with pytest.raises(DataError, match="leads inside now"):
            peers.check(address)


def test_a_proxy_of_the_environment_is_used_but_where_it_says_not_to(monkeypatch):
    import httpx2

    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    assert rest_client._proxy(httpx2.URL("https://shop.example")) == "http://proxy.example:3128"
    assert rest_client._proxy(httpx2.URL("https://inside.example")) is None
