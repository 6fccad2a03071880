"""Change capture from a real PostgreSQL: no change lost, none doubled, whatever happens in between."""

import json
import random

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.sql_servers import postgres

from noria.core import DataError, DeclarationError
from noria.declarations import Source
from noria.sources import Ask, sql_log


@pytest.fixture(scope="module")
def server():
    with postgres() as running:
        yield running


@pytest.fixture
def table(server, request):
    """An empty table with a key, a number and a text, which is dropped with its slot."""
    name = "t_" + request.node.name.split("[")[0][-40:]
    server.sql(
        f"CREATE TABLE {name} (id int PRIMARY KEY, n int, note text)", f"ALTER TABLE {name} REPLICA IDENTITY FULL"
    )
    yield name
    server.sql(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots",
        f"DROP TABLE IF EXISTS {name}",
        f"DROP PUBLICATION IF EXISTS noria_{name}",
    )


class Reader:
    """What ingest does: reads on, applies versions by key, and tells the source once they are committed."""

    def __init__(self, server, table, base, **fields):
        self.origin = sql_log(server.url, table=table, user="root", **fields)
        self.source = Source(table, self.origin)
        self.ask = Ask(self.source, base)
        self.state = None
        self.rows = {}
        self.versions = []

    def read(self, *, commit=True, tell=True):
        frames, state = [], None
        for batch in self.origin.batches(self.ask, self.state):
            frames.append(batch.frame)
            state = batch.state or state
        if commit:
            self.state = state
            for row in (row for frame in frames for row in frame.to_dicts()):
                self.versions.append(row)
                kind, _ = row.pop("change"), row.pop("changed_at")
                if kind == "delete":
                    self.rows.pop(row["id"], None)
                else:
                    self.rows[row["id"]] = row
            if tell:
                self.origin.committed(self.ask, state)
        return pl.concat(frames, how="vertical")


def now_in(server, table):
    found = server.sql(f"SELECT coalesce(json_agg(t), '[]') FROM {table} t")
    return {row["id"]: row for row in json.loads(found)}


def test_rows_first_then_each_change_in_order_of_commits(server, table, tmp_path):
    server.sql(f"INSERT INTO {table} VALUES (1, 1, 'a'), (2, 2, NULL)")
    reader = Reader(server, table, tmp_path)
    first = reader.read()
    assert first.sort("id").select("id", "n", "note", "change").rows() == [
        (1, 1, "a", "insert"),
        (2, 2, None, "insert"),
    ]
    server.sql(
        f"INSERT INTO {table} VALUES (3, 3, 'c')",
        f"UPDATE {table} SET n = 20 WHERE id = 2",
        f"DELETE FROM {table} WHERE id = 1",
        f"UPDATE {table} SET id = 30 WHERE id = 3",
    )
    later = reader.read()
    assert later.schema == first.schema
    assert later.select("id", "n", "change").rows() == [
        (3, 3, "insert"), (2, 20, "update"), (1, 1, "delete"), (3, 3, "delete"), (30, 3, "insert"),
    ]  # fmt: skip
    assert later["changed_at"].is_sorted()
    assert reader.read().is_empty()


def test_what_is_read_and_not_committed_comes_again_and_what_is_committed_does_not(server, table, tmp_path):
    reader = Reader(server, table, tmp_path)
    reader.read()
    server.sql(f"INSERT INTO {table} VALUES (1, 1, 'a')")
    once = reader.read(commit=False)
    assert reader.read(commit=False).equals(once)
    # Committed, and killed before the server was told.
    assert reader.read(tell=False).equals(once)
    server.sql(f"INSERT INTO {table} VALUES (2, 2, 'b')")
    assert reader.read(tell=False)["id"].to_list() == [2]
    server.stop()
    server.start()
    assert reader.read().is_empty()


def test_a_first_read_that_was_killed_begins_again(server, table, tmp_path):
    server.sql(f"INSERT INTO {table} VALUES (1, 1, 'a')")
    Reader(server, table, tmp_path).read(commit=False)
    server.sql(f"INSERT INTO {table} VALUES (2, 2, 'b')", f"UPDATE {table} SET n = 9 WHERE id = 1")
    reader = Reader(server, table, tmp_path)
    assert reader.read()["n"].sort().to_list() == [2, 9]
    assert reader.read().is_empty()


