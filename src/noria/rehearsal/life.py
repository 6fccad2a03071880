"""Life: the period is played, tick by tick, against the real server and the real online store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from noria.core import ToldClock, from_micros, to_micros
from noria.declarations import Project
from noria.monitoring import Alarm, Watch, Window
from noria.rehearsal.answers import Answers
from noria.rehearsal.canary import Arm, decide
from noria.rehearsal.client import Client
from noria.rehearsal.period import Period
from noria.rehearsal.retrain import Retraining
from noria.rehearsal.ticks import Tick, duties, ticks


@dataclass(frozen=True, slots=True)
class Version:
    """A version that takes requests, and what its monitors compare with.

    Attributes
    ----------
    name : str
        The version.
    params : mapping
        Where a later search starts.
    reference : mapping
        Histograms of its training.
    skill : float
        On its sealed test.
    """

    name: str
    params: Mapping[str, Any]
    reference: Mapping[str, Any]
    skill: float


@dataclass(slots=True)
class Life:
    """A rehearsal while it is played.

    Attributes
    ----------
    project : Project
        What was declared.
    period : Period
        What happened.
    clock : ToldClock
        Told the time of each tick.
    client : Client
        Asks the server.
    answers : Answers
        What it answered.
    apply : callable
        Applies events, in order of arrival, to the online store.
    retrain : callable
        Makes a new version as of the clock's now.
    route : callable
        Gives shares of requests to versions, and returns when the server does so.
    champion : Version
        Has the requests.
    say : callable
        Tells the user how far it is.
    """

    project: Project
    period: Period
    clock: ToldClock
    client: Client
    answers: Answers
    kinds: Mapping[str, str]
    apply: Callable[[list[tuple[str, dict[str, Any]]]], object]
    retrain: Callable[[Version], tuple[Retraining, Version]]
    route: Callable[[Mapping[str, float]], None]
    champion: Version
    say: Callable[[str], None]
    challenger: Version | None = None
    canary_ends: int = 0
    retrained: int | None = None
    alarms: list[dict[str, Any]] = field(default_factory=list)
    standing: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    retrainings: list[dict[str, Any]] = field(default_factory=list)
    applied: int = 0
    asked: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("events", "requests", "duties"), 0.0))

    def play(self) -> None:
        """Live the whole period."""
        rehearsal = self.project.rehearsal
        assert rehearsal is not None
        start, end = to_micros(rehearsal.start), to_micros(rehearsal.end)
        kept = duties(start, end, [self.project.endpoint.canary_for, *(one.every for one in self.project.monitors)])
        for tick in ticks(self.period.arrivals, self.period.times, kept):
            self._tick(tick, start)

    def _tick(self, tick: Tick, start: int) -> None:
        began = time.perf_counter()
        self.clock.tell(tick.at)
        self.apply(self.period.events[tick.events])
        self.applied = tick.events.stop
        applied = time.perf_counter()
        if tick.duty:
            self._keep(tick.at, start)
        kept = time.perf_counter()
        if tick.questions.start < tick.questions.stop:
            self.client.ask(self.period.requests[tick.questions], tick.questions.start)
            self.asked = tick.questions.stop
        self.seconds["events"] += applied - began
        self.seconds["duties"] += kept - applied
        self.seconds["requests"] += time.perf_counter() - kept

    def _keep(self, at: int, start: int) -> None:
        """What has to be done at a moment: end a canary, ask the monitors, retrain."""
        self.say(f"{from_micros(at):%d %b}: {self.asked:,} requests, {self.applied:,} events")
        self.answers.read(self.period.times[: self.asked])
        if self.challenger is not None and at >= self.canary_ends:
            self._end_canary(self.challenger)
        due = [(place, one) for place, one in enumerate(self.project.monitors) if (at - start) % one.every == 0]
        windows = {length: self._window(length, at) for length in {one.window for _, one in due}}
        checked = (self._check(place, monitor, windows[monitor.window]) for place, monitor in due)
        raised = [alarm for alarm in checked if alarm is not None]
        asked = [alarm for alarm in raised if alarm.action == "retrain"]
        if asked and self.challenger is None and self._patient(at):
            self._retrain(at, asked[0])

    def _window(self, length: int, at: int) -> Window:
        champion, search = self.champion, self.project.search
        return self.answers.window(
            at,
            length,
            self.period.labels,
            self.period.known,
            self.kinds,
            champion.reference,
            search.metric,
            champion.skill,
        )

    def _check(self, place: int, monitor: Any, window: Window) -> Alarm | None:
        """What a monitor sees now; what it saw at its last check too is the same alarm, which only lasts longer."""
        assert isinstance(monitor, Watch)
        champion = self.champion
        alarm = monitor.check(window)
        before = self.standing.pop((place, champion.name), None)
        if alarm is None:
            return None
        if before is None:
            before = {
                "monitor": alarm.monitor,
                "at": alarm.at.isoformat(),
                "action": alarm.action,
                "text": alarm.text,
                "facts": dict(alarm.facts),
                "version": champion.name,
                "checks": 0,
            }
            self.alarms.append(before)
        before |= {"until": alarm.at.isoformat(), "checks": before["checks"] + 1}
        self.standing[place, champion.name] = before
        return alarm

    def _patient(self, at: int) -> bool:
        assert self.project.rehearsal is not None
        return self.retrained is None or at - self.retrained >= self.project.rehearsal.patience

    def _retrain(self, at: int, alarm: Alarm) -> None:
        self.say(f"{from_micros(at):%d %b}: retraining")
        self.retrained = at
        made, version = self.retrain(self.champion)
        findings = made.outcomes["gates"].facts["findings"]
        self.retrainings.append({
            "at": from_micros(at).isoformat(), "because": alarm.text, "monitor": alarm.monitor,
            "version": made.version, "passed": made.promoted, "seconds": made.seconds, "cost": made.cost,
            "steps": made.steps, "findings": findings, "canary": None,
        })  # fmt: skip
        if made.promoted and version.name != self.champion.name:
            share = self.project.endpoint.canary
            self.route({self.champion.name: 1 - share, version.name: share} if share < 1 else {version.name: 1.0})
            self.challenger, self.canary_ends = version, at + self.project.endpoint.canary_for

    def _end_canary(self, challenger: Version) -> None:
        """Compare both arms by the answers known by now; promote or roll back."""
        import numpy as np

        now = self.clock.micros()
        since = self.canary_ends - self.project.endpoint.canary_for
        window = self.answers.window(
            now, now - since, self.period.labels, self.period.known, {}, {}, self.project.search.metric, 0.0
        )
        versions = np.array(self.answers.versions[len(self.answers.versions) - window.rows :])
        known = ~np.isnan(window.labels)
        arms = [
            Arm(
                *(values[known & (versions == version.name)] for values in (window.times, window.labels, window.scores))
            )
            for version in (self.champion, challenger)
        ]
        verdict = decide(self.project.search.metric, arms[0], arms[1])
        self.retrainings[-1]["canary"] = {
            "ended": from_micros(now).isoformat(), "promoted": verdict.promote, "text": verdict.text, **verdict.facts,
        }  # fmt: skip
        self.champion, self.challenger = (challenger if verdict.promote else self.champion), None
        self.route({self.champion.name: 1.0})
