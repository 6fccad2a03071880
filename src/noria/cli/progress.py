"""How a run shows itself while it goes: a live table on a terminal, plain lines elsewhere and with NO_COLOR."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noria.plan import Plan
    from noria.run import Progress, State

_COLOURS = {"started": "cyan", "working": "cyan", "retrying": "yellow", "finished": "green", "failed": "red"}
_MARKS = {"started": "▶", "working": "▶", "retrying": "↻", "finished": "✓", "failed": "✗"}


@contextlib.contextmanager
def progress_of(plan: Plan) -> Iterator[Progress]:
    """The progress that suits standard error, for as long as the run goes."""
    plain = not sys.stderr.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    if plain or not plan.due:
        yield Lines(len(plan.due))
        return
    from rich.console import Console
    from rich.live import Live

    # It refreshes by hand: a thread that does it would be missing in the children, with its locks held.
    with Live(console=Console(stderr=True), auto_refresh=False, transient=False) as live:
        yield Table(live, tuple(planned.step.name for planned in plan.due))


@dataclass(slots=True)
class Lines:
    """One line for each thing that happens to a step; what a step says while it works only every few seconds."""

    total: int
    ended: int = 0
    said: dict[str, float] = field(default_factory=dict)

    def step(self, name: str, state: State, text: str) -> None:
        now = time.monotonic()
        if state == "working":
            if now - self.said.get(name, 0.0) < 5:
                return
            self.said[name] = now
        self.ended += state == "finished"
        count = f"[{self.ended}/{self.total}] " if state == "finished" else ""
        verb = "" if state == "working" else f" {state}"
        print(f"{count}{name}{verb}: {text}", file=sys.stderr, flush=True)

    def tick(self) -> None:
        pass


@dataclass(slots=True)
class Table:
    """A live table of the steps, redrawn by `tick`."""

    live: Any
    names: tuple[str, ...]
    states: dict[str, tuple[State, str]] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)

    def step(self, name: str, state: State, text: str) -> None:
        if state == "started":
            self.began[name] = time.monotonic()
        self.states[name] = state, text
        self._draw()

    def tick(self) -> None:
        self._draw()

    def _draw(self) -> None:
        from rich.table import Table as Grid
        from rich.text import Text

        grid = Grid.grid(padding=(0, 1))
        for name in self.names:
            if name not in self.states:
                continue
            state, text = self.states[name]
            running = state in ("started", "working")
            clock = f"{time.monotonic() - self.began[name]:.0f} s" if running else ""
            mark = Text(_MARKS[state], _COLOURS[state])
            grid.add_row(mark, name, Text(clock, "dim"), Text(text, "dim", no_wrap=True))
        waiting = len(self.names) - len(self.states)
        if waiting:
            grid.add_row(Text("·", "dim"), Text(f"{waiting} waiting", "dim"), "", "")
        self.live.update(grid, refresh=True)
