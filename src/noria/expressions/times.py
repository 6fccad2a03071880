"""The table's rows on time: timestamps are UTC, intervals are counts of microseconds, a week begins on Monday."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from noria.core import UTC, to_micros
from noria.expressions.function import Fixed, Overload, Sql, Table
from noria.expressions.tree import Type

if TYPE_CHECKING:
    import polars as pl

FIRST = to_micros(datetime.min)
LAST = to_micros(datetime.max)
_DAY = 86_400_000_000
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOCAL_FIRST = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
_LOCAL_LAST = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)


def within_sql(value: str) -> str:
    """SQL for a count of microseconds that is null outside of the years 1 to 9999, with `value` written once."""
    return f"NULLIF(NULLIF(GREATEST(LEAST({value}, {LAST + 1}), {FIRST - 1}), {LAST + 1}), {FIRST - 1})"


def bounded_micros(micros: pl.Expr) -> pl.Expr:
    """Microseconds since 1970 as a timestamp, null outside of the years 1 to 9999."""
    import polars as pl

    return pl.when(micros.is_between(FIRST, LAST)).then(micros).cast(pl.Int64).cast(pl.Datetime("us", "UTC"))


def _later(moment: datetime, micros: int) -> datetime | None:
    try:
        return moment + timedelta(microseconds=micros)
    except OverflowError:
        return None


def _earlier(moment: datetime, micros: int) -> datetime | None:
    return _later(moment, -micros)


def _later_polars(moment: pl.Expr, micros: pl.Expr) -> pl.Expr:
    import polars as pl

    return bounded_micros(moment.cast(pl.Int64).cast(pl.Int128) + micros.cast(pl.Int128))


def _earlier_polars(moment: pl.Expr, micros: pl.Expr) -> pl.Expr:
    import polars as pl

    return bounded_micros(moment.cast(pl.Int64).cast(pl.Int128) - micros.cast(pl.Int128))


def _between_polars(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    import polars as pl

    return a.cast(pl.Int64) - b.cast(pl.Int64)


def _shift_sql(sign: str, moment: str = "{0}", micros: str = "{1}") -> dict[str, str]:
    duckdb = within_sql(f"CAST(EPOCH_US({moment}) AS HUGEINT) {sign} {micros}")
    spark = within_sql(f"{'TRY_ADD' if sign == '+' else 'TRY_SUBTRACT'}(UNIX_MICROS({moment}), {micros})")
    return {
        "duckdb": f"MAKE_TIMESTAMP(CAST({duckdb} AS BIGINT))",
        "spark": f"TIMESTAMP_MICROS({spark})",
        # Flink counts intervals in milliseconds.
        "flink": f"({moment} {sign} CAST({micros} / 1000 AS BIGINT) * INTERVAL '0.001' SECOND)",
    }


def _zone(name: str) -> tuple[str]:
    try:
        if name != "UTC" and "/" not in name:
            raise ValueError(name)
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError(f"'{name}' is no time zone that is known here; write it like 'America/New_York'") from None
    return (name,)


def _to_local(name: str) -> Callable[[datetime], datetime | None]:
    zone = zoneinfo.ZoneInfo(name)
    return lambda moment: moment.astimezone(zone) if _LOCAL_FIRST <= moment <= _LOCAL_LAST else None


def _to_local_polars(moment: pl.Expr, name: str) -> pl.Expr:
    import polars as pl

    inside = moment.is_between(pl.lit(_LOCAL_FIRST), pl.lit(_LOCAL_LAST))
    return pl.when(inside).then(moment).dt.convert_time_zone(name)


_INSIDE = (
    "CASE WHEN {0} BETWEEN TIMESTAMP '0001-01-02 00:00:00' AND TIMESTAMP '9999-12-30 23:59:59.999999' THEN {0} END"
)
_LOCAL_SQL = {
    "duckdb": f"((({_INSIDE}) AT TIME ZONE 'UTC') AT TIME ZONE {{1}})",
    "spark": f"FROM_UTC_TIMESTAMP({_INSIDE}, {{1}})",
    "flink": f"TO_TIMESTAMP(CONVERT_TZ(DATE_FORMAT({_INSIDE}, 'yyyy-MM-dd HH:mm:ss'), 'UTC', {{1}}))",
}


def _day_of_year(day: date) -> int:
    return day.timetuple().tm_yday


def _big(sql: str) -> str:
    return f"CAST({sql} AS BIGINT)"


# Each part: of a Python value, of a Polars expression, in SQL. Spark's and Flink's DOW count from Sunday = 1.
_DATE_PARTS: dict[str, tuple[Callable[[Any], int], Callable[[Any], pl.Expr], Sql]] = {
    "YEAR": (lambda x: int(x.year), lambda x: x.dt.year(), _big("EXTRACT(YEAR FROM {0})")),
    "QUARTER": (lambda x: (int(x.month) + 2) // 3, lambda x: x.dt.quarter(), _big("EXTRACT(QUARTER FROM {0})")),
    "MONTH": (lambda x: int(x.month), lambda x: x.dt.month(), _big("EXTRACT(MONTH FROM {0})")),
    "WEEK": (lambda x: int(x.isocalendar()[1]), lambda x: x.dt.week(), _big("EXTRACT(WEEK FROM {0})")),
    "DAY": (lambda x: int(x.day), lambda x: x.dt.day(), _big("EXTRACT(DAY FROM {0})")),
    "DOY": (_day_of_year, lambda x: x.dt.ordinal_day(), _big("EXTRACT(DOY FROM {0})")),
    "DOW": (
        lambda x: int(x.isoweekday()) % 7,
        lambda x: x.dt.weekday() % 7,
        {"duckdb": _big("EXTRACT(DOW FROM {0})"), "": _big("(EXTRACT(DOW FROM {0}) - 1)")},
    ),
    "ISODOW": (
        lambda x: int(x.isoweekday()),
        lambda x: x.dt.weekday(),
        {"duckdb": _big("EXTRACT(ISODOW FROM {0})"), "": _big("MOD(EXTRACT(DOW FROM {0}) + 5, 7) + 1")},
    ),
}
_CLOCK_PARTS: dict[str, tuple[Callable[[Any], int], Callable[[Any], pl.Expr], Sql]] = {
    "HOUR": (lambda x: int(x.hour), lambda x: x.dt.hour(), _big("EXTRACT(HOUR FROM {0})")),
    "MINUTE": (lambda x: int(x.minute), lambda x: x.dt.minute(), _big("EXTRACT(MINUTE FROM {0})")),
    "SECOND": (lambda x: int(x.second), lambda x: x.dt.second(), _big("FLOOR(EXTRACT(SECOND FROM {0}))")),
}


def _part(
    kind: Type, part: tuple[Callable[[Any], int], Callable[[Any], pl.Expr], Sql], exact: bool = False
) -> Overload:
    of_python, of_polars, sql = part

    def build(x: pl.Expr) -> pl.Expr:
        import polars as pl

        return of_polars(x).cast(pl.Int64)

    return Overload((kind,), "int", of_python, build, sql, exact=exact)


def micros_of(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return micros_in(moment - _EPOCH)


def micros_in(span: timedelta) -> int:
    """An interval in whole microseconds."""
    return span.days * _DAY + span.seconds * 1_000_000 + span.microseconds


def _seconds_polars(x: pl.Expr) -> pl.Expr:
    import polars as pl

    return x.cast(pl.Int64).cast(pl.Float64) / 1e6


_EPOCH_PART = (
    Overload(("timestamp",), "float", lambda x: micros_of(x) / 1e6, _seconds_polars,
             {"duckdb": "(EPOCH_US({0}) / 1e6)", "spark": "(UNIX_MICROS({0}) / CAST(1e6 AS DOUBLE))"}),
    Overload(("interval",), "float", lambda x: float(x) / 1e6, _seconds_polars, "(CAST({0} AS DOUBLE) / 1e6)"),
)  # fmt: skip


def _truncated(unit: str) -> Callable[[datetime], datetime]:
    def truncate(x: datetime) -> datetime:
        day = x.replace(hour=0, minute=0, second=0, microsecond=0)
        if unit == "YEAR":
            return day.replace(month=1, day=1)
        if unit == "QUARTER":
            return day.replace(month=(x.month - 1) // 3 * 3 + 1, day=1)
        if unit == "MONTH":
            return day.replace(day=1)
        return day - timedelta(days=x.weekday()) if unit == "WEEK" else day

    clock: dict[str, Callable[[datetime], datetime]] = {
        "HOUR": lambda x: x.replace(minute=0, second=0, microsecond=0),
        "MINUTE": lambda x: x.replace(second=0, microsecond=0),
        "SECOND": lambda x: x.replace(microsecond=0),
    }
    return clock.get(unit, truncate)


_POLARS_UNITS = {
    "YEAR": "1y", "QUARTER": "1q", "MONTH": "1mo", "WEEK": "1w", "DAY": "1d", "HOUR": "1h", "MINUTE": "1m",
    "SECOND": "1s",
}  # fmt: skip


def _trunc(unit: str) -> Overload:
    every = _POLARS_UNITS[unit]
    monday = "TIMESTAMPADD(DAY, -CAST(MOD(EXTRACT(DOW FROM {0}) + 5, 7) AS INT), FLOOR({0} TO DAY))"
    sql = {
        "duckdb": f"CAST(DATE_TRUNC('{unit}', {{0}}) AS TIMESTAMP)",
        "spark": f"DATE_TRUNC('{unit}', {{0}})",
        "flink": monday if unit == "WEEK" else f"FLOOR({{0}} TO {unit})",
    }
    return Overload(("timestamp",), "timestamp", _truncated(unit), lambda x: x.dt.truncate(every), sql)


TIMES: Table = {
    "+": (
        Overload(("timestamp", "interval"), "timestamp", _later, _later_polars, _shift_sql("+")),
        Overload(("interval", "timestamp"), "timestamp", lambda n, t: _later(t, n), lambda n, t: _later_polars(t, n),
                 _shift_sql("+", "{1}", "{0}")),
    ),
    "-": (
        Overload(("timestamp", "interval"), "timestamp", _earlier, _earlier_polars, _shift_sql("-")),
        Overload(("timestamp", "timestamp"), "interval", lambda a, b: micros_in(a - b), _between_polars,
                 {"duckdb": "(EPOCH_US({0}) - EPOCH_US({1}))", "spark": "(UNIX_MICROS({0}) - UNIX_MICROS({1}))"}),
    ),
    "AT TIME ZONE": (
        Overload(("timestamp", Fixed("string")), "local", _to_local, _to_local_polars, _LOCAL_SQL, prepare=_zone),
    ),
    **{
        f"EXTRACT({name})": (_part("timestamp", part), _part("local", part), _part("date", part))
        for name, part in _DATE_PARTS.items()
    },
    # A date has no hour: midnight would be a guess.
    **{
        f"EXTRACT({name})": (_part("timestamp", part, exact=True), _part("local", part))
        for name, part in _CLOCK_PARTS.items()
    },
    "EXTRACT(EPOCH)": _EPOCH_PART,
    **{f"DATE_TRUNC({unit})": (_trunc(unit),) for unit in _POLARS_UNITS},
}  # fmt: skip
