"""What is read, what is refused and with which words."""

# ruff: noqa: E501 (tables of forms and values)
from __future__ import annotations

import pickle
import subprocess
import sys

import polars as pl
import pytest

from noria.core import DeclarationError
from noria.expressions import FUNCTIONS, Kind, parse, polars_kinds, to_polars, to_python, to_sql

SCHEMA: dict[str, Kind] = {
    "hour": "int", "delay": "float", "late": "bool", "origin": "string", "day": "date", "at": "timestamp",
    "span": "interval", "nothing": "null", "weird name": "string",
}  # fmt: skip


def test_an_expression_knows_what_it_reads() -> None:
    assert parse('lower("weird name") = origin AND hour > 5').columns == {"weird name", "origin", "hour"}
    assert parse("1 + 1").columns == frozenset()


def test_an_expression_is_its_text() -> None:
    one, two = parse("hour + 1", place="project.py:3"), parse("hour + 1")
    assert one == two
    assert hash(one) == hash(two)
    assert one != parse("hour+1")
    again = pickle.loads(pickle.dumps(one))
    assert (again, again.place) == (one, "project.py:3")
    with pytest.raises(AttributeError):
        one.text = "hour"  # type: ignore[misc]
    assert to_python(again, SCHEMA)({"hour": 2}) == 3


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("hour", "int"), ("hour / 2", "float"), ("hour * 2", "int"), ("hour * 2.0", "float"), ("hour > delay", "bool"),
        ("at - at", "interval"), ("at + span", "timestamp"), ("day + span", "timestamp"), ("hour * span", "interval"),
        ("day - day", "interval"), ("span / 2", "interval"), ("CASE WHEN late THEN 1 ELSE 2.5 END", "float"),
        ("CASE hour WHEN 1 THEN 'a' END", "string"), ("COALESCE(NULL, NULL)", "null"), ("COALESCE(nothing, hour)", "int"),
        ("NULL", "null"), ("at > '2013-01-01'", "bool"), ("COALESCE(at, '2013-01-01')", "timestamp"), ("late::int", "int"),
        ("EXTRACT(EPOCH FROM span)", "float"), ("EXTRACT(HOUR FROM at AT TIME ZONE 'America/New_York')", "int"),
        ("CAST(at AT TIME ZONE 'America/New_York' AS date)", "date"), ("DATE_TRUNC('week', day)", "timestamp"),
        ("nothing IS NULL", "bool"), ("ROUND(delay, 1)", "float"), ("ROUND(hour, 1)", "int"), ("origin || NULL", "string"),
        ("-INTERVAL '1 day'", "interval"), ("TIMESTAMP '2013-01-01'", "timestamp"), ("DATE '2013-01-01'", "date"),
        ("POWER(hour, 2)", "float"), ("GREATEST(hour, delay)", "float"), ("GREATEST(day, at)", "timestamp"),
    ],
)  # fmt: skip
def test_kinds(text: str, kind: Kind) -> None:
    assert parse(text).kind(SCHEMA) == kind


