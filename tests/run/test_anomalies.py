import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.ledger import open_ledger
from noria.run import alarms_of
from noria.run.anomalies import anomalies


def body(seconds, read):
    return {"meters": {"wall_seconds": seconds}, "outcome": {"facts": {} if read is None else {"read": read}}}


class Past:
    """The one thing that is asked of a ledger here, from a list."""

    def __init__(self, *past):
        self.past = [type("Event", (), {"body": body(*one)}) for one in past]

    def events(self, **asked):
        assert asked == {"kind": "step.finished", "subject": "s", "newest_first": True}
        return iter(reversed(self.past))


def odd(past, seconds=1.0, read=None):
    found = anomalies(Past(*past), "s", seconds, {} if read is None else {"read": read})
    return [(event["kind"], event["subject"], event["body"]["what"]) for event in found]


STEADY = [(1.0 + n / 100, 1000 + n) for n in range(10)]


def test_what_is_as_always_is_not_odd():
    assert odd(STEADY, 1.2, 1020) == []


@pytest.mark.parametrize("read", [0, 300, 2000, 10**9])
def test_far_more_or_fewer_rows_are_odd(read):
    assert odd(STEADY, 1.0, read) == [("alarm.raised", "s", "volume")]


def test_far_more_time_is_odd_less_is_not():
    assert odd(STEADY, 20.0, 1000) == [("alarm.raised", "s", "duration")]
    assert odd(STEADY, 0.01, 1000) == []
    assert odd(STEADY, 2.9, 1000) == []  # a second or two is nothing


def test_rows_explain_time_so_one_cause_is_one_alarm():
    assert odd(STEADY, 100.0, 100_000) == [("alarm.raised", "s", "volume")]


def test_without_enough_history_nothing_is_odd():
    assert odd(STEADY[:6], 100.0, 10**6) == []
    assert odd([], 100.0, 10**6) == []


def test_one_odd_run_neither_hides_the_next_nor_becomes_the_norm():
    past = [*STEADY, (50.0, 90_000)]
    assert odd(past, 1.0, 90_000) == [("alarm.raised", "s", "volume")]
    assert odd(past, 1.0, 1004) == []


def test_steps_without_rows_have_only_time():
    assert odd([(1.0, None)] * 10, 1.0, None) == []
    assert odd([(1.0, None)] * 10, 9.0, None) == [("alarm.raised", "s", "duration")]
    assert odd([(1.0, None)] * 10, 1.0, 7) == []


def test_a_look_that_finds_nothing_is_neither_odd_nor_history():
    past = [(1.0, 0)] * 40
    assert anomalies(Past(*past), "s", 1.0, {"read": 5000}, looks=True) == []
    mixed = [*STEADY, *past]
    assert anomalies(Past(*mixed), "s", 1.0, {"read": 0}, looks=True) == []
    assert anomalies(Past(*mixed), "s", 1.0, {"read": 1010}, looks=True) == []
    assert len(anomalies(Past(*mixed), "s", 1.0, {"read": 50_000}, looks=True)) == 1
    assert len(anomalies(Past(*STEADY), "s", 1.0, {"read": 0})) == 1


def test_of_a_source_that_is_read_on_each_load_counts_not_their_sum():
    facts = {"read": 10**6, "load": {"read": 1005}}
    assert anomalies(Past(*STEADY), "s", 1.0, facts) == []
    assert anomalies(Past(*STEADY), "s", 1.0, {"read": 1005, "load": {"read": 10**6}}) != []


def test_the_alarm_says_what_is_usual():
    [event] = anomalies(Past(*STEADY), "s", 1.0, {"read": 5})
    assert event["body"]["text"] == "s read 5 rows, where 1,004 are usual"
    assert event["body"]["history"] == 10
    assert event["body"]["from"] < event["body"]["usual"] < event["body"]["to"]


@given(st.lists(st.integers(0, 10**9), min_size=7, max_size=40), st.floats(0, 1e6))
def test_the_median_is_never_odd(reads, seconds):
    past = [(seconds, read) for read in reads]
    middle = sorted(reads[-30:])[len(reads[-30:]) // 2]
    if len(reads[-30:]) % 2:
        assert odd(past, seconds, middle) == []


def test_alarms_of_a_past_that_was_lived_again_are_not_alarms_of_the_run(tmp_path):
    with contextlib.closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        ledger.append("alarm.raised", "rehearsal:late@2013-12-01", run="r", body={"text": "drift"})
        ledger.append("alarm.raised", "ingest:a", run="r", body={"text": "few rows"})
        ledger.append("alarm.raised", "ingest:a", run="other", body={"text": "many rows"})
        assert [event.body["text"] for event in alarms_of(ledger, ["r", ""])] == ["few rows"]
