from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core import UTC, DeclarationError
from noria.declarations import Schedule, dump, restore
from noria.schedule import start_of, times_after


def local(cron, zone, after, number):
    """The next times on the wall there."""
    start = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    times = islice(times_after(Schedule(cron, zone=zone), start), number)
    return [time.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M%z") for time in times]


@pytest.mark.parametrize(
    ("cron", "zone", "after", "times"),
    [
        # a time that does not exist comes right after the gap, once
        ("30 2 * * *", "Europe/Berlin", "2025-03-29 12:00", ["03-30 03:00+0200", "03-31 02:30+0200"]),
        ("0,30 2 * * *", "Europe/Berlin", "2025-03-29 12:00", ["03-30 03:00+0200", "03-31 02:00+0200"]),
        ("0 2,3 * * *", "America/New_York", "2025-03-08 12:00", ["03-09 03:00-0400", "03-10 02:00-0400"]),
        # a time that exists twice counts once
        ("30 2 * * *", "Europe/Berlin", "2025-10-25 12:00", ["10-26 02:30+0200", "10-27 02:30+0100"]),
        # by the clock on the wall
        ("0 * * * *", "Europe/Berlin", "2025-03-30 00:30", ["03-30 01:00+0100", "03-30 03:00+0200"]),
        (
            "0 * * * *",
            "Europe/Berlin",
            "2025-10-26 01:30",
            ["10-26 02:00+0200", "10-26 02:00+0100", "10-26 03:00+0100"],
        ),
        # half an hour, not one
        ("15 2 * * *", "Australia/Lord_Howe", "2025-10-04 12:00", ["10-05 02:30+1100", "10-06 02:15+1100"]),
        # a day that does not exist: Samoa went from the 29th to the 31st
        ("0 6 * * *", "Pacific/Apia", "2011-12-28 12:00", ["12-29 06:00-1000", "12-31 00:00+1400", "12-31 06:00+1400"]),
        ("0 6 * * 1-5", "UTC", "2025-11-21 07:00", ["11-24 06:00+0000", "11-25 06:00+0000"]),
        ("0 0 L * *", "UTC", "2024-02-01 00:00", ["02-29 00:00+0000", "03-31 00:00+0000"]),
        ("0 0 13 * 5", "UTC", "2025-06-10 00:00", ["06-13 00:00+0000", "06-20 00:00+0000"]),  # either is enough
    ],
)
def test_times_where_clocks_change_and_elsewhere(cron, zone, after, times):
    assert local(cron, zone, after, len(times)) == times


def test_begun_in_the_second_of_two_equal_hours_no_time_is_past():
    second = datetime(2025, 10, 26, 2, 40, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    found = next(times_after(Schedule("50 2 * * *", zone="Europe/Berlin"), second))
    assert found > second
    assert found == datetime(2025, 10, 27, 1, 50, tzinfo=UTC)


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"]
FIELDS = st.tuples(
    st.sampled_from(["0", "30", "*/15", "5,59", "*"]),
    st.sampled_from(["*", "2", "1-3", "*/6", "0,23"]),
    st.sampled_from(["*", "1", "L", "13,31"]),
    st.sampled_from(["*", "3,10", "2"]),
    st.sampled_from(["*", "1-5", "7", "SUN#1", "5L"]),
)


@given(FIELDS, st.sampled_from(ZONES), st.integers(0, 10**9))
def test_times_only_go_on_and_are_the_same_from_wherever_one_begins(fields, zone, second):
    schedule = Schedule(" ".join(fields), zone=zone)
    begin = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    times = list(islice(times_after(schedule, begin), 12))
    assert all(a < b for a, b in zip([begin, *times], times, strict=False))
    assert all(time.tzinfo is UTC and time.second == time.microsecond == 0 for time in times)
    for n, time in enumerate(times[:-1]):
        assert next(times_after(schedule, time)) == times[n + 1]


def test_jitter_is_within_its_bound_and_always_the_same():
    schedule, due = Schedule("0 * * * *", jitter="10m"), datetime(2025, 1, 1, tzinfo=UTC)
    starts = {start_of(schedule, f"p{n}", due) - due for n in range(50)}
    assert len(starts) == 50
    assert timedelta() <= min(starts) < timedelta(minutes=2)
    assert timedelta(minutes=8) < max(starts) <= timedelta(minutes=10)
    assert start_of(schedule, "p", due) == start_of(schedule, "p", due)
    assert start_of(Schedule("0 * * * *"), "p", due) == due


@pytest.mark.parametrize(
    "cron",
    ["", "* * * *", "* * * * * *", "60 * * * *", "0 0 31 2 *", "@daily", "0 0 * * MON#6", "0 0 * * ١", "0 6 * * *; ls"],
)
def test_what_is_no_cron_is_refused(cron):
    with pytest.raises(DeclarationError, match="cron is wrong"):
        Schedule(cron)


@pytest.mark.parametrize(
    "fields", [{"zone": "Mars"}, {"zone": "../x"}, {"zone": "Europe"}, {"jitter": "24h"}, {"catch_up": "some"}]
)
def test_what_no_schedule_can_be_is_refused(fields):
    with pytest.raises(DeclarationError):
        Schedule("0 6 * * *", **fields)


def test_it_is_kept_as_it_is():
    schedule = Schedule("  0   6 * *\t1-5 ", zone="Europe/Berlin", jitter="5m", overlap="wait")
    assert schedule.cron == "0 6 * * 1-5"
    assert restore(dump(schedule)) == schedule
