"""Times of several sources on one line: zones, arrival, lateness; and a source that is down."""

from datetime import UTC, datetime

import polars as pl
import pytest

from noria.contracts import between
from noria.core import DeclarationError, TransientError
from noria.declarations import Contract, Incremental, Source


def test_times_without_a_zone_are_taken_for_the_sources(world, tmp_path):
    file = tmp_path / "t.csv"
    rows = ["id,when,typed", "1,2026-07-01 12:00,2026-07-01 12:00", "2,2026-01-01T12:00:00Z,2026-01-01T12:00:00+02:00"]
    file.write_text("\n".join(rows) + "\n")
    source = Source("data", str(file), time_zone="Europe/Berlin", contract=Contract(types={"typed": "timestamp"}))
    outcome = world.load(source)
    summer, noon, ten = (datetime(2026, *when, tzinfo=UTC) for when in ((7, 1, 10), (1, 1, 12), (1, 1, 10)))
    assert world.values(outcome, "when") == [summer, noon]
    assert world.values(outcome, "typed") == [summer, ten]


@pytest.mark.parametrize("types", [{}, {"when": "timestamp"}])
def test_an_hour_that_the_clock_skips_sets_the_row_aside(world, tmp_path, types):
    file = tmp_path / "t.csv"
    file.write_text("id,when\n1,2026-03-29 02:30\n2,2026-10-25 02:30\n")
    source = Source("data", str(file), time_zone="Europe/Berlin", contract=Contract(types=types))
    outcome = world.load(source)
    assert world.values(outcome, "when") == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]  # shown twice: the first
    assert world.values(outcome, "_reasons", "quarantine") == [["when is no time in Europe/Berlin: 2026-03-29 02:30"]]
    assert outcome.facts["reasons"] == {"when is no time in Europe/Berlin": 1}


def test_a_zone_that_is_none_is_refused(world):
    world.says([{"id": 1}])
    with pytest.raises(DeclarationError, match="no such time zone"):
        world.load(world.source(time_zone="Mars/Olympus"))


@pytest.mark.parametrize(("on_late", "kept"), [("correct", [1, 2, 3, 4]), ("quarantine", [1, 2, 4])])
def test_what_arrives_later_than_allowed_is_taken_or_set_aside_and_counted(world, at, on_late, kept):
    source = world.source("cursor", event_time="at", incremental=Incremental("id"), lateness="3h", on_late=on_late)
    world.says([{"id": 1, "at": at(-100)}, {"id": 2, "at": at(10)}])
    assert world.load(source).facts["late"]["too_late"] == 0  # of the first load nobody knows when its rows arrived
    world.says([], [{"id": 3, "at": at(-2)}, {"id": 4, "at": at(1)}])
    outcome = world.load(source)  # at hour 2
    assert world.values(outcome, "id") == kept
    assert (outcome.facts["late"]["rows"], outcome.facts["late"]["too_late"]) == (2, 1)
    if on_late == "quarantine":
        assert world.values(outcome, "_reasons", "quarantine") == [["later than 3h"]]


def test_a_source_says_itself_when_rows_arrived(world, at):
    source = world.source(event_time="at", arrival_time="arrived", lateness="1h", on_late="quarantine",
                          columns={"arrived": "at + hours * INTERVAL '1 hour'"})  # fmt: skip
    world.says([{"id": 1, "at": at(1), "hours": 1}, {"id": 2, "at": at(1), "hours": 2}])
    outcome = world.load(source)
    assert (world.values(outcome, "id"), world.values(outcome, "id", "quarantine")) == ([1], [2])


def test_a_source_that_is_down_is_an_alarm_where_its_data_are_young_enough(world, at):
    contract = Contract(rules=[between("n", 0, 9)], max_age="6h")
    source = world.source(event_time="at", contract=contract)
    world.says([{"id": 1, "at": at(1), "n": 1}])
    good = world.load(source)
    world.says(down=True)
    outcome = world.load(source, hours=2.5)
    assert outcome.outputs == good.outputs
    (alarm,) = outcome.events
    assert alarm["kind"] == "alarm.raised"
    assert alarm["body"]["text"] == "source 'data' is down (it does not answer); its data is 2.5 h old"
    with pytest.raises(TransientError, match="is down") as caught:
        world.load(source, hours=9)
    assert "its contract allows 6h" in caught.value.value
    world.says([{"id": 1, "at": at(1), "n": 1}])
    assert world.load(source).outputs == good.outputs


def test_a_source_that_is_down_is_not_asked_again_at_once(world, at):
    source = world.source(event_time="at", contract=Contract(max_age="6h"))
    world.says([{"id": 1, "at": at(1), "n": 1}])
    world.load(source)
    world.says(down=True)
    world.load(source)
    world.says([{"id": 2, "at": at(1), "n": 1}])
    (alarm,) = world.load(source, hours=0).events
    assert "is not asked again yet" in alarm["body"]["error"]
    assert world.values(world.load(source), "id") == [2]


def test_without_a_good_load_or_an_allowed_age_a_source_that_is_down_ends_the_run(world):
    world.says(down=True)
    with pytest.raises(TransientError, match="does not answer"):
        world.load(world.source(contract=Contract(max_age="6h")))


def test_a_pause_comes_to_an_end_however_often_a_run_looks(world, at):
    """A look in the pause does not ask, and so makes the pause no longer."""
    source = world.source(event_time="at", contract=Contract(max_age="90d"))
    world.says([{"id": 1, "at": at(1), "n": 1}])
    world.load(source)
    world.says(down=True)
    for _ in range(10):
        world.load(source, hours=0.2)
    world.says([{"id": 2, "at": at(1), "n": 1}])
    looks = [world.load(source, hours=0.02) for _ in range(6)]
    assert world.values(looks[-1], "id") == [2]


def test_a_source_that_had_nothing_new_is_no_older_for_it(world, at):
    source = world.source("cursor", event_time="at", incremental=Incremental("id"), contract=Contract(max_age="3h"))
    world.says([{"id": 1, "at": at(1), "n": 1}])
    world.load(source)
    world.load(source, hours=40)
    world.says(down=True)
    (alarm,) = world.load(source, hours=2).events
    assert alarm["body"]["age_seconds"] == 7200


def test_a_skipped_hour_of_a_format_with_types_sets_the_row_aside(world, tmp_path):
    file = tmp_path / "t.parquet"
    when = [datetime(2026, 3, 29, 2, 30), datetime(2026, 7, 1, 12)]
    pl.DataFrame({"id": [1, 2], "when": when}).write_parquet(file)
    outcome = world.load(Source("data", str(file), time_zone="Europe/Berlin"))
    assert world.values(outcome, "when") == [datetime(2026, 7, 1, 10, tzinfo=UTC)]
    assert "when is no time in Europe/Berlin: 2026-03-29" in world.values(outcome, "_reasons", "quarantine")[0][0]
