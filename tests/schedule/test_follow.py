"""A schedule is followed under a clock that is told: days pass in milliseconds, and processes die."""

import contextlib
from datetime import datetime, timedelta

import pytest

from noria.core import UTC, BusyError, DataError, ToldClock
from noria.declarations import Schedule
from noria.ledger import open_ledger
from noria.schedule import Followed, follow

MIDNIGHT = datetime(2025, 11, 3, tzinfo=UTC)


class Killed(BaseException):
    pass


class World:
    """A clock, a ledger, and runs that take as long as they are told."""

    def __init__(self, folder):
        self.folder = folder
        self.clock = ToldClock(folder / "clock", start=MIDNIGHT)
        self.ran, self.takes, self.said = [], {}, []

    def pause(self, seconds):
        self.clock.tell(self.clock.now() + timedelta(seconds=seconds))

    def once(self, due):
        self.ran.append(f"{due:%d %H:%M}")
        effect = self.takes.get(f"{due:%d %H:%M}", timedelta(seconds=10))
        if not isinstance(effect, timedelta):
            raise effect
        self.clock.tell(self.clock.now() + effect)
        return "run"

    def follow(self, schedule, *, hours=None, once=None):
        """Follow it for so many hours; without them as a scheduler's call does. What was run meanwhile."""
        self.ran = []
        end = None if hours is None else self.clock.now() + timedelta(hours=hours)
        with contextlib.closing(open_ledger(f"sqlite:///{self.folder}/ledger.db", self.clock)) as ledger:
            followed = Followed(schedule, "p", ledger, self.clock, once or self.once, self.said.append, self.pause)
            follow(followed, self.folder, until=None if end is None else lambda: self.clock.now() >= end)
        return self.ran

    def sleep(self, **time):
        self.clock.tell(self.clock.now() + timedelta(**time))

    def told(self):
        with contextlib.closing(open_ledger(f"sqlite:///{self.folder}/ledger.db")) as ledger:
            assert ledger.verify() == []
            return [(event.kind.partition(".")[2], event.body) for event in ledger.events(kind="schedule.*")]

    def ends(self):
        return [(body["due"][8:16], body["outcome"]) for kind, body in self.told() if kind == "ended"]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def every_six(**fields):
    return Schedule("0 */6 * * *", **fields)


def test_what_is_due_is_run_when_it_is_due(world):
    assert world.follow(every_six(), hours=25) == ["03 06:00", "03 12:00", "03 18:00", "04 00:00"]
    assert [body["outcome"] for kind, body in world.told() if kind == "ended"] == ["run"] * 4


def test_what_was_due_before_it_was_ever_followed_counts_for_nothing(world):
    world.sleep(days=30)
    assert world.follow(every_six(catch_up="all"), hours=1) == []


@pytest.mark.parametrize(
    ("catch_up", "made_up", "left"),
    [("none", [], 4), ("last", ["04 06:00"], 3), ("all", ["03 12:00", "03 18:00", "04 00:00", "04 06:00"], 0)],
)
def test_what_passed_while_nobody_was_there_is_made_up_as_declared(world, catch_up, made_up, left):
    schedule = every_six(catch_up=catch_up)
    assert world.follow(schedule, hours=7) == ["03 06:00"]
    world.sleep(hours=24)
    assert world.follow(schedule, hours=1) == made_up
    missed = [body for _, body in world.told() if body.get("outcome") == "missed"]
    assert sum(body["times"] for body in missed) == left
    assert world.follow(schedule, hours=6) == ["04 12:00"]  # and it goes on as if nothing had been


def test_each_time_is_seen_to_once_however_often_it_is_begun(world):
    ran = []
    for _ in range(20):
        ran += world.follow(every_six(catch_up="all"), hours=1.7)
    assert ran == sorted(set(ran))
    assert len(ran) == 5


@pytest.mark.parametrize("catch_up", ["none", "last", "all"])
def test_a_run_that_was_killed_is_taken_up_again(world, catch_up):
    world.takes["03 06:00"] = Killed()
    with pytest.raises(Killed):
        world.follow(every_six(catch_up=catch_up), hours=7)
    del world.takes["03 06:00"]
    world.sleep(minutes=10)
    assert world.follow(every_six(catch_up=catch_up), hours=1) == ["03 06:00"]
    assert "taken up again" in world.said[0]
    assert world.follow(every_six(catch_up=catch_up), hours=6) == ["03 12:00"]


