from hypothesis import given
from hypothesis import strategies as st

from noria.rehearsal.ticks import duties, ticks

moments = st.lists(st.integers(0, 50), max_size=40).map(sorted)


@given(moments, moments, moments)
def test_every_question_sees_exactly_the_events_before_it(arrivals, questions, kept):
    applied = 0
    answered = []
    done = []
    for tick in ticks(arrivals, questions, kept):
        assert tick.events.start == applied  # in order, none twice, none left out
        applied = tick.events.stop
        assert all(at < tick.at for at in arrivals[:applied])
        assert all(at >= tick.at for at in arrivals[applied:])
        assert all(at == tick.at for at in questions[tick.questions])
        answered += questions[tick.questions]
        done += [tick.at] * tick.duty
    assert answered == questions
    assert done == sorted(set(kept))


@given(moments, moments, moments)
def test_ticks_are_few_and_in_order(arrivals, questions, kept):
    found = [tick.at for tick in ticks(arrivals, questions, kept)]
    assert found == sorted({*questions, *kept})


def test_an_event_at_the_time_of_the_question_is_not_seen():
    (tick,) = ticks([7, 8], [8], [])
    assert tick.events == slice(0, 1)


def test_duties_end_with_the_period():
    assert duties(100, 130, [10]) == [110, 120, 130]
