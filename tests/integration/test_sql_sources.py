"""SQL sources against real servers that are stopped, locked and written to while they are read."""

import datetime as dt
import json
import threading
import time

import polars as pl
import pytest
from tests.sql_servers import mariadb, postgres

from noria.core import DataError, DeclarationError, TransientError
from noria.declarations import Incremental, Source, secret
from noria.sources import Ask, sql

PASSWORD = "sesam öffne/dich&%41"


@pytest.fixture(scope="module")
def server():
    with postgres() as running:
        running.sql(
            "CREATE TABLE many AS SELECT g::bigint id, g % 7 AS a, repeat('x', 100) AS note"
            " FROM generate_series(1, 600000) g", "ALTER TABLE many ADD PRIMARY KEY (id)",
            f"CREATE USER locked PASSWORD '{PASSWORD}'",
        )  # fmt: skip
        yield running


@pytest.fixture(scope="module")
def maria():
    with mariadb() as running:
        running.sql(
            "USE shop",
            "CREATE TABLE shop.many AS SELECT seq AS id, seq % 7 AS a, repeat('x', 100) AS note FROM seq_1_to_500000",
        )
        yield running


def asked(origin, base, **fields):
    return Ask(Source("orders", origin, **fields), base)


def rows(origin, base, since=None, **fields):
    """All rows, and the state that the last batch left."""
    batches = list(origin.batches(asked(origin, base, **fields), since))
    state = batches[-1].state
    assert state is None or json.loads(json.dumps(state)) == state
    return pl.concat([batch.frame for batch in batches]), state


# -- values --------------------------------------------------------------------------------------------------------


def test_postgresql_values_keep_their_meaning(server, tmp_path):
    server.sql(
        "CREATE TABLE odd AS SELECT 1 AS id, 'NaN'::numeric AS n, 12345678901234567890::numeric(20) AS big,"
        " '-0.01'::numeric(9,2) AS cents, 'infinity'::timestamptz AS ever, '-infinity'::date AS never,"
        " '2024-03-31 03:00+02'::timestamptz AS at, '{{1,2},{3,4}}'::int[] AS matrix, '{\"a\": 1}'::jsonb AS j,"
        " '\\x00ff'::bytea AS raw, repeat('ü', 1000000) AS long, NULL::uuid AS u"
    )
    frame, _ = rows(sql(server.url, table="odd", user="root"), tmp_path)
    row = frame.to_dicts()[0]
    assert row.pop("n") != 0
    assert len(row.pop("long")) == 1_000_000
    assert row == {
        "id": 1, "big": "12345678901234567890", "cents": -0.01, "never": dt.date(1, 1, 1),
        "ever": dt.datetime(9999, 12, 31, 23, 59, 59, 999999, dt.UTC), "matrix": "{{1,2},{3,4}}", "j": '{"a": 1}',
        "at": dt.datetime(2024, 3, 31, 1, tzinfo=dt.UTC), "raw": b"\x00\xff", "u": None,
    }  # fmt: skip


def test_mariadb_values_keep_their_meaning(maria, tmp_path):
    maria.sql(
        "SET sql_mode = ''", "SET time_zone = '+02:00'",
        "CREATE TABLE shop.odd (id bigint unsigned, n decimal(30,10), whole decimal(20,0), at timestamp NULL,"
        " zero datetime, part date, span time, bits bit(10), small tinyint(1), note longtext, kind enum('a','b'))",
        "INSERT INTO shop.odd VALUES (18446744073709551615, 0.5, 12345678901234567890, '2024-03-31 12:00:00',"
        " '0000-00-00', '2024-00-10', '-838:59:59', b'1010101010', 127, 'ü', 'b')",
    )  # fmt: skip
    frame, _ = rows(sql(maria.url, table="odd", user="reader"), tmp_path)
    assert frame.to_dicts()[0] == {
        "id": 18446744073709551615, "n": 0.5, "whole": "12345678901234567890", "zero": None, "part": None,
        "at": dt.datetime(2024, 3, 31, 10), "span": "-838:59:59", "bits": 682, "small": 127, "note": "ü", "kind": "b",
    }  # fmt: skip


