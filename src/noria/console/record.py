"""What the ledger says: what the steps cost, and what made what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from noria.console import charts
from noria.console.figures import Money, count, many, minute, seconds, share, size
from noria.cost import PriceBook, totals
from noria.declarations import Project
from noria.ledger import Event, Ledger

_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Record:
    """What a report reads of the ledger.

    Attributes
    ----------
    steps : tuple of Event
        ``step.finished`` of the steps that the report is about, in the order in which they ended.
    finished, failed : tuple of Event
        All steps that ever ended, well or not.
    started : mapping
        The body of the run's ``run.started``.
    sealed : tuple of Event
        Every opening of a sealed test.
    alarms : tuple of Event
        What was odd about these steps.
    head : Event, optional
        The newest event: its digest stands for the whole chain before it.
    """

    steps: tuple[Event, ...]
    finished: tuple[Event, ...]
    failed: tuple[Event, ...]
    started: Mapping[str, Any] = field(default_factory=dict)
    sealed: tuple[Event, ...] = ()
    alarms: tuple[Event, ...] = ()
    head: Event | None = None


def read_record(ledger: Ledger, run: str, names: Sequence[str]) -> Record:
    """What the ledger says of these steps, as of a run: the run's plan has their keys."""
    started = next((event.body for event in ledger.events(kind="run.started", run=run)), {}) if run else {}
    keys = {planned["step"]: planned["key"] for planned in started.get("plan", ())}
    finished = tuple(ledger.events(kind="step.finished"))
    standing: dict[str, Event] = {}
    for event in finished:
        if event.subject in names and keys.get(event.subject, event.body["key"]) == event.body["key"]:
            standing[event.subject] = event
    ran = {(event.run, event.subject) for event in standing.values()}
    return Record(
        steps=tuple(sorted(standing.values(), key=lambda event: event.seq)),
        finished=finished,
        failed=tuple(ledger.events(kind="step.failed")),
        started=started,
        sealed=tuple(ledger.events(kind="sealed.opened")),
        alarms=tuple(event for event in ledger.events(kind="alarm.*") if (event.run, event.body.get("step")) in ran),
        head=next(iter(ledger.events(newest_first=True)), None),
    )


def commit_of(record: Record) -> str:
    """The code commit that the run started from; empty outside version control."""
    return str(record.started.get("commit", ""))


def spent(record: Record) -> float:
    """What the steps cost that the report is about."""
    return sum(totals(record.steps).values())


def cost(record: Record, project: Project) -> dict[str, Any]:
    """By step and by tag, and what was spent since the beginning."""
    book = PriceBook.load()
    costs = [float(event.body["cost"]) for event in record.steps]
    standing, most = sum(costs), max(costs, default=0.0) or 1.0
    money = Money(book.currency, [standing])
    ever = sum(totals(record.finished).values())
    lost = sum(float(event.body.get("cost", 0.0)) for event in record.failed)
    text = f"{money(standing)} for what stands here, {Money(book.currency, [ever])(ever)} since the beginning"
    if record.failed:
        text += f", and {money(lost)} for {many(len(record.failed), 'try', 'tries')} that failed"
    meters = [event.body["meters"] for event in record.steps]
    return {
        "text": text + ".",
        "prices": f"Prices: {book.name}, {book.dated}. Processor seconds, peak memory for as long as a step ran, and a "
        "month of what it left. This report itself is not in it: it ends after it is written.",
        "currency": book.currency,
        "steps": [
            {
                "step": event.subject,
                "wall": seconds(each["wall_seconds"]),
                "cpu": seconds(each["cpu_seconds"]),
                "peak": size(each["peak_bytes"]),
                "read": size(each["read_bytes"]),
                "written": size(each["written_bytes"]),
                "cost": money.bare(price),
                "bar": charts.bar(price / most),
            }
            for event, each, price in zip(record.steps, meters, costs, strict=True)
        ],
        "whole": {
            "wall": seconds(sum(each["wall_seconds"] for each in meters)),
            "cpu": seconds(sum(each["cpu_seconds"] for each in meters)),
            "peak": size(max((each["peak_bytes"] for each in meters), default=0)),
            "read": size(sum(each["read_bytes"] for each in meters)),
            "written": size(sum(each["written_bytes"] for each in meters)),
            "cost": money.bare(standing),
        },
        "tags": _by_tag(record, money, standing),
        "untagged": not project.tags,
    }


def _by_tag(record: Record, money: Money, standing: float) -> list[dict[str, str]]:
    names = sorted({name for event in record.steps for name in event.body.get("tags", {})})
    return [
        {"tag": name, "value": value or "(none)", "cost": money.bare(amount), "share": share(amount, standing)}
        for name in names
        for value, amount in sorted(totals(record.steps, by=name).items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def lineage(record: Record) -> dict[str, Any]:
    """Each step's key, what it read and what it made; commit, libraries, and the head of the chain."""
    started = record.started
    commit = commit_of(record)
    dirty = ", with changes that are not committed" if started.get("dirty") else ""
    facts = [("Project code", f"commit {commit}{dirty}" if commit else "not under version control")]
    if record.steps:
        last = record.steps[-1]
        facts.append(("Run", f"{last.run or 'none'}, by {last.actor}"))
    if started.get("versions"):
        facts.append(
            ("Made with", ", ".join(f"{name} {version}" for name, version in sorted(started["versions"].items())))
        )
    facts.append(("Sealed test", f"opened {many(len(record.sealed), 'time')} in this ledger, once for each model"))
    if record.head is not None:
        facts.append(
            ("Ledger", f"{count(record.head.seq)} events when this was made; the last has digest {record.head.digest}")
        )
    return {
        "facts": facts,
        "steps": [
            {
                "step": event.subject,
                "key": str(event.body["key"])[:_DIGITS],
                "at": minute(event.at),
                "reason": event.body.get("reason", ""),
                "inputs": [_short(reference) for reference in event.inputs],
                "outputs": [_short(reference) for reference in event.outputs],
            }
            for event in record.steps
        ],
    }


def _short(reference: str) -> str:
    """A reference whose long digests are cut: ``file:artifacts/7c6ef59acd65/training_set.parquet``."""
    return "/".join(part[:_DIGITS] if len(part) == 32 and part.isalnum() else part for part in reference.split("/"))
