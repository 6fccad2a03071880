"""Polars, DuckDB and the Python closure give the same value for every row of every expression."""

# ruff: noqa: E501 (tables of forms and values)
from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from noria.core import DeclarationError
from noria.expressions import Kind, parse, polars_kinds, to_polars, to_python, to_sql

SCHEMA: dict[str, Kind] = {
    "i": "int", "j": "int", "f": "float", "g": "float", "b": "bool", "c": "bool", "s": "string", "weird name": "string",
    "d": "date", "e": "date", "ts": "timestamp", "us": "timestamp", "n": "interval", "m": "interval",
}  # fmt: skip
DTYPES = {
    "int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean, "string": pl.String, "date": pl.Date,
    "timestamp": pl.Datetime("us", "UTC"), "interval": pl.Duration("us"),
}  # fmt: skip
COLUMNS = {kind: [f'"{name}"' if " " in name else name for name, of in SCHEMA.items() if of == kind] for kind in DTYPES}
ZONES = ("America/New_York", "Asia/Kolkata", "Europe/Berlin", "Australia/Lord_Howe")

# --- values ---

BIG = 2**63 - 1
INTS = st.sampled_from([0, 1, -1, 2, 3, -7, 10, 60, BIG, -BIG - 1, BIG - 1, 2**53 + 1, 2**31]) | st.integers(-99, 99)
FLOATS = st.sampled_from(
    [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.1, math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 2.0**52, 2.0**63,
     -(2.0**63), 1e15 + 0.5, 0.49999999999999994]
) | st.floats(-1e3, 1e3)  # fmt: skip
STRINGS = st.sampled_from(
    ["", " ", "a", "aB%", "é", "É_日", "😀a", "a\nb", "it's", r"back\slash", "12", "-7", "+5", "1_0", " 5", "1.5", ".5", "5.",
     "1e400", "-1e3", "nan", "NaN", "-inf", "Infinity", "0x1", "9223372036854775808", "00012", "true", "T", "No", "yes", "maybe",
     "2013-03-10", "2013-02-30", "0000-01-01", "2013-3-1", "2013-03-10 07:00", "2013-03-10T07:00:00.5Z", "2013-11-03 06:59:59+05:30",
     "2013-03-10 24:00:00", "2013-03-10 23:59:60", "9999-12-31 23:59:59-05:00", "0001-01-01T00:00+01:00", "N123AA", "N1"]
) | st.text(alphabet="aAbB éÉ日😀%_\\.*1", max_size=6)  # fmt: skip
DAYS = st.sampled_from(
    [date(1970, 1, 1), date(2013, 3, 10), date(2013, 11, 3), date(2012, 2, 29), date(2012, 12, 31), date(1, 1, 1), date(9999, 12, 31)]
) | st.dates(date(1900, 1, 1), date(2036, 1, 1))  # fmt: skip
MOMENTS = st.sampled_from(
    [datetime(2013, 3, 10, 6, 59, 59, 999999), datetime(2013, 3, 10, 7), datetime(2013, 11, 3, 5, 30), datetime(2013, 11, 3, 6, 30),
     datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999), datetime(2016, 12, 31)]
) | st.datetimes(datetime(1901, 1, 1), datetime(2036, 1, 1))  # fmt: skip
SPANS = st.sampled_from([0, 1, -1, 60_000_000, -3_600_000_000, BIG, -BIG - 1, 2**53 + 1]) | st.integers(
    -(10**12), 10**12
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": INTS, "float": FLOATS, "bool": st.booleans(), "string": STRINGS, "date": DAYS,
    "timestamp": MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)), "interval": SPANS.map(lambda n: timedelta(microseconds=n)),
}  # fmt: skip
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | VALUES[kind] for name, kind in SCHEMA.items()}), min_size=1, max_size=6
)