@pytest.mark.parametrize("name", ['a"; DROP TABLE many; --', "a`b", "a'b", "a.b", "ü ", "a\\"])
def test_names_cannot_be_anything_else(server, maria, tmp_path, name):
    for database, quoted, user in (
        (server, '"' + name.replace('"', '""') + '"', "root"),
        (maria, "`" + name.replace("`", "``") + "`", "reader"),
    ):
        where = f"shop.{quoted}" if user == "reader" else quoted
        if user == "reader" and name.endswith(" "):
            continue  # MariaDB has no such names
        database.sql(
            f"DROP TABLE IF EXISTS {where}", f"CREATE TABLE {where} ({quoted} int)", f"INSERT INTO {where} VALUES (5)"
        )
        given = '"' + name.replace('"', '""') + '"'
        origin = sql(database.url, table=given, columns=[name], user=user)
        frame, state = rows(origin, tmp_path, incremental=Incremental(name))
        assert frame.to_dicts() == [{name: 5}]
        assert rows(origin, tmp_path, state, incremental=Incremental(name))[0].to_dicts() == [{name: 5}]


def test_a_query_may_end_in_a_comment_and_its_columns_are_checked(server, tmp_path):
    origin = sql(
        server.url, query="SELECT id, a AS b FROM many -- all;", where="b = 3 -- some", user="root", columns="b"
    )
    assert rows(origin, tmp_path)[0]["b"].unique().to_list() == [3]
    with pytest.raises(DataError, match="no column 'c'"):
        rows(origin.replace(columns=["c"]), tmp_path)
    with pytest.raises(DataError, match="stands twice") as caught:
        rows(sql(server.url, query="SELECT 1 AS x, 2 AS x", user="root"), tmp_path)
    assert "x" in str(caught.value)


def test_no_rows_still_have_columns_and_types(server, maria, tmp_path):
    for database, user in ((server, "root"), (maria, "reader")):
        origin = sql(database.url, table="many", where="id < 0", user=user)
        (batch,) = origin.batches(asked(origin, tmp_path))
        assert batch.frame.is_empty()
        assert batch.frame.schema == origin.peek(asked(origin, tmp_path)).schema


# -- one moment, bounded --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranges", [None, "id"])
def test_one_read_is_of_one_moment_in_the_same_order_each_time(server, tmp_path, ranges):
    server.sql("CREATE TABLE moving AS SELECT * FROM many")
    origin = sql(server.url, table="moving", user="root", ranges=ranges, connections=3)
    first = rows(origin, tmp_path)[0]
    reading = origin.batches(asked(origin, tmp_path))
    frames = [next(reading).frame]
    server.sql("UPDATE moving SET id = id + 1000000", "DELETE FROM moving WHERE a = 3")
    frames += [batch.frame for batch in reading]
    assert pl.concat(frames).equals(first)
    assert first["id"].sort().to_list() == list(range(1, 600_001))
    server.sql("DROP TABLE moving")


def test_ranges_hold_every_row_whatever_the_column_holds(server, tmp_path):
    server.sql(
        "CREATE TABLE spread (k bigint)",
        "INSERT INTO spread VALUES (-9223372036854775808), (-1), (0), (NULL), (NULL), (5), (9223372036854775807)",
    )
    for connections in (1, 2, 3, 7):
        frame, _ = rows(sql(server.url, table="spread", user="root", ranges="k", connections=connections), tmp_path)
        assert frame["k"].sort().to_list() == [None, None, -(2**63), -1, 0, 5, 2**63 - 1]
    with pytest.raises(DeclarationError, match="whole numbers"):
        rows(sql(server.url, table="many", user="root", ranges="note"), tmp_path)