@pytest.mark.parametrize(
    ("overlap", "ran", "outcomes"),
    [
        ("skip", ["03 06:00", "04 00:00"], [("03T06:00", "run"), ("03T18:00", "skipped"), ("04T00:00", "run")]),
        ("wait", ["03 06:00", "03 12:00", "03 18:00", "04 00:00"], None),
    ],
)
def test_what_comes_due_while_a_run_goes_on_is_left_out_or_waits(world, overlap, ran, outcomes):
    world.takes["03 06:00"] = timedelta(hours=13)
    assert world.follow(every_six(overlap=overlap, catch_up="none"), hours=25) == ran
    if outcomes:
        assert world.ends() == outcomes


def test_another_run_on_the_workspace_is_an_overlap_too(world):
    world.takes["03 06:00"] = BusyError("another process is using the workspace", value="process 7")
    assert world.follow(every_six(), hours=13) == ["03 06:00", "03 12:00"]
    assert world.ends() == [("03T06:00", "skipped"), ("03T12:00", "run")]


def test_a_run_that_fails_is_told_and_the_schedule_goes_on(world):
    world.takes["03 06:00"] = DataError("a column is gone", place="x.csv")
    assert world.follow(every_six(), hours=13) == ["03 06:00", "03 12:00"]
    [failed] = [body for _, body in world.told() if body.get("outcome") == "failed"]
    assert failed["exit"] == 3
    assert "x.csv" in failed["error"]


def test_a_machine_that_slept_missed_what_passed(world):
    def asleep(seconds):
        world.clock.tell(world.clock.now() + timedelta(hours=20))

    world.pause = asleep
    world.follow(every_six(catch_up="none"), hours=19)
    assert world.ran == []
    assert world.ends() == [("03T18:00", "missed")]


def test_a_clock_that_is_put_back_repeats_nothing(world):
    assert world.follow(every_six(), hours=7) == ["03 06:00"]
    world.sleep(hours=-3)
    assert world.follow(every_six(), hours=9) == ["03 12:00"]


def test_another_schedule_begins_anew(world):
    world.follow(every_six(), hours=7)
    world.sleep(days=3)
    assert world.follow(Schedule("0 * * * *", catch_up="all"), hours=2) == ["06 08:00", "06 09:00"]


def test_jitter_moves_the_start_not_the_time(world):
    moments = []
    schedule = every_six(jitter="2h")

    def once(due):
        moments.append(world.clock.now() - due)
        return "run"

    world.follow(schedule, hours=49, once=once)
    assert len(moments) >= 7
    assert len(set(moments)) == len(moments)
    assert all(timedelta() <= moment <= timedelta(hours=2) for moment in moments)


def test_a_call_runs_what_is_due_and_ends(world):
    schedule = every_six(catch_up="none")
    assert world.follow(schedule) == ["03 00:00"]  # the first of all
    assert world.follow(schedule) == []
    world.sleep(hours=6, minutes=17)  # a scheduler that comes late comes for the newest time
    assert world.follow(schedule) == ["03 06:00"]
    assert world.follow(schedule) == []
    world.sleep(hours=18)
    assert world.follow(schedule) == ["04 00:00"]
    assert [body["times"] for _, body in world.told() if body.get("outcome") == "missed"] == [2]


def test_a_call_waits_for_its_jitter(world):
    schedule = every_six(jitter="1h")
    world.follow(schedule)
    world.sleep(hours=6)
    before = world.clock.now()
    assert world.follow(schedule) == ["03 06:00"]
    assert timedelta(seconds=30) < world.clock.now() - before < timedelta(minutes=61)


@pytest.mark.parametrize(("overlap", "ran"), [("skip", ["03 06:00"]), ("wait", ["03 06:00", "03 12:00"])])
def test_a_call_sees_to_what_comes_due_while_it_runs(world, overlap, ran):
    world.follow(every_six(overlap=overlap))
    world.sleep(hours=6)
    world.takes["03 06:00"] = timedelta(hours=7)
    assert world.follow(every_six(overlap=overlap)) == ran


def test_two_do_not_follow_one_schedule(world):
    def once(due):
        with pytest.raises(BusyError, match="another process follows"):
            World.follow(world, every_six())
        return "run"

    world.follow(every_six(), once=once)
