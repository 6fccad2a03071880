"""What the semantics of docs/expressions.md say, as values; in Python and in Polars."""

# ruff: noqa: E501 (tables of forms and values)
from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest

from noria.core import DataError
from noria.expressions import Kind, parse, to_polars, to_python

BIG = 2**63 - 1
AT = datetime(2013, 7, 1, 3, 30, 15, 250000, tzinfo=UTC)
ROW: dict[str, Any] = {
    "zero": 0, "seven": 7, "big": BIG, "lowest": -BIG - 1, "half": 2.5, "nan": math.nan, "inf": math.inf, "text": "Ärger 😀",
    "yes": True, "missing": None, "at": AT, "day": date(2013, 12, 31), "span": timedelta(hours=36),
}  # fmt: skip
SCHEMA: dict[str, Kind] = {
    "zero": "int", "seven": "int", "big": "int", "lowest": "int", "half": "float", "nan": "float", "inf": "float",
    "text": "string", "yes": "bool", "missing": "int", "at": "timestamp", "day": "date", "span": "interval",
}  # fmt: skip

VALUES: dict[str, Any] = {
    # what has no value is null
    "big + 1": None, "big * big": None, "-lowest": None, "ABS(lowest)": None, "seven / zero": None, "seven % zero": None,
    "half / 0.0": None, "SQRT(-half)": None, "LN(zero)": None, "POWER(zero, -1)": None, "POWER(-half, 0.5)": None,
    "CAST('x' || text AS int)": None, "CAST(nan AS int)": None, "CAST(inf AS int)": None, "at + span * 1e9": None,
    # arithmetic
    "seven / 2": 3.5, "-seven % 3": -1, "seven % -3": 1, "big % 10": 7, "seven + half": 9.5, "EXP(half * 1000)": math.inf,
    "inf * 2": math.inf, "ROUND(half)": 3.0, "ROUND(-half)": -3.0, "ROUND(half + 1)": 4.0, "ROUND(1.005 * 100, 1)": 100.5,
    "FLOOR(-half)": -3.0, "CEIL(-half)": -2.0, "CAST(-half AS int)": -2, "SIGN(-half)": -1.0, "ROUND(seven)": 7,
    # NaN equals itself and is above all else
    "nan = nan": True, "nan > inf": True, "GREATEST(nan, inf)": math.nan, "LEAST(nan, inf)": math.inf, "nan IS NULL": False,
    # three-valued logic
    "missing = 1 AND FALSE": False, "missing = 1 OR yes": True, "NOT (missing = 1)": None, "missing IN (1, 2)": None,
    "seven IN (1, NULL)": None, "seven IN (7, NULL)": True, "seven NOT IN (1, 2)": True, "missing IS DISTINCT FROM 1": True,
    "missing BETWEEN 1 AND 2": None, "seven BETWEEN missing AND 5": False, "GREATEST(missing, 3)": 3,
    "COALESCE(missing, zero)": 0, "NULLIF(seven, 7)": None, "CASE WHEN missing = 1 THEN 1 END": None,
    "CASE seven WHEN 7 THEN 'a' ELSE 'b' END": "a", "(missing = 1) IS TRUE": False, "(missing = 1) IS NOT TRUE": True,
    # text
    "LENGTH(text)": 7, "SUBSTR(text, 7)": "😀", "SUBSTR(text, 2, 3)": "rge", "SUBSTR(text, 99)": "", "LOWER(text)": "ärger 😀",
    "UPPER('ß' || text)": "SSÄRGER 😀", "text ILIKE 'ÄRGER%'": True, "text LIKE '_rger _'": True, "text LIKE 'rger'": False,
    r"REGEXP_LIKE(text, '\w+ .$')": True, "REGEXP_LIKE(text, '^rger')": False, r"text || '\' LIKE '%\\'": True,
    "CONCAT(text, NULL, '!')": "Ärger 😀!", "text || NULL": None, "text < 'Z'": False, "REPLACE(text, 'r', '$0')": "Ä$0ge$0 😀",
    # time
    "EXTRACT(HOUR FROM at)": 3, "EXTRACT(HOUR FROM at AT TIME ZONE 'America/New_York')": 23,
    "CAST(at AT TIME ZONE 'America/New_York' AS date)": date(2013, 6, 30), "CAST(at AS date)": date(2013, 7, 1),
    "EXTRACT(SECOND FROM at)": 15, "EXTRACT(EPOCH FROM at)": 1372649415.25, "EXTRACT(EPOCH FROM span)": 129600.0,
    "EXTRACT(DOW FROM DATE '2013-06-30')": 0, "EXTRACT(ISODOW FROM DATE '2013-06-30')": 7, "EXTRACT(WEEK FROM day)": 1,
    "EXTRACT(DOY FROM day)": 365, "EXTRACT(QUARTER FROM at)": 3, "at - span": datetime(2013, 6, 29, 15, 30, 15, 250000, tzinfo=UTC),
    "at - INTERVAL '1 day 90 minutes'": datetime(2013, 6, 30, 2, 0, 15, 250000, tzinfo=UTC), "span / 3": timedelta(hours=12),
    "at - day": datetime(2013, 7, 1, 3, 30, 15, 250000, tzinfo=UTC) - datetime(2013, 12, 31, tzinfo=UTC),
    "half * INTERVAL '1 minute'": timedelta(seconds=150), "DATE_TRUNC('week', day)": datetime(2013, 12, 30, tzinfo=UTC),
    "DATE_TRUNC('quarter', at)": datetime(2013, 7, 1, tzinfo=UTC), "at > DATE '2013-07-01'": True, "day = '2013-12-31'": True,
    "CAST(at AS text)": "2013-07-01 03:30:15.250000", "CAST('2013-07-01T05:30+02:00' AS timestamp)": AT.replace(second=0, microsecond=0),
}  # fmt: skip
DTYPES = {
    "int": pl.Int64, "float": pl.Float64, "string": pl.String, "bool": pl.Boolean, "timestamp": pl.Datetime("us", "UTC"),
    "date": pl.Date, "interval": pl.Duration("us"),
}  # fmt: skip
FRAME = pl.DataFrame([ROW, ROW], schema={name: DTYPES[kind] for name, kind in SCHEMA.items()})


