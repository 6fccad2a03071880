import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core import ToldClock, WallClock, clock_from_environment, from_micros, to_micros

moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


@given(moments)
def test_micros_are_exact(moment):
    assert from_micros(to_micros(moment)) == moment


def test_a_time_without_a_zone_is_utc():
    assert to_micros(datetime(1970, 1, 2)) == 86_400_000_000


def test_a_zone_is_honoured():
    assert to_micros(datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == 0


def test_processes_share_a_told_clock(tmp_path):
    clock = ToldClock(tmp_path / "clock", start=datetime(2013, 12, 1, tzinfo=UTC))
    other = pickle.loads(pickle.dumps(clock))
    clock.tell(datetime(2013, 12, 2, tzinfo=UTC))
    assert other.now() == datetime(2013, 12, 2, tzinfo=UTC)


@pytest.mark.parametrize("told", [True, False])
def test_the_environment_chooses_the_clock(tmp_path, monkeypatch, told):
    monkeypatch.delenv("NORIA_CLOCK", raising=False)
    if told:
        monkeypatch.setenv("NORIA_CLOCK", str(tmp_path / "clock"))
    assert isinstance(clock_from_environment(), ToldClock if told else WallClock)
