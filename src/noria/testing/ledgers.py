"""What every ledger must do."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from noria.core import DeclarationError, ToldClock
from noria.ledger import Ledger, open_ledger

_AT = datetime(2013, 12, 1, 12, tzinfo=UTC)


class LedgerSuite:
    """The tests of a ledger; give it a fixture ``url``."""

    @pytest.fixture
    def url(self) -> str:
        """The URL of a place where there is no ledger yet."""
        raise NotImplementedError("the suite needs a fixture 'url'")

    @pytest.fixture
    def ledger(self, url: str, tmp_path: Path) -> Iterator[Ledger]:
        """The ledger, open."""
        ledger = open_ledger(url, ToldClock(tmp_path / "clock", start=_AT))
        yield ledger
        ledger.close()

    def test_an_event_comes_back_as_it_was_told(self, ledger: Ledger) -> None:
        body = {
            "text": "Zürich 東京 \0",
            "number": 2**53,
            "real": 0.1,
            "none": None,
            "list": [1, [2]],
            "map": {"a": {}},
        }
        told = ledger.append(
            "run.started", "flights", run="r1", actor="ann", inputs=("a", "b"), outputs=("c",), body=body
        )
        assert list(ledger.events()) == [told]
        assert (told.seq, told.at, told.kind, told.subject) == (1, _AT, "run.started", "flights")
        assert (told.run, told.actor, told.inputs, told.outputs, told.body) == ("r1", "ann", ("a", "b"), ("c",), body)

    def test_each_event_is_chained_to_the_one_before(self, ledger: Ledger) -> None:
        events = [ledger.append("step.finished", f"s{number}") for number in range(5)]
        assert [event.seq for event in events] == [1, 2, 3, 4, 5]
        assert [event.previous for event in events[1:]] == [event.digest for event in events[:-1]]
        assert len({event.digest for event in events}) == 5
        assert ledger.verify() == []

    def test_events_are_found_by_kind_subject_run_and_place(self, ledger: Ledger) -> None:
        for kind, subject, run in [
            ("gate.passed", "a", "1"), ("gate.failed", "b", "1"), ("run.started", "a", "2"), ("run.finished", "a", "2"),
        ]:  # fmt: skip
            ledger.append(kind, subject, run=run)
        found = {name: [event.seq for event in events] for name, events in {
            "kind": ledger.events(kind="run.started"), "kinds": ledger.events(kind="gate.*"),
            "subject": ledger.events(subject="a"), "run": ledger.events(run="2"), "after": ledger.events(after=2),
            "newest": ledger.events(newest_first=True), "both": ledger.events(kind="gate.*", subject="a"),
            "none": ledger.events(subject="c"),
        }.items()}  # fmt: skip
        assert found == {
            "kind": [3], "kinds": [1, 2], "subject": [1, 3, 4], "run": [3, 4], "after": [3, 4],
            "newest": [4, 3, 2, 1], "both": [1], "none": [],
        }  # fmt: skip

    def test_a_kind_that_nobody_knows_is_refused(self, ledger: Ledger) -> None:
        with pytest.raises(DeclarationError):
            ledger.append("no.such.kind", "a")
        assert list(ledger.events()) == []

    def test_it_is_all_there_when_it_is_opened_again(self, url: str) -> None:
        ledger = open_ledger(url)
        told = ledger.append("run.started", "a")
        ledger.close()
        again = open_ledger(url)
        assert list(again.events()) == [told]
        assert again.append("run.finished", "a").previous == told.digest
        assert again.verify() == []
        again.close()

    def test_many_threads_and_processes_append_to_one_chain(self, ledger: Ledger, url: str) -> None:
        code = (
            "import sys; from noria.ledger import open_ledger; ledger = open_ledger(sys.argv[1])\n"
            "for number in range(20): ledger.append('step.finished', f'{sys.argv[2]}-{number}')"
        )
        processes = [subprocess.Popen([sys.executable, "-c", code, url, f"p{number}"]) for number in range(2)]
        threads = [
            threading.Thread(target=lambda name=f"t{number}": [
                ledger.append("step.finished", f"{name}-{count}") for count in range(20)
            ]) for number in range(2)
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [process.wait(60) for process in processes] == [0, 0]
        events = list(ledger.events())
        assert [event.seq for event in events] == list(range(1, 81))
        assert {event.subject for event in events} == {f"{w}-{n}" for w in ("t0", "t1", "p0", "p1") for n in range(20)}
        assert ledger.verify() == []