def test_transactions_that_are_open_at_the_first_read_come_once(server, table, tmp_path):
    Reader(server, table, tmp_path).read(commit=False)  # the slot is there, and keeps the log
    with server.session() as one, server.session() as two:
        one.sql(f"BEGIN; INSERT INTO {table} VALUES (1, 1, 'open')")
        two.sql(f"BEGIN; SAVEPOINT a; INSERT INTO {table} VALUES (2, 2, 'below'); RELEASE a")
        server.sql(f"INSERT INTO {table} VALUES (3, 3, 'committed')")
        reader = Reader(server, table, tmp_path)
        assert reader.read()["id"].to_list() == [3]
        one.sql("COMMIT")
        assert reader.read()["id"].to_list() == [1]
        two.sql("COMMIT")
        assert reader.read()["id"].to_list() == [2]


def test_a_random_life_of_a_table_ends_as_the_table_is(server, table, tmp_path):
    dice, reader = random.Random(7), Reader(server, table, tmp_path)
    for round in range(12):
        commands = []
        for _ in range(30):
            id, n = dice.randrange(20), dice.randrange(1000)
            commands.append(dice.choice([
                f"INSERT INTO {table} VALUES ({id}, {n}, repeat('x', {n})) ON CONFLICT (id) DO UPDATE SET n = {n}",
                f"DELETE FROM {table} WHERE id = {id}",
                f"UPDATE {table} SET n = {n} WHERE id % 3 = {id % 3}",
                f"BEGIN; DELETE FROM {table} WHERE id = {id}; ROLLBACK",
            ]))  # fmt: skip
        server.sql(*commands)
        if round == 5:
            server.stop()
            server.start()
        reader.read(commit=dice.random() > 0.3, tell=dice.random() > 0.3)
    reader.read()
    assert reader.rows == now_in(server, table)


def test_a_long_value_that_an_update_left_alone_is_kept(server, table, tmp_path):
    reader = Reader(server, table, tmp_path)
    # Random text, which does not compress, is stored outside of the row.
    server.sql(f"INSERT INTO {table} SELECT 1, 1, string_agg(md5(i::text), '') FROM generate_series(1, 2000) i")
    reader.read()
    server.sql(f"UPDATE {table} SET n = 2")
    later = reader.read()
    assert later["n"].to_list() == [2]
    assert later["note"].str.len_chars().to_list() == [64_000]


def test_a_big_transaction_comes_in_bounded_batches_of_which_only_the_last_has_a_state(server, table, tmp_path):
    reader = Reader(server, table, tmp_path)
    reader.read()
    server.sql(f"INSERT INTO {table} SELECT i, i, 'n' || i FROM generate_series(1, 150000) i")
    batches = list(reader.origin.batches(reader.ask, reader.state))
    assert [len(batch.frame) for batch in batches] == [65536, 65536, 18928]
    assert [batch.state is None for batch in batches] == [True, True, False]
    assert [batch.first for batch in batches] == [1, 65537, 131073]


def test_a_log_gives_the_same_values_as_a_select(server, tmp_path):
    columns = {
        "a": ("smallint", "-5"), "b": ("bigint", "9007199254740993"), "c": ("real", "1.1"), "d": ("float8", "'NaN'"),
        "e": ("numeric(12,2)", "12.34"), "f": ("numeric(20)", "12345678901234567890"), "g": ("numeric", "'Infinity'"),
        "h": ("boolean", "true"), "i": ("date", "'infinity'"), "j": ("timestamp", "'2024-02-29 12:00:00.5'"),
        "k": ("timestamptz", "'2024-02-29 12:00:00+02'"), "l": ("timestamptz", "'-infinity'"),
        "m": ("uuid", "gen_random_uuid()"),
        "n": ("jsonb", """'{"a": [1, null]}'"""), "o": ("int[]", "'{{1,2},{3,null}}'"), "p": ("bytea", r"'\x00ff'"),
        "q": ("interval", "'1 day 2 hours'"), "r": ("money", "-1234.5"), "s": ("bit(3)", "B'101'"),
        "t": ("text", "'ü\\'''"),
        "u": ("inet", "'10.0.0.1'"), "v": ("time", "'24:00'"),
        "w": ("char(4)", "'ab'"), "x": ("date", "'0044-03-15 BC'"),
        "y": ("kinds_mood", "'sad'"), "z": ("kinds_even", "4"), "null_": ("text", "NULL"),
    }  # fmt: skip
    server.sql(
        "CREATE TYPE kinds_mood AS ENUM ('sad', 'ok')", "CREATE DOMAIN kinds_even AS int CHECK (value % 2 = 0)",
        f"CREATE TABLE kinds (id int PRIMARY KEY, {', '.join(f'{name} {one[0]}' for name, one in columns.items())})",
        "ALTER TABLE kinds REPLICA IDENTITY FULL",
    )  # fmt: skip
    reader = Reader(server, "kinds", tmp_path)
    empty = reader.read()
    server.sql("INSERT INTO kinds SELECT 1, " + ", ".join(value for _, value in columns.values()))
    logged = reader.read()
    selected = next(reader.origin.rows_now.batches(reader.ask)).frame
    assert logged.schema == empty.schema
    server.sql("SELECT pg_drop_replication_slot('noria_kinds')")
    assert_frame_equal(logged.drop("change", "changed_at"), selected, check_exact=True)


