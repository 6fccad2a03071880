"""Trying again what may pass: with growing waits of random length, as a server asks for, within bounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from noria.core import TransientError, require

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

FIRST_WAIT = 0.5
"""Seconds before the second try, at most; each later wait may be twice as long as that before it."""
LONGEST_WAIT = 30.0
"""Seconds that a wait of our own choice grows to."""
LONGEST_ASKED = 900.0
"""Seconds that are waited where a server asks for it; one that asks for more is not waited for."""


class Later(TransientError):
    """A fault that may pass, and that says when: there is no use in trying again before `after` seconds."""

    after: float | None = None

    def waiting(self, after: float | None) -> Later:
        """The same, with the seconds that were asked for; None: nobody said."""
        self.after = after
        return self


def retried(
    call: Callable[[], T],
    *,
    tries: int,
    extra: str = "rest",
    breaker: Breaker | None = None,
    say: Callable[[str], None] = lambda text: None,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """What a call gives, tried again as long as it raises a `TransientError`; every other error ends it at once.

    A wait is of random length, so that many who were cut off do not come back together, and twice as long at most as
    that before. Where the error is a `Later`, the wait is what was asked for, and a little more.

    Parameters
    ----------
    call : callable
        What is tried. It must be safe to repeat, and must have a timeout of its own.
    tries : int
        How often, at most.
    extra : str
        The extra of Noria that the source needs: it brings the library that waits.
    breaker : Breaker, optional
        Shared by the calls to one server: all of them end at once while it is open.
    say : callable
        Told what is waited for.
    sleep : callable
        Waits some seconds.

    Raises
    ------
    TransientError
        It failed each time, or asks for a longer wait than `LONGEST_ASKED`; the error is that of the last try and says
        what was waited for.

    Examples
    --------
    >>> from noria.core import TransientError
    >>> answers = iter([TransientError("no route"), 42])
    >>> def ask():
    ...     answer = next(answers)
    ...     if isinstance(answer, Exception):
    ...         raise answer
    ...     return answer
    >>> retried(ask, tries=3, say=print, sleep=lambda seconds: None)
    no route: trying again in 0 s (2 of 3)
    42
    """
    tenacity = require("tenacity", extra=extra)
    began = time.monotonic()

    def once() -> T:
        if breaker is not None:
            breaker.check()
        try:
            given = call()
        except TransientError as error:
            if breaker is not None:
                breaker.failed(error)
            raise
        if breaker is not None:
            breaker.worked()
        return given

    def tell(state: RetryCallState) -> None:
        assert state.outcome is not None
        assert state.next_action is not None
        say(
            f"{_message(state.outcome.exception())}: trying again in {state.next_action.sleep:.0f} s "
            f"({state.attempt_number + 1} of {tries})"
        )

    again = tenacity.Retrying(
        stop=tenacity.stop_any(tenacity.stop_after_attempt(tries), _asks_too_much),
        wait=_wait,
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, TransientError) and not _is_open(error)),
        sleep=sleep,
        before_sleep=tell,
        reraise=True,
    )
    try:
        return again(once)  # type: ignore[no-any-return]
    except TransientError as error:
        raise _given_up(error, again.statistics.get("attempt_number", 1), time.monotonic() - began) from None


def _wait(state: RetryCallState) -> float:
    import random

    own = random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (state.attempt_number - 1)))
    error = state.outcome.exception() if state.outcome else None
    asked = error.after if isinstance(error, Later) else None
    return own if asked is None else asked + min(own, 0.1 * asked + 0.1)


def _asks_too_much(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    return isinstance(error, Later) and (error.after or 0) > LONGEST_ASKED


def _message(error: BaseException | None) -> str:
    return error.message if isinstance(error, TransientError) else str(error)


def _given_up(error: TransientError, tries: int, seconds: float) -> TransientError:
    if _is_open(error):
        return error
    asked = error.after if isinstance(error, Later) else None
    waits = f"; it asks to be left alone for {asked:.0f} s" if asked and asked > LONGEST_ASKED else ""
    return TransientError(
        f"{error.message} ({tries} {'try' if tries == 1 else 'tries'} in {seconds:.0f} s{waits})",
        place=error.place,
        value=error.value,
        mend=error.mend or "it is tried again with the next run",
    )


class _Open(TransientError):
    """A breaker is open: nobody was asked."""


def _is_open(error: BaseException) -> bool:
    return isinstance(error, _Open)


@dataclass
class Breaker:
    """Spares a server that is down: after some failures in a row nothing is asked for a while, then one call tries.

    It is shared by the calls to one server, in one process; threads may share it, and a call too many does no harm.

    Parameters
    ----------
    what : str
        What is spared, for errors; without secrets.
    failures : int
        How many calls in a row fail before it opens.
    seconds : float
        How long it stays open.

    Examples
    --------
    >>> breaker = Breaker("shop.example", failures=1)
    >>> breaker.failed(TransientError("no route"))
    >>> breaker.check()
    Traceback (most recent call last):
    ...
    noria.sources.retry._Open: shop.example is left alone: it failed 1 time in a row, last with: no route
    """

    what: str
    failures: int = 10
    seconds: float = 60.0
    _failed: int = field(default=0, init=False)
    _until: float = field(default=0.0, init=False)
    _last: str = field(default="", init=False)

    def check(self) -> None:
        """Raise a `TransientError` while it is open."""
        if self._failed >= self.failures and time.monotonic() < self._until:
            times = "time" if self._failed == 1 else "times"
            raise _Open(
                f"{self.what} is left alone: it failed {self._failed} {times} in a row, last with: {self._last}"
            )

    def failed(self, error: TransientError) -> None:
        """Count a failure."""
        self._failed += 1
        self._last = error.message
        self._until = time.monotonic() + self.seconds

    def worked(self) -> None:
        """Close it."""
        self._failed = 0


def asked_wait(retry_after: str | None, date: str | None = None, now: datetime | None = None) -> float | None:
    """The seconds that a ``Retry-After`` header asks for; None where it says nothing that can be understood.

    Parameters
    ----------
    retry_after : str, optional
        The header: seconds, or a date.
    date : str, optional
        The server's own ``Date`` header, by which a date is understood: its clock may be wrong.
    now : datetime, optional
        The time here, where there is no such header.

    Examples
    --------
    >>> asked_wait("120"), asked_wait("soon"), asked_wait("-5")
    (120.0, None, 0.0)
    >>> asked_wait("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:27:30 GMT")
    30.0
    """
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        until, here = _moment(retry_after), _moment(date) or now or datetime.now(UTC)
        return None if until is None else max(0.0, (until - here).total_seconds())
    return max(0.0, seconds) if abs(seconds) < 1e12 else None  # also not a number, and infinite


def _moment(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (TypeError, ValueError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
