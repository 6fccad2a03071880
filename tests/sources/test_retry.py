"""Trying again: how often, how long it waits, and what it says at the end."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core import DataError, TransientError
from noria.sources import retry
from noria.sources.retry import Breaker, Later, asked_wait, retried


class Server:
    """Raises what it is given, one after the other, then answers."""

    def __init__(self, *faults):
        self.faults, self.asked = list(faults), 0

    def __call__(self):
        self.asked += 1
        if self.faults:
            raise self.faults.pop(0)
        return "rows"


def down(count):
    return [TransientError("it is down", place="shop.example", mend="start it") for _ in range(count)]


def test_what_passes_is_tried_again_with_waits_that_grow(monkeypatch):
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    waits, said = [], []
    server = Server(*down(3))
    assert retried(server, tries=4, sleep=waits.append, say=said.append) == "rows"
    assert waits == [0.5, 1.0, 2.0]
    assert said[-1] == "it is down: trying again in 2 s (4 of 4)"


def test_a_wait_is_random_and_has_an_end():
    waits = []
    with pytest.raises(TransientError):
        retried(Server(*down(20)), tries=20, sleep=waits.append)
    assert len(set(waits)) == 19
    assert max(waits) <= retry.LONGEST_WAIT


def test_what_does_not_pass_says_what_was_waited_for():
    server = Server(*down(9))
    with pytest.raises(TransientError, match=r"it is down \(3 tries in 0 s\)") as caught:
        retried(server, tries=3, sleep=lambda seconds: None)
    assert server.asked == 3
    assert (caught.value.place, caught.value.mend) == ("shop.example", "start it")


def test_other_errors_are_not_tried_again():
    server = Server(DataError("it is no JSON"), *down(1))
    with pytest.raises(DataError):
        retried(server, tries=3, sleep=lambda seconds: None)
    assert server.asked == 1


def test_a_server_is_given_the_time_that_it_asks_for():
    waits = []
    retried(Server(Later("slow down").waiting(7.0), Later("slow down").waiting(0.0)), tries=3, sleep=waits.append)
    assert 7.0 <= waits[0] <= 7.8
    assert 0.0 <= waits[1] <= 0.1


def test_one_that_asks_for_hours_is_not_waited_for():
    server, waits = Server(Later("quota spent").waiting(3600.0)), []
    with pytest.raises(TransientError, match="left alone for 3600 s"):
        retried(server, tries=3, sleep=waits.append)
    assert not waits


def test_a_breaker_opens_after_failures_in_a_row_and_closes_with_one_answer(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(retry.time, "monotonic", lambda: now[0])
    breaker, server = Breaker("shop.example", failures=3, seconds=60), Server(*down(4))
    with pytest.raises(TransientError, match="left alone"):
        retried(server, tries=9, breaker=breaker, sleep=lambda seconds: None)
    assert server.asked == 3
    with pytest.raises(TransientError, match="left alone: it failed 3 times in a row, last with: it is down"):
        retried(server, tries=9, breaker=breaker, sleep=lambda seconds: None)
    assert server.asked == 3, "nobody is asked while it is open"
    now[0] = 61
    with pytest.raises(TransientError, match="left alone: it failed 4 times"):
        retried(server, tries=9, breaker=breaker, sleep=lambda seconds: None)
    assert server.asked == 4, "then one call tries"
    now[0] = 122
    assert retried(server, tries=9, breaker=breaker) == "rows"
    breaker.check()


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        (None, None, None),
        ("", None, None),
        ("3", None, 3.0),
        ("1.5", None, 1.5),
        ("-3", None, 0.0),
        ("nan", None, None),
        ("inf", None, None),
        ("9" * 400, None, None),
        ("Thu, 01 Jan 2026 00:02:00 GMT", None, 120.0),
        ("Thu, 01 Jan 2026 00:02:00 GMT", "Thu, 01 Jan 2026 00:01:30 GMT", 30.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", None, 0.0),
        ("Thu, 01 Jan 2026 00:02:00", None, 120.0),
        ("Thu, 01 Jan 99999 00:02:00 GMT", None, None),
    ],
)
def test_what_a_server_asks_for(header, date, seconds):
    assert asked_wait(header, date, NOW) == seconds


@given(st.text())
def test_no_header_is_a_crash(text):
    wait = asked_wait(text, text, NOW)
    assert wait is None or wait >= 0