def test_a_column_that_is_added_comes_in_a_batch_of_its_own(server, table, tmp_path):
    reader = Reader(server, table, tmp_path)
    reader.read()
    server.sql(
        f"INSERT INTO {table} VALUES (1, 1, 'a')",
        f"ALTER TABLE {table} ADD COLUMN size float8 DEFAULT 1.5, ALTER COLUMN n TYPE text",
        f"INSERT INTO {table} VALUES (2, 'two', 'b', 2.5)",
    )
    batches = [batch.frame for batch in reader.origin.batches(reader.ask, reader.state)]
    assert [frame.columns[:-2] for frame in batches] == [["id", "n", "note"], ["id", "n", "note", "size"]]
    assert [frame["n"].to_list() for frame in batches] == [[1], ["two"]]


def test_a_table_without_a_key_is_refused_before_its_updates_fail(server, tmp_path):
    server.sql("CREATE TABLE keyless (id int)", "INSERT INTO keyless VALUES (1)")
    with pytest.raises(DataError, match="no key") as caught:
        Reader(server, "keyless", tmp_path).read()
    assert "REPLICA IDENTITY FULL" in caught.value.mend
    server.sql("UPDATE keyless SET id = 2")  # nothing was published


def test_long_values_are_refused_where_the_log_would_not_hold_them(server, tmp_path):
    server.sql("CREATE TABLE longish (id int PRIMARY KEY, note text)")
    with pytest.raises(DataError, match="long values") as caught:
        Reader(server, "longish", tmp_path).read()
    assert caught.value.value == "note"


def test_a_default_identity_tells_the_key_of_what_was_deleted(server, tmp_path):
    server.sql("CREATE TABLE short (id int PRIMARY KEY, n int)", "INSERT INTO short VALUES (1, 10)")
    reader = Reader(server, "short", tmp_path)
    reader.read()
    server.sql("UPDATE short SET n = 11", "UPDATE short SET id = 2", "DELETE FROM short")
    assert reader.read().select("id", "n", "change").rows() == [
        (1, 11, "update"), (1, None, "delete"), (2, 11, "insert"), (2, None, "delete"),
    ]  # fmt: skip
    server.sql("SELECT pg_drop_replication_slot('noria_short')")


def test_a_truncated_table_is_told_not_guessed(server, table, tmp_path):
    reader = Reader(server, table, tmp_path)
    reader.read()
    server.sql(f"TRUNCATE {table}")
    with pytest.raises(DataError, match="truncated"):
        reader.read()


def test_a_slot_that_is_gone_or_that_somebody_else_reads_is_told(server, table, tmp_path):
    reader, other = Reader(server, table, tmp_path), Reader(server, table, tmp_path)
    reader.read()
    other.read()
    server.sql(f"INSERT INTO {table} VALUES (1, 1, 'a')")
    other.read()
    with pytest.raises(DataError, match="somebody else"):
        reader.read()
    server.sql(f"SELECT pg_drop_replication_slot('noria_{table}')")
    with pytest.raises(DataError, match="the slot is gone"):
        reader.read()


def test_only_changes_of_the_table_come_and_its_slot_follows_a_server_where_others_are_busy(server, table, tmp_path):
    reader = Reader(server, table, tmp_path)
    reader.read()
    position = "SELECT confirmed_flush_lsn FROM pg_replication_slots"
    before = server.sql(position)
    server.sql(
        "CREATE TABLE IF NOT EXISTS busy (id int PRIMARY KEY)",
        "INSERT INTO busy SELECT max(id) + 1 FROM busy HAVING false",
    )
    assert reader.read().is_empty()
    assert server.sql(position) != before


def test_a_table_with_the_logs_own_names_and_an_odd_slot_are_refused(server, tmp_path):
    server.sql('CREATE TABLE "own" (id int PRIMARY KEY, change int)')
    with pytest.raises(DataError, match="own name"):
        Reader(server, "own", tmp_path).read()
    server.sql("SELECT pg_drop_replication_slot('noria_own')")
    with pytest.raises(DeclarationError):
        sql_log(server.url, table="own", slot="a'; DROP TABLE own; --")
    with pytest.raises(DeclarationError, match="wrong"):
        sql_log("mysql://db/shop", table="own")
