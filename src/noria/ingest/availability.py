"""Availability: a source that is down is an alarm with the age of its data, and the run goes on where that may be.

A source that was down is not asked again at once: after each time that it did not answer the pause before the next is
twice as long, up to five minutes.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from noria.core import Clock, TransientError, from_micros
from noria.declarations import Source, duration_text
from noria.expressions import polars_kinds
from noria.ingest.state import TableState, outputs_of
from noria.lake import Lake
from noria.steps import Outcome
from noria.workspace import write_atomically

_FIRST_PAUSE = 1_000_000
_LONGEST_PAUSE = 300_000_000


class Contact:
    """Remembers across runs when a source answered last and when it may be asked again, in a file that may vanish.

    Of a source whose contract has no ``max_age`` nothing is remembered: where it is down, the run ends.

    Parameters
    ----------
    folder : Path
        Where; the file is named after the source.
    source : Source
        Which.
    clock : Clock
        Where now comes from.
    """

    def __init__(self, folder: Path, source: Source, clock: Clock):
        self._file = folder / f"{source.name}.contact"
        self._clock, self._matters = clock, source.contract.max_age is not None
        self.answered, self._times, self._until = self._kept()

    def refuse_in_pause(self) -> None:
        """Raise a TransientError while it is too early to ask again."""
        if self._clock.micros() < self._until:
            raise TransientError(
                "the source did not answer, and is not asked again yet",
                value=f"{self._times} times in a row",
                mend=f"it will be from {from_micros(self._until):%H:%M:%S} UTC on",
            )

    def failed(self) -> None:
        """It was asked, and did not answer."""
        until = self._clock.micros() + min(_FIRST_PAUSE << min(self._times, 20), _LONGEST_PAUSE)
        self._keep(self.answered, self._times + 1, until)

    def succeeded(self) -> None:
        """It answered."""
        self._keep(self._clock.micros(), 0, 0)

    def _keep(self, *said: int) -> None:
        if self._matters:
            with contextlib.suppress(OSError):
                write_atomically(self._file, json.dumps(said).encode())

    def _kept(self) -> tuple[int, int, int]:
        try:
            answered, times, until = (int(one) for one in json.loads(self._file.read_text(encoding="ascii")))
        except (OSError, ValueError, TypeError):
            return 0, 0, 0
        return answered, times, until


def going_on(source: Source, lake: Lake, before: TableState | None, age: int, error: TransientError) -> Outcome:
    """The outcome of the last good load, with an alarm; where its age is not allowed, the error again.

    Its age is that of the last answer: a source that had nothing new is no older for it.

    Raises
    ------
    TransientError
        There is no good load, or it is older than the contract's ``max_age``.
    """
    most = source.contract.max_age
    if before is None:
        raise error
    if most is None or age > most:
        allowed = "its contract says no max_age" if most is None else f"its contract allows {duration_text(most)}"
        raise TransientError(
            f"source '{source.name}' is down: {error.message}", place=error.place,
            value=f"the last good load is {_brief(age)} old, and {allowed}",
            mend=error.mend or "run again when it is up",
        )  # fmt: skip
    outcome = last_good(source, lake, before)
    body: dict[str, Any] = {
        "monitor": "Availability", "source": source.name, "error": error.message, "age_seconds": age // 10**6,
        "text": f"source '{source.name}' is down ({error.message}); its data is {_brief(age)} old",
    }  # fmt: skip
    alarm = {"kind": "alarm.raised", "subject": outcome.outputs["table"], "body": body}
    return Outcome(outcome.outputs, {**outcome.facts, "down": body["text"]}, (alarm,))


def last_good(source: Source, lake: Lake, before: TableState) -> Outcome:
    """The outcome of the load that wrote the table's newest rows."""
    version = next(one.version for one in lake.versions(source.name) if one.step)
    outputs = outputs_of(source.name, version, before.aside_version)
    schema = polars_kinds(lake.read(source.name, version).collect_schema())
    nothing = {name: 0 for name in before.facts["load"] if name != "whole"}
    return Outcome(outputs, {
        **before.facts, "schema": schema, "load": {**nothing, "whole": False}, "late": {"rows": 0, "too_late": 0},
        "changes": [],
    })  # fmt: skip


def _brief(micros: int) -> str:
    """An age in words: ``2.5 h``."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if micros >= size * 10**6:
            return f"{micros / (size * 10**6):.1f} {unit}"
    return f"{micros / 10**6:.0f} s"
