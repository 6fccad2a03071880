"""Databases in files do what every source must do; and what a declaration of a database refuses."""

import datetime as dt
import sqlite3

import duckdb
import polars as pl
import pytest

from noria.core import DataError, DeclarationError
from noria.declarations import Incremental, Source, dump, restore
from noria.sources import Ask, read, sql, sql_log
from noria.testing import SourceSuite


class TestSQLite(SourceSuite):
    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "planes.db"
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE planes (tailnum, seats)")
            database.execute("INSERT INTO planes VALUES ('N1', 20), ('N2', 180)")
        return path

    @pytest.fixture
    def source(self, file):
        return Source("planes", f"sqlite:///{file.name}#planes")

    @pytest.fixture
    def change(self, file):
        def change():
            with sqlite3.connect(file) as database:
                database.execute("UPDATE planes SET seats = 21 WHERE seats = 20")

        return change

    @pytest.fixture
    def gone(self, file):
        return file.unlink


class TestDuckDB(SourceSuite):
    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "planes.duckdb"
        with duckdb.connect(str(path)) as database:
            database.execute("CREATE TABLE planes AS SELECT 'N' || i AS tailnum, i AS seats FROM range(3) t(i)")
        return path

    @pytest.fixture
    def source(self, file):
        return Source("planes", f"duckdb:///{file.name}#planes")

    @pytest.fixture
    def change(self, file):
        def change():
            with duckdb.connect(str(file)) as database:
                database.execute("UPDATE planes SET seats = 9 WHERE seats = 1")

        return change

    @pytest.fixture
    def gone(self, file):
        return file.unlink


def in_sqlite(tmp_path, *commands):
    with sqlite3.connect(tmp_path / "a.db") as database:
        for command in commands:
            database.execute(command)


def test_a_change_that_is_in_the_journal_alone_changes_the_fingerprint(tmp_path):
    database = sqlite3.connect(tmp_path / "a.db")
    database.execute("PRAGMA journal_mode = wal")
    database.execute("CREATE TABLE t (x)")
    origin = sql("sqlite:///a.db#t")
    ask = Ask(Source("t", origin), tmp_path)
    before = origin.fingerprint(ask)
    database.execute("INSERT INTO t VALUES (1)")
    database.commit()
    assert origin.fingerprint(ask) != before
    database.close()


def test_a_column_of_sqlite_is_what_all_its_values_are(tmp_path):
    in_sqlite(
        tmp_path,
        "CREATE TABLE t (late TEXT, whole, number, raw, mixed, nil INT)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000) INSERT INTO t"
        " SELECT NULL, i, CASE WHEN i % 2 THEN i ELSE i + 0.5 END, x'00ff', i, NULL FROM n",
        "INSERT INTO t VALUES ('at last', 9223372036854775807, 1, NULL, 'text', NULL)",
        "INSERT INTO t VALUES ('at last', NULL, 1, NULL, x'ff', NULL)",
    )
    frame = read(Source("t", "sqlite:///a.db#t"), tmp_path)
    assert dict(frame.schema) == {
        "_row": pl.Int64, "late": pl.String, "whole": pl.Int64, "number": pl.Float64, "raw": pl.Binary,
        "mixed": pl.String, "nil": pl.String,
    }  # fmt: skip
    assert frame["late"].drop_nulls().to_list() == ["at last"] * 2
    assert frame["whole"].max() == 2**63 - 1
    assert frame["mixed"].to_list()[-2:] == ["text", "FF"]


def test_a_text_that_is_not_utf_8_is_an_error(tmp_path):
    in_sqlite(tmp_path, "CREATE TABLE t (x)", "INSERT INTO t VALUES (CAST(x'fffe41' AS TEXT))")
    with pytest.raises(DataError, match="source 't'"):
        read(Source("t", "sqlite:///a.db#t"), tmp_path)


@pytest.mark.parametrize("url", ["sqlite:///a.db", "sqlite+pysqlite:////{base}/a.db"])
def test_reading_on_from_a_cursor(tmp_path, url):
    in_sqlite(tmp_path, "CREATE TABLE t (id INTEGER, note)", "INSERT INTO t VALUES (1, 'a'), (2, 'b:c'), (2, NULL)")
    origin = sql(url.format(base=str(tmp_path).lstrip("/")), table="t")
    source = Source("t", origin, incremental=Incremental("id", lookback=1))
    ask = Ask(source, tmp_path)
    *_, last = origin.batches(ask)
    assert last.state == {"cursor": "2", "type": "int"}
    in_sqlite(tmp_path, "INSERT INTO t VALUES (3, 'd')", "DELETE FROM t WHERE id = 1")
    frame = pl.concat([batch.frame for batch in origin.batches(ask, last.state)])
    assert frame["id"].to_list() == [2, 2, 3]
    assert set(frame["note"]) == {"b:c", None, "d"}


def test_values_of_duckdb_keep_their_meaning(tmp_path):
    with duckdb.connect(str(tmp_path / "a.duckdb")) as database:
        database.execute(
            "CREATE TABLE t AS SELECT 1::HUGEINT AS huge, 1.25::DECIMAL(9,2) AS cents, 12::DECIMAL(20,0) AS whole,"
            " [1, NULL] AS list, {'a': 1} AS struct, TIME '24:00' AS clock,"
            " TIMESTAMPTZ '2024-03-31 03:00+02' AS moment, 'NaN'::DOUBLE AS nan"
        )
    row = read(Source("t", "duckdb:///a.duckdb#t"), tmp_path).to_dicts()[0]
    assert row.pop("nan") != 0
    assert row == {
        "_row": 1, "huge": "1", "cents": 1.25, "whole": "12", "list": "[1, NULL]", "struct": "{'a': 1}",
        "clock": "24:00:00", "moment": dt.datetime(2024, 3, 31, 1, tzinfo=dt.UTC),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "either table= or query="),
        ({"table": "t", "query": "SELECT 1"}, "either table= or query="),
        ({"table": "t", "ranges": "id"}, "ranges= is for postgresql"),
        ({"table": "t", "late": True}, "late=True is for tables"),
        ({"table": "t", "wehre": "x"}, "has no 'wehre'"),
        ({"table": "t", "connections": 0}, "connections is wrong"),
    ],
)
def test_what_cannot_be_done_is_refused(fields, words):
    with pytest.raises(DeclarationError) as caught:
        sql("sqlite:///a.db", **fields)
    assert words in str(caught.value)


def test_a_table_is_named_once():
    with pytest.raises(DeclarationError):
        sql("sqlite:///a.db#a", table="b")


@pytest.mark.parametrize("origin", [sql("mysql://db/shop#a.b"), sql_log("postgresql://db/shop#a.b")])
def test_it_survives_being_stored(origin):
    assert restore(dump(origin)) == origin
    assert origin.table == "a.b"


def test_a_library_that_sqlalchemy_does_not_know_is_an_error_with_the_mend(tmp_path):
    origin = sql("nosuchdatabase://db/shop", table="t")
    with pytest.raises(DeclarationError, match="cannot open this URL"):
        list(origin.batches(Ask(Source("t", origin), tmp_path)))
