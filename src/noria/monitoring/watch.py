"""Watch: what every monitor can do, and what it raises."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from noria.core import DataError
from noria.declarations import Monitor
from noria.monitoring.window import Window


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a monitor saw.

    Attributes
    ----------
    monitor : str
        The kind of monitor.
    at : datetime
        When, UTC.
    action : str
        What it asks for: ``"alarm"`` or ``"retrain"``. Whoever runs the monitor performs it.
    text : str
        What it saw, in one sentence that a person reads.
    facts : mapping
        The figures behind it: plain JSON.
    """

    monitor: str
    at: datetime
    action: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Watch(Monitor):
    """A kind of monitor: its parameters are its fields, its behaviour is `check`."""

    @abstractmethod
    def check(self, window: Window) -> Alarm | None:
        """Look at a window; None where all is well, or where there is too little to say."""

    def _reference(self, window: Window, name: str) -> Any:
        """A part of what training left, without which this monitor would be silent for ever."""
        if name not in window.reference:
            raise DataError(
                "the version has no reference to compare with",
                place=type(self).__name__,
                value=name,
                mend="train a new version: training leaves the histograms of its validation rows",
            )
        return window.reference[name]

    def _alarm(self, window: Window, text: str, facts: Mapping[str, Any]) -> Alarm:
        return Alarm(type(self).__name__, window.now, self.action, text, facts)
