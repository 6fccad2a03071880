"""Follow: what is due is run, each time once, whatever happens in between.

What was done for which time stands in the ledger, so that after a kill or a week without power it is known what passed
meanwhile. One process at a time follows a project's schedule.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

from noria.core import BusyError, Clock, NoriaError
from noria.declarations import Schedule
from noria.ledger import Ledger
from noria.schedule.times import start_of, times_after

_LATE = timedelta(seconds=60)
"""Later than this a time was not kept: the machine slept."""
_NAP = 20.0
"""Seconds after which the clock is looked at again, however long there is nothing to do."""

_Cause = Literal["down", "busy", "asleep"]


@dataclass(frozen=True, slots=True)
class Followed:
    """How a schedule is followed.

    Attributes
    ----------
    schedule : Schedule
        What is declared.
    name : str
        Of the project.
    ledger : Ledger
        Where it is told, and where it stands what was done before.
    clock : Clock
        Where now comes from.
    once : callable
        Brings the project up to date for a due time, and says in a word what came of it. Its `BusyError` says that
        another run goes on; any other `NoriaError` is told, and the schedule goes on.
    say : callable
        Tells the user.
    pause : callable
        Waits for so many seconds.
    """

    schedule: Schedule
    name: str
    ledger: Ledger
    clock: Clock
    once: Callable[[datetime], str]
    say: Callable[[str], None] = lambda text: None
    pause: Callable[[float], None] = time.sleep


def follow(followed: Followed, folder: Path, *, until: Callable[[], bool] | None = None) -> None:
    """Run what is due, and what passed while nobody was there, as the schedule declares.

    Parameters
    ----------
    followed : Followed
        What is followed.
    folder : Path
        The workspace's; in it lies the lock.
    until : callable, optional
        Asked between runs, at least every 20 s: true ends it. Without it only what is due by now is seen to. That is
        for a caller who is a scheduler himself: the newest time counts as kept, however late he comes, and where
        nothing was ever run it runs now.

    Raises
    ------
    BusyError
        Another process follows this schedule; what is due, it will see to.
    """
    with _alone(folder):
        state = _State.of(followed)
        if state is None:
            state = _begin(followed, now=until is None)
        if state.broken_off is not None:
            followed.say(f"the run due at {state.broken_off:%Y-%m-%d %H:%M} UTC was broken off; it is taken up again")
            _keep(followed, state.broken_off)
        _go_on(followed, state.seen, until)


def _go_on(followed: Followed, seen: datetime, until: Callable[[], bool] | None) -> None:
    cause: _Cause = "down"
    while True:
        called = until is None and cause == "down"  # a scheduler's call is for the newest time
        behind = _behind(followed, seen, called=called)
        if behind:
            for due in _made_up(followed, behind[:-1] if called else behind, cause):
                _keep(followed, due)
            if called:
                _wait(followed, behind[-1], lambda: False)
                _keep(followed, behind[-1])
            seen, cause = behind[-1], "busy"
        elif until is None:
            return
        else:
            due = next(times_after(followed.schedule, seen))
            if until() or not _wait(followed, due, until):
                return
            cause = "asleep"
            if followed.clock.now() - start_of(followed.schedule, followed.name, due) <= _LATE:
                _keep(followed, due)
                seen, cause = due, "busy"


def _wait(followed: Followed, due: datetime, until: Callable[[], bool]) -> bool:
    """Wait until the run of a due time begins; false where it was ended before."""
    start = start_of(followed.schedule, followed.name, due)
    while (left := (start - followed.clock.now()).total_seconds()) > 0:
        if until():
            return False
        followed.pause(min(left, _NAP))
    return True


def _behind(followed: Followed, seen: datetime, *, called: bool) -> list[datetime]:
    """The times after the last one seen to whose runs should have begun by now; when called, those that are due."""
    now, name, schedule = followed.clock.now(), followed.name, followed.schedule
    times = times_after(schedule, seen)
    return list(takewhile(lambda due: (due if called else start_of(schedule, name, due)) <= now, times))


def _made_up(followed: Followed, behind: Sequence[datetime], cause: _Cause) -> Sequence[datetime]:
    """Which of the times behind are run after all; the others are told."""
    if not behind:
        return ()
    if cause == "busy":
        kept = behind if followed.schedule.overlap == "wait" else ()
    else:
        kept = {"none": (), "last": behind[-1:], "all": behind}[followed.schedule.catch_up]
    left = behind[: len(behind) - len(kept)]
    if left:
        word = "skipped" if cause == "busy" else "missed"
        why = "a run was going on" if cause == "busy" else "nobody was there to run"
        body = {"outcome": word, "times": len(left), "first": left[0].isoformat(), "why": why}
        _tell(followed, "schedule.ended", left[-1], **body)
        followed.say(f"{len(left)} due time{'s' * (len(left) > 1)} {word}: {why}")
    return kept


def _keep(followed: Followed, due: datetime) -> None:
    """Run for one due time, and tell what came of it."""
    _tell(followed, "schedule.started", due)
    try:
        word: dict[str, Any] = {"outcome": followed.once(due)}
    except BusyError as error:
        word = {"outcome": "skipped", "times": 1, "why": str(error.value or error.message)}
        followed.say(f"the run due at {due:%Y-%m-%d %H:%M} UTC is skipped: {error.message}")
    except NoriaError as error:
        word = {"outcome": "failed", "error": str(error), "exit": error.exit_code}
        followed.say(f"the run due at {due:%Y-%m-%d %H:%M} UTC failed: {error}")
    _tell(followed, "schedule.ended", due, **word)


def _tell(followed: Followed, kind: str, due: datetime, **body: Any) -> None:
    told = {"due": due.isoformat(), "cron": followed.schedule.cron, "zone": followed.schedule.zone, **body}
    followed.ledger.append(kind, f"project:{followed.name}", body=told)


@dataclass(frozen=True, slots=True)
class _State:
    """Up to when a schedule was seen to, and the due time whose run was broken off."""

    seen: datetime
    broken_off: datetime | None

    @classmethod
    def of(cls, followed: Followed) -> _State | None:
        """What the ledger says; None where this very schedule was never followed."""
        schedule = followed.schedule
        events = followed.ledger.events(kind="schedule.*", subject=f"project:{followed.name}", newest_first=True)
        for event in events:
            if (event.body["cron"], event.body["zone"]) != (schedule.cron, schedule.zone):
                return None
            due = datetime.fromisoformat(event.body["due"])
            return cls(due, due if event.kind == "schedule.started" else None)
        return None


def _begin(followed: Followed, *, now: bool) -> _State:
    """A schedule is followed for the first time: what was due before counts for nothing."""
    moment = followed.clock.now()
    _tell(followed, "schedule.followed", moment)
    if now:
        _keep(followed, moment)
    return _State(moment, None)


@contextlib.contextmanager
def _alone(folder: Path, wait: float = 2.0) -> Iterator[None]:
    """Hold the schedule; the kernel lets go of it when the process dies."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait
    with open(folder / "schedule.lock", "a", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise BusyError(
                        "another process follows this schedule",
                        place=str(folder),
                        mend="nothing: it sees to what is due",
                    ) from None
                time.sleep(0.1)
        yield