REFUSED = {
    "": "empty",
    "sum(hour)": "aggregate looks at many rows",
    "count(*)": "aggregate looks at many rows",
    "avg(hour) OVER (PARTITION BY origin)": "window function looks at other rows",
    "hour IN (SELECT 1)": "no subqueries",
    "EXISTS(SELECT 1)": "no subqueries",
    "SELECT hour": "no queries",
    "now()": "another answer each time",
    "current_date": "another answer each time",
    "random()": "another answer each time",
    "lowr(origin)": "did you mean 'lower'?",
    "huor + 1": "did you mean 'hour'?",
    "HOUR + 1": "did you mean 'hour'?",
    "flights.hour": "columns stand without a table",
    "*": "not a row expression",
    "hour AS h": "not a row expression",
    "hour, day": "not a row expression",
    "hour; day": "not a row expression",
    "hour +": "not a row expression",
    "$1": "not a row expression",
    "hour[1]": "not a row expression",
    "array[1, 2]": "unknown function 'array'",
    "origin + 1": "+ does not take (string, int)",
    "hour || origin": "|| does not take (int, string)",
    "late + 1": "+ does not take (bool, int)",
    "late < late": "< does not take (bool, bool)",
    "delay % 2": "for integers",
    "hour AND late": "AND does not take (int, bool)",
    "origin = 1": "= does not take (string, int)",
    "CASE WHEN hour THEN 1 END": "conditions must be bool",
    "CASE WHEN late THEN 1 ELSE 'a' END": "values of one kind",
    "CAST(delay AS text)": "CAST(ROUND(x) AS int) first",
    "CAST(hour AS timestamp)": "does not take (int)",
    "CAST(hour AS decimal(3, 1))": "one of bool, int, float, text, date, timestamp",
    "CAST(origin AS varchar(3))": "cannot cast to",
    "at > 'yesterday'": "'yesterday' is not a timestamp",
    "day = '2013-02-30'": "'2013-02-30' is not a date",
    "at AT TIME ZONE 'America/New_York'": "only EXTRACT and CAST(… AS date) read it",
    "(at AT TIME ZONE 'America/New_York') + span": "+ does not take (local, interval)",
    "EXTRACT(HOUR FROM at AT TIME ZONE 'America/Gotham')": "no time zone that is known here",
    "EXTRACT(HOUR FROM at AT TIME ZONE origin)": "it takes (timestamp, literal string)",
    "EXTRACT(HUOR FROM at)": "did you mean 'hour'?",
    "EXTRACT(HOUR FROM day)": "EXTRACT(HOUR)",
    "DATE_TRUNC('fortnight', at)": "DATE_TRUNC does not know 'fortnight'",
    "DATE_TRUNC('day', at, 'America/New_York')": "in UTC",
    "at + INTERVAL '1 month'": "no fixed length",
    "at + INTERVAL '1 moon'": "does not know 'moon'",
    "INTERVAL '0.1 microseconds'": "not a whole number of microseconds",
    "INTERVAL hour": "a literal",
    "hour IN ()": "IN needs a list",
    "hour IN (1, delay)": "literal",
    "origin LIKE origin": "literal string",
    "origin LIKE NULL": "a literal that is not null",
    r"origin LIKE 'a\'": "ends with a backslash",
    "origin LIKE 'a' ESCAPE '!'": "a backslash escapes",
    "REGEXP_LIKE(origin, '(?i)a')": "LOWER for either case",
    "REGEXP_LIKE(origin, '(a')": "REGEXP_LIKE",
    r"REGEXP_LIKE(origin, '(a)\1')": "not understood by every engine",
    "SUBSTR(origin, 0)": "counts from 1",
    "REPLACE(origin, '', 'a')": "needs a text to look for",
    "ROUND(delay, 16)": "0 to 15 digits",
    "TRIM('x' FROM origin)": "spaces only",
    "IF(late, 1, 2)": "CASE WHEN",
    "9223372036854775808": "does not fit 64 bits",
    "1e999": "too large",
    "(" * 300 + "1" + ")" * 300: "too deep",
    " AND ".join(["late"] * 500): "deep",
    "COALESCE()": "",
    "ABS(hour, hour)": "",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        parse(text, place="project.py:12").kind(SCHEMA)
    assert REFUSED[text] in str(caught.value)
    assert caught.value.place == "project.py:12"
    assert caught.value.value == text


def test_a_dialect_that_cannot_do_it_says_so() -> None:
    with pytest.raises(DeclarationError, match="flink cannot do this") as caught:
        to_sql(parse("at - at", place="p.py:1"), SCHEMA, "flink")
    assert caught.value.place == "p.py:1"
    with pytest.raises(DeclarationError, match="unknown SQL dialect"):
        to_sql(parse("hour"), SCHEMA, "oracle")


def test_polars_patterns_are_not_columns() -> None:
    with pytest.raises(DeclarationError, match="as a pattern"):
        to_polars(parse('"^a$"'), {"^a$": "int"})


@pytest.mark.parametrize("dialect", ["duckdb", "spark"])
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_template_is_sql(name: str, dialect: str) -> None:
    """Spark is not here to be asked; that its SQL can at least be read is what this shows."""
    import sqlglot

    from noria.expressions.compile_sql import compile_sql
    from noria.expressions.tree import Apply, Read

    def argument(kind):
        if kind == "local":  # no column holds one
            return Apply(FUNCTIONS["AT TIME ZONE"][0], (Read("x", "timestamp"),), ("UTC",))
        return Read("x", kind or "int")

    literals = {"AT TIME ZONE": ("UTC",), "SUBSTR": (1, 2), "REPLACE": ("a", "b")}
    for overload in FUNCTIONS[name]:
        args = tuple(argument(kind) for kind in overload.takes if isinstance(kind, str | None))
        fixed = literals.get(name, ("it's \\d",))[: len(overload.takes) - len(args)]
        sqlglot.parse_one(compile_sql(Apply(overload, args, fixed), dialect), read=dialect)


def test_kinds_of_a_frame() -> None:
    schema = pl.Schema({
        "a": pl.UInt8, "b": pl.Float32, "c": pl.Decimal(10, 2), "d": pl.Enum(["x"]), "e": pl.Datetime("ns"), "f": pl.Date,
        "g": pl.Duration("ms"), "h": pl.Boolean, "i": pl.Null, "j": pl.List(pl.Int64), "k": pl.Binary,
    })  # fmt: skip
    assert polars_kinds(schema) == {
        "a": "int", "b": "float", "c": "float", "d": "string", "e": "timestamp", "f": "date", "g": "interval", "h": "bool",
        "i": "null",
    }  # fmt: skip


def test_other_types_of_the_same_kind_are_read() -> None:
    frame = pl.DataFrame({"a": [200, None], "b": ["2013-01-01T05:00:00", None], "c": ["x", None]}).select(
        pl.col("a").cast(pl.UInt8), pl.col("b").str.to_datetime(time_unit="ns"), pl.col("c").cast(pl.Categorical)
    )
    kinds = polars_kinds(frame.schema)
    assert frame.select(to_polars(parse("a + 200"), kinds)).to_series().to_list() == [400, None]
    assert frame.select(to_polars(parse("EXTRACT(HOUR FROM b)"), kinds)).to_series().to_list() == [5, None]
    assert frame.select(to_polars(parse("c || 'y'"), kinds)).to_series().to_list() == ["xy", None]


def test_importing_is_cheap() -> None:
    code = "import sys, noria.expressions; print([m for m in ('sqlglot', 'polars', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_request_path_needs_no_frame_library() -> None:
    code = (
        "import sys; from noria.expressions import parse, to_python; to_python(parse('a + 1'), {'a': 'int'})({'a': 1});"
        "print([m for m in ('polars', 'numpy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