# --- expressions, as text ---


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def literal(kind: str) -> st.SearchStrategy[str]:
    return {
        "int": INTS.map(lambda n: f"({n})"),
        "float": st.sampled_from(["0.0", "0.5", "(-1.5)", "2.5", "1e10", "1e308"]),
        "bool": st.sampled_from(["TRUE", "FALSE"]),
        "string": STRINGS.map(quoted),
        "date": DAYS.map(lambda day: f"DATE '{day.isoformat()}'"),
        "timestamp": MOMENTS.map(lambda moment: f"TIMESTAMP '{moment.isoformat(sep=' ')}'"),
        "interval": st.sampled_from(["INTERVAL '1 minute'", "INTERVAL '-36 hours'", "INTERVAL '1 day 2 hours'", "INTERVAL '1 microsecond'"]),
    }[kind]  # fmt: skip


FORMS: dict[str, list[str]] = {
    "int": [
        "({int} + {int})", "({int} - {int})", "({int} * {int})", "({int} % {int})", "(-{int})", "ABS({int})", "SIGN({int})",
        "SIGN({interval})", "ROUND({int})", "ROUND({int}, 2)", "FLOOR({int})", "CEIL({int})", "CAST({float} AS int)", "CAST({string} AS int)", "{bool}::int",
        "LENGTH({string})", "EXTRACT({datepart} FROM {date})", "EXTRACT({part} FROM {timestamp})",
        "EXTRACT({part} FROM {timestamp} AT TIME ZONE '{zone}')",
    ],
    "float": [
        "({float} + {float})", "({float} - {int})", "({float} * {float})", "({float} / {float})", "({int} / {int})", "(-{float})",
        "ABS({float})", "SIGN({float})", "ROUND({float})", "ROUND({float}, 2)", "FLOOR({float})", "CEIL({float})", "SQRT({float})",
        "LN({float})", "EXP({float})", "POWER({float}, {int})", "POWER({float}, {float})", "CAST({int} AS float)", "CAST({string} AS double precision)",
        "CAST({bool} AS float)", "EXTRACT(EPOCH FROM {timestamp})", "EXTRACT(EPOCH FROM {interval})", "EXTRACT(EPOCH FROM {date})",
    ],
    "bool": [
        "({bool} AND {bool})", "({bool} OR {bool})", "(NOT {bool})", "({any} IS NULL)", "({any} IS NOT NULL)", "({bool} IS TRUE)",
        "({bool} IS NOT FALSE)", "({int} {compare} {int})", "({float} {compare} {float})", "({float} {compare} {int})",
        "({string} {compare} {string})", "({date} {compare} {date})", "({timestamp} {compare} {timestamp})", "({timestamp} {compare} {date})",
        "({interval} {compare} {interval})", "({bool} = {bool})", "({bool} <> {bool})", "({float} IS DISTINCT FROM {float})",
        "({string} IS DISTINCT FROM {string})", "({int} BETWEEN {int} AND {int})", "({float} NOT BETWEEN {float} AND {float})",
        "({timestamp} BETWEEN {timestamp} AND {timestamp})", "({int} IN (1, -7, NULL))", "({int} NOT IN (0, 2, 60))", "({float} IN (0, 0.5, 1e308))", "({float} IN (1.5, 'NaN'::float, NULL))",
        "({string} IN ('a', 'é', ''))", "({date} IN (DATE '2013-03-10', '1970-01-01'))", "({timestamp} NOT IN ('2013-03-10 07:00:00', NULL))",
        "({interval} IN (INTERVAL '1 minute'))", "({bool} IN (TRUE))", "({string} LIKE '%a_%')", r"({string} LIKE 'a\%%')", "({string} ILIKE 'É%')",
        "({string} NOT LIKE '')", "STARTS_WITH({string}, {string})", "ENDS_WITH({string}, {string})", r"REGEXP_LIKE({string}, '^N\d+[A-Z]*$')",
        r"({string} ~ 'a.|\s|[^\w%]$')", "CAST({string} AS bool)", "CAST({int} AS bool)",
    ],
    "string": [
        "LOWER({string})", "UPPER({string})", "TRIM({string})", "LTRIM({string})", "RTRIM({string})", "SUBSTR({string}, 2)",
        "SUBSTR({string}, 1, 2)", "CONCAT({string}, {string}, {string})", "({string} || {string})", "REPLACE({string}, 'a', '$1é')",
        "CAST({int} AS text)", "CAST({bool} AS text)", "CAST({date} AS text)", "CAST({timestamp} AS text)",
    ],
    "date": ["CAST({timestamp} AS date)", "CAST({string} AS date)", "CAST({timestamp} AT TIME ZONE '{zone}' AS date)"],
    "timestamp": [
        "({timestamp} + {interval})", "({interval} + {timestamp})", "({timestamp} - {interval})", "({date} + {interval})",
        "CAST({string} AS timestamp)", "CAST({date} AS timestamp)", "DATE_TRUNC('{unit}', {timestamp})",
    ],
    "interval": [
        "({timestamp} - {timestamp})", "({date} - {date})", "({int} * {interval})", "({interval} * {int})", "({float} * {interval})",
        "({interval} * {float})", "({interval} / {float})", "({interval} / {int})", "({interval} + {interval})", "({interval} - {interval})",
        "(-{interval})", "ABS({interval})",
    ],
}  # fmt: skip
for _kind, _forms in FORMS.items():
    _forms += [
        f"COALESCE({{{_kind}}}, {{{_kind}}})", f"NULLIF({{{_kind}}}, {{{_kind}}})",
        f"CASE WHEN {{bool}} THEN {{{_kind}}} WHEN {{bool}} THEN NULL ELSE {{{_kind}}} END",
    ]  # fmt: skip
    if _kind != "bool":
        _forms += [f"GREATEST({{{_kind}}}, {{{_kind}}}, {{{_kind}}})", f"LEAST({{{_kind}}}, {{{_kind}}})"]