def test_a_read_that_is_left_gives_its_connections_back(server, tmp_path):
    origin = sql(server.url, table="many", user="root", ranges="id", connections=4)
    reading = origin.batches(asked(origin, tmp_path))
    next(reading)
    reading.close()
    for _ in range(50):
        if (left := server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'noria'")) == "0":
            break
        time.sleep(0.1)
    assert left == "0"


# -- on from where it was read to -----------------------------------------------------------------------------------


@pytest.fixture
def orders(server):
    server.sql("DROP TABLE IF EXISTS orders", "CREATE TABLE orders (id int, at timestamptz)")
    return sql(server.url, table="orders", user="root")


def test_rows_that_are_committed_behind_the_cursor_arrive_without_a_lookback(server, orders, tmp_path):
    since = {"incremental": Incremental("at")}
    with server.session() as slow, server.session() as deep:
        slow.sql("BEGIN; INSERT INTO orders VALUES (1, '2024-01-01 00:00+00')")
        deep.sql("BEGIN; SAVEPOINT a; INSERT INTO orders VALUES (2, '2024-01-01 00:00+00'); RELEASE a")
        server.sql("INSERT INTO orders VALUES (3, '2024-01-02 00:00+00')")
        found, state = rows(orders, tmp_path, **since)
        assert found["id"].to_list() == [3]
        slow.sql("COMMIT")
        server.sql("INSERT INTO orders VALUES (4, '2023-01-01 00:00+00')")  # a clock that goes wrong
        found, state = rows(orders, tmp_path, state, **since)
        assert found["id"].to_list() == [4, 1, 3]
        found, state = rows(orders, tmp_path, state, **since)
        assert found["id"].to_list() == [3]
        deep.sql("COMMIT")
    found, state = rows(orders, tmp_path, state, **since)
    assert found["id"].to_list() == [2, 3]
    assert state["cursor"] == "2024-01-02T00:00:00.000000+00:00"
    found, _ = rows(orders.replace(late=False), tmp_path, state, **since)
    assert found["id"].to_list() == [3]


def test_what_equals_the_cursor_is_read_again_and_the_lookback_more(server, maria, tmp_path):
    maria.sql("DROP TABLE IF EXISTS shop.ties", "CREATE TABLE shop.ties (id int, at datetime(6))",
              "INSERT INTO shop.ties VALUES (1, '2024-01-01 00:00:00.000001'), (2, '2024-01-01 00:00:05')")  # fmt: skip
    origin = sql(maria.url, table="ties", user="reader")
    _, state = rows(origin, tmp_path, incremental=Incremental("at"))
    maria.sql("INSERT INTO shop.ties VALUES (3, '2024-01-01 00:00:05')")
    assert rows(origin, tmp_path, state, incremental=Incremental("at"))[0]["id"].sort().to_list() == [2, 3]
    found, again = rows(origin, tmp_path, state, incremental=Incremental("at", lookback="4999999us"))
    assert found["id"].to_list()[:1] == [1]
    assert again == state


def test_nothing_new_keeps_the_state(server, orders, tmp_path):
    since = {"incremental": Incremental("at")}
    server.sql("INSERT INTO orders VALUES (1, '2024-01-01')")
    _, state = rows(orders, tmp_path, **since)
    server.sql("DELETE FROM orders")
    found, after = rows(orders, tmp_path, state, **since)
    assert found.is_empty()
    assert after["cursor"] == state["cursor"]


def test_a_null_cursor_is_refused_at_once_and_later(server, orders, tmp_path):
    since = {"incremental": Incremental("at")}
    server.sql("INSERT INTO orders VALUES (1, '2024-01-01')")
    _, state = rows(orders, tmp_path, **since)
    server.sql("INSERT INTO orders VALUES (2, NULL)")
    for known in (None, state):
        with pytest.raises(DataError, match="the cursor is null"):
            rows(orders, tmp_path, known, **since)
    assert rows(orders.replace(where="at IS NOT NULL"), tmp_path, state, **since)[0]["id"].to_list() == [1]


# -- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["server", "maria"])
def test_a_server_that_stops_in_the_middle_is_told_and_read_whole_later(which, request, tmp_path):
    database = request.getfixturevalue(which)
    # More than what is read ahead, and what lies in buffers between the two.
    query = f"SELECT m.* FROM many m, ({' UNION ALL '.join(['SELECT 1'] * 5)}) AS times"
    origin = sql(database.url, query=query, user="root" if which == "server" else "reader")
    whole = 5 * (600_000 if which == "server" else 500_000)
    reading = origin.batches(asked(origin, tmp_path, timeout="20s"))
    next(reading)
    time.sleep(0.5)  # it has read ahead as far as it may
    database.process.kill() if which == "maria" else database.stop()
    try:
        with pytest.raises(TransientError, match="orders"):
            list(reading)
    finally:
        if which == "maria":
            database.process.wait()
        database.start()
    assert sum(len(batch.frame) for batch in origin.batches(asked(origin, tmp_path))) == whole


def test_a_server_that_comes_back_is_waited_for(server, tmp_path):
    origin, said = sql(server.url, table="many", user="root", where="id < 10"), []
    server.stop()
    back = threading.Timer(1.0, server.start)
    back.start()
    ask = Ask(Source("orders", origin, tries=8), tmp_path, say=said.append)
    assert sum(len(batch.frame) for batch in origin.batches(ask)) == 9
    assert said
    back.join()


def test_one_that_stays_down_is_told(server, tmp_path):
    for origin in (sql("postgresql://127.0.0.1:9/x#t"), sql("mysql://127.0.0.1:9/x#t")):
        with pytest.raises(TransientError, match="does not answer"):
            rows(origin, tmp_path, tries=1)


def test_a_query_that_takes_too_long_is_ended(server, tmp_path):
    origin = sql(server.url, query="SELECT 1 AS x, pg_sleep(20)::text AS y", user="root")
    began = time.monotonic()
    with pytest.raises(TransientError):
        rows(origin, tmp_path, tries=1, timeout="1s")
    assert time.monotonic() - began < 8


def test_a_lock_is_not_waited_for_for_ever(server, orders, tmp_path):
    with server.session() as holder:
        holder.sql("BEGIN; LOCK TABLE orders")
        with pytest.raises(TransientError, match="does not answer"):
            rows(orders, tmp_path, tries=1, timeout="1s")


# A wrong password of MariaDB is not tried: its library goes on for half a minute.
@pytest.mark.parametrize(
    ("which", "given"), [("server", PASSWORD), ("server", "wr0ng-pässword/&%41"), ("maria", PASSWORD)]
)
def test_a_password_works_and_is_never_shown(which, given, request, tmp_path, monkeypatch, capfd):
    database = request.getfixturevalue(which)
    if which == "maria":
        database.sql(f"ALTER USER locked IDENTIFIED BY '{PASSWORD}'", "GRANT ALL ON shop.* TO locked")
    else:
        database.sql("GRANT SELECT ON many TO locked")
    monkeypatch.setenv("SHOP_PASSWORD", given)
    origin = sql(database.url, table="many", where="id < 3", user="locked", password=secret("SHOP_PASSWORD"))
    shown = repr(origin) + str(origin.place)
    if given == PASSWORD:
        assert len(rows(origin, tmp_path)[0]) == 2
        with pytest.raises(DataError) as wrong:
            rows(origin.replace(table="no_such_table"), tmp_path)
    else:
        with pytest.raises(DeclarationError, match="does not let this user in") as wrong:
            rows(origin, tmp_path, tries=1, timeout="40s")
    out, err = capfd.readouterr()
    shown += str(wrong.value) + repr(wrong.value) + repr(wrong.value.__context__) + out + err
    for part in (given, given.split("/")[0], "%C3%B6ffne"):
        assert part not in shown


def test_a_url_with_a_password_is_refused_without_showing_it():
    for url in ("postgresql://ann:s3cret@db/shop#t", "mysql://db/shop?password=s3cret#t"):
        with pytest.raises(DeclarationError, match="holds a password") as caught:
            sql(url)
        assert "s3cret" not in str(caught.value) + repr(caught.value)