def is_same(a: Any, b: Any) -> bool:
    return (a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))) and type(a) is type(b)


@pytest.mark.parametrize("text", VALUES)
def test_values(text: str) -> None:
    python = to_python(parse(text), SCHEMA)(ROW)
    assert is_same(python, VALUES[text]), python
    polars = FRAME.with_columns(out=to_polars(parse(text), SCHEMA))["out"].to_list()
    assert all(is_same(value, VALUES[text]) for value in polars), polars


@pytest.mark.parametrize(
    ("kind", "given", "read"),
    [
        ("float", 3, 3.0), ("int", 3.0, 3), ("int", None, None),
        ("timestamp", datetime(2013, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), datetime(2013, 1, 1, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_values_that_mean_the_same_are_read(kind: Kind, given: Any, read: Any) -> None:
    assert is_same(to_python(parse("x"), {"x": kind})({"x": given}), read)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("float", "3"), ("float", 10**400), ("float", True), ("int", 3.5), ("int", True), ("int", "3"), ("int", 2**63), ("bool", 1),
        ("string", 3), ("timestamp", datetime(2013, 1, 1)), ("timestamp", "2013-01-01"), ("date", AT), ("interval", 3),
    ],
)  # fmt: skip
def test_values_of_another_kind_are_refused(kind: Kind, given: Any) -> None:
    with pytest.raises(DataError) as caught:
        to_python(parse("x"), {"x": kind})({"x": given})
    assert caught.value.place == "x"


def test_a_row_without_the_column() -> None:
    with pytest.raises(KeyError):
        to_python(parse("x + 1"), {"x": "int"})({})