WORDS = {
    "zone": st.sampled_from(ZONES),
    "compare": st.sampled_from(["=", "<>", "<", "<=", ">", ">="]),
    "datepart": st.sampled_from(["year", "quarter", "month", "week", "day", "doy", "dow", "isodow"]),
    "part": st.sampled_from(["year", "month", "day", "dow", "isodow", "week", "doy", "hour", "minute", "second"]),
    "unit": st.sampled_from(["year", "quarter", "month", "week", "day", "hour", "minute", "second"]),
}


@st.composite
def expressions(draw: st.DrawFn, kind: str, depth: int) -> str:
    if kind in WORDS:
        return draw(WORDS[kind])
    if kind == "any":
        kind = draw(st.sampled_from(sorted(FORMS)))
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(COLUMNS[kind]) | literal(kind))
    text = draw(st.sampled_from(FORMS[kind]))
    while "{" in text:
        start = text.index("{")
        end = text.index("}", start)
        text = (
            text[:start]
            + draw(expressions(text[start + 1 : end], depth - 1)).replace("{", "").replace("}", "")
            + text[end + 1 :]
        )
    return text


# --- the three engines ---


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'Asia/Tokyo'")  # the answers must not depend on it
    return connection


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: DTYPES[kind] for name, kind in SCHEMA.items()})


def in_polars(text: str, rows: list[dict[str, Any]]) -> list[Any]:
    frame = frame_of(rows)
    return frame.with_columns(to_polars(parse(text), polars_kinds(frame.schema)).alias("out"))["out"].to_list()


def in_duckdb(text: str, rows: list[dict[str, Any]], database: duckdb.DuckDBPyConnection) -> list[Any]:
    data = frame_of(rows).with_columns(pl.col("n", "m").cast(pl.Int64)).to_arrow()
    database.register("data", data)
    kind = parse(text).kind(SCHEMA)
    values = [
        row[0] for row in database.execute(f"SELECT {to_sql(parse(text), SCHEMA, 'duckdb')} FROM data").fetchall()
    ]
    if kind == "timestamp":
        return [None if value is None else value.replace(tzinfo=UTC) for value in values]
    return (
        [None if value is None else timedelta(microseconds=value) for value in values] if kind == "interval" else values
    )


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (a != a and b != b) or math.isclose(a, b, rel_tol=1e-12)
    return a == b and type(a) is type(b)


