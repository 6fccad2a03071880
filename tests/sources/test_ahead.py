"""Reading ahead in a thread: what comes is what the generator gives, and nobody is left behind."""

import threading
import time

import pytest

from noria.core import DataError
from noria.sources.ahead import ahead


def test_who_stops_reading_ends_the_thread_that_asks_ahead():
    made = []

    def pages(say):
        for number in range(1000):
            made.append(number)
            yield number
        raise AssertionError("nobody asked for all of them")

    reading = ahead(pages, print)
    assert [next(reading), next(reading)] == [0, 1]
    reading.close()
    until = time.monotonic() + 5
    while any(thread.name == "noria-ahead" for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert len(made) <= 5


def test_an_error_of_the_thread_is_raised_after_what_came_before_it():
    def pages(say):
        yield 1
        raise DataError("no more")

    reading = ahead(pages, print)
    assert next(reading) == 1
    with pytest.raises(DataError, match="no more"):
        next(reading)


def test_who_stops_reading_may_wait_until_what_was_opened_is_closed():
    closed = []

    def pages(say):
        try:
            yield from range(1000)
        finally:
            time.sleep(0.05)
            closed.append(True)

    reading = ahead(pages, print, wait=10)
    next(reading)
    reading.close()
    assert closed == [True]