def agree(text: str, rows: list[dict[str, Any]], database: duckdb.DuckDBPyConnection) -> None:
    run = to_python(parse(text), SCHEMA)
    ours = [run(row) for row in rows]
    for engine, theirs in (("polars", in_polars(text, rows)), ("duckdb", in_duckdb(text, rows, database))):
        for row, a, b in zip(rows, ours, theirs, strict=True):
            read = {name: row[name] for name in parse(text).columns}
            assert same(a, b), f"{text}\non {read}\npython: {a!r}\n{engine}: {b!r}"


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), kind=st.sampled_from(sorted(FORMS)))
def test_random_expressions_on_random_rows(data: st.DataObject, kind: str, database: duckdb.DuckDBPyConnection) -> None:
    text = data.draw(expressions(kind, 3))
    try:
        parse(text).kind(SCHEMA)
    except DeclarationError as error:  # a literal that is no date is refused before any row is seen
        assume(not re.search("is not a (date|timestamp)", error.message))
        raise
    agree(text, data.draw(ROWS), database)


EDGES = {
    "int": [0, 1, -1, 7, -7, 60, BIG, -BIG - 1, 2**53 + 1],
    "float": [0.0, -0.0, 0.5, 1.5, -2.5, 0.1, math.nan, math.inf, -math.inf, 1e308, 5e-324, 2.0**52 + 1, 2.0**63, -(2.0**63), -7.25],
    "bool": [True, False],
    "string": ["", " a ", "aB%", "é", "É_日", "😀a", "a\nb", "12", "+5", "1_0", " 5", "5.", ".5e1", "1e400", "nan", "-Infinity", "T",
               "2013-03-10", "2013-02-30", "0000-01-01", "2013-03-10 07:00", "2013-03-10T07:00:00.5Z", "2013-11-03 06:59:59.123456+05:30",
               "9999-12-31 23:59:59-05:00", "0001-01-01T00:00+01:00", "9223372036854775808", "-9223372036854775808", "N123AA"],
    "date": [date(1970, 1, 1), date(2013, 3, 10), date(2012, 2, 29), date(2012, 12, 31), date(1, 1, 1), date(9999, 12, 31)],
    "timestamp": [datetime(*parts, tzinfo=UTC) for parts in (
        (2013, 3, 10, 6, 59, 59, 999999), (2013, 3, 10, 7), (2013, 11, 3, 5, 30), (2013, 11, 3, 6, 30), (1969, 12, 31, 23, 59, 59, 999999),
        (1, 1, 1), (9999, 12, 31, 23, 59, 59, 999999), (2016, 1, 3, 12))],
    "interval": [timedelta(microseconds=n) for n in (0, 1, -1, 60_000_000, -129_600_000_000, BIG, -BIG - 1)],
}  # fmt: skip


def edge_rows() -> list[dict[str, Any]]:
    """Rows in which the two columns of each kind meet in every pair of edge values, and null."""
    pairs = {kind: [(a, b) for a in [None, *values] for b in [None, *values]] for kind, values in EDGES.items()}
    names = {kind: [name for name, of in SCHEMA.items() if of == kind] for kind in EDGES}
    rows = []
    for index in range(max(map(len, pairs.values()))):
        row: dict[str, Any] = {}
        for kind, (first, second) in names.items():
            row[first], row[second] = pairs[kind][index % len(pairs[kind])]
        rows.append(row)
    return rows


def _first_forms() -> list[str]:
    texts = []
    for forms in FORMS.values():
        for form in forms:
            text = form
            for kind, columns in COLUMNS.items():
                for column in columns:
                    text = text.replace(f"{{{kind}}}", column, 1)
                text = text.replace(f"{{{kind}}}", columns[0])
            text = text.replace("{any}", "f")
            words = {"zone": ZONES, "compare": ("=", "<>", "<", "<=", ">", ">="), "unit": ("year", "quarter", "month", "week", "day", "hour", "minute", "second"),
                     "datepart": ("year", "quarter", "month", "week", "day", "doy", "dow", "isodow"),
                     "part": ("year", "quarter", "month", "week", "day", "doy", "dow", "isodow", "hour", "minute", "second")}  # fmt: skip
            made = [text]
            for word, choices in words.items():
                made = [
                    one.replace(f"{{{word}}}", choice)
                    for one in made
                    for choice in (choices if f"{{{word}}}" in one else [""])
                ]
            texts += made
    return texts


@pytest.mark.parametrize("text", _first_forms())
def test_every_form_on_edge_values(text: str, database: duckdb.DuckDBPyConnection) -> None:
    agree(text, edge_rows(), database)
