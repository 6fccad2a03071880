"""What came in: the flow of rows, the contracts, the features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from noria.console import charts
from noria.console.figures import count, many, share
from noria.core import redacted
from noria.declarations import Project, Source, duration_text

Facts = Mapping[str, Mapping[str, Any]]

_SOURCES = 5
_FEATURES = 15


def ingested(facts: Facts) -> dict[str, Mapping[str, Any]]:
    """Source to the facts of its ingest step, the largest first."""
    found = [(name.partition(":")[2], each) for name, each in facts.items() if name.startswith("ingest:")]
    return dict(sorted(found, key=lambda pair: (-int(pair[1]["read"]), pair[0])))


def flow(facts: Facts) -> list[dict[str, Any]]:
    """The stages that rows go through, each with its counts."""
    tables, made, trained = ingested(facts), facts["training-set"], facts["train"]
    verdicts = [verdict for table in tables.values() for verdict in table["verdicts"]]
    sources = [(name, count(table["read"])) for name, table in list(tables.items())[:_SOURCES]]
    if len(tables) > _SOURCES:
        sources.append(
            (f"{len(tables) - _SOURCES} more", count(sum(t["read"] for t in list(tables.values())[_SOURCES:])))
        )
    gates = facts["gates"]["findings"]
    passed = f"{sum(bool(finding['passed']) for finding in gates)} of {len(gates)}"
    return [
        {"title": "Rows read", "lines": sources},
        {"title": "Contracts", "lines": [
            ("rows kept", count(sum(table["kept"] for table in tables.values()))),
            ("quarantined", count(sum(table["quarantined"] for table in tables.values()))),
            ("rules held", f"{sum(not verdict['failed'] for verdict in verdicts)} of {len(verdicts)}"),
        ]},
        {"title": "Training set", "lines": [
            ("questions", count(made["rows"])), ("with an answer", count(made["labelled"])),
            ("without", count(made["unlabelled"])), ("features", count(len(made["features"]))),
        ]},
        {"title": "Split by time", "lines": [
            ("training", count(trained["rows"]["train"])), ("validation", count(trained["rows"]["validate"])),
            ("sealed test", count(facts["evaluate"]["rows"])),
        ]},
        {"title": "Search", "lines": [
            ("candidates", count(len(trained["leaderboard"]))), ("trials", count(len(trained["trials"]))),
            ("chosen", trained["chosen"]),
        ]},
        {"title": "Gates", "lines": [
            ("passed", passed), ("verdict", verdict(facts)),
        ]},
        _asked(facts),
    ]  # fmt: skip


def verdict(facts: Facts) -> str:
    """What the gates said of the version, in one word."""
    gates = facts["gates"]
    return "promoted" if gates["promoted"] else "waiting" if gates["waiting"] else "refused"


def _asked(facts: Facts) -> dict[str, Any]:
    lived = facts.get("rehearse", {})
    if "questions" not in lived:
        return {"title": "Rehearsal", "lines": [("not played", "–")]}
    lines = [("questions", count(lived["questions"])), ("requests", count(lived["requests"])),
             ("stream events", count(lived["events"]))]  # fmt: skip
    return {"title": "Rehearsal", "lines": lines}


def contracts(project: Project, facts: Facts) -> list[dict[str, Any]]:
    """Each source with what its contract found, the largest source first."""
    declared = {source.name: source for source in project.sources}
    return [_table(name, table, declared.get(name)) for name, table in ingested(facts).items()]


def _table(name: str, table: Mapping[str, Any], source: Source | None) -> dict[str, Any]:
    notes = [
        f"{many(table['read'], 'row')} read, {count(table['kept'])} kept, {count(table['quarantined'])} quarantined"
        + (f", {count(table['dropped'])} replaced by newer ones or dropped." if table.get("dropped") else ".")
    ]
    if source is not None:
        notes.append(f"From {redacted(source.url)}.")
        if source.event_time is not None:
            late = f", {duration_text(source.lag)} later" if source.lag else ""
            notes.append(f'A row becomes known at its time "{source.event_time}"{late}.')
    if table["null_event_time"]:
        notes.append(
            f"{many(table['null_event_time'], 'row')} without that time: kept and counted, never seen by a feature."
        )
    if table["reasons"]:
        apart = "; ".join(f"{reason} ({count(rows)})" for reason, rows in _most(table["reasons"]))
        notes.append(f"Set aside for: {apart}.")
    return {
        "name": name,
        "note": " ".join(notes),
        "verdicts": [
            {
                "rule": one["rule"],
                "kind": _kind(one),
                "word": "holds" if not one["failed"] else one["on_fail"],
                "checked": count(one["checked"]),
                "failed": count(one["failed"]),
                "share": share(one["failed"], one["checked"]) if one["failed"] else "",
                "examples": "; ".join(one["examples"]),
            }
            for one in table["verdicts"]
        ],
    }  # fmt: skip


def _most(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))


def _kind(one: Mapping[str, Any]) -> str:
    """How a verdict is coloured; a kind of consequence that is not known looks like a warning."""
    if not one["failed"]:
        return "pass"
    return "fail" if one["on_fail"] in ("quarantine", "fail") else "warn"


def features(facts: Facts) -> dict[str, Any]:
    """All features, the most important first, and how much each view has."""
    made, weights = facts["training-set"]["features"], facts["train"]["importances"]
    ordered = sorted(made, key=lambda one: -float(weights.get(one["name"], 0.0)))
    top = max((float(weights.get(one["name"], 0.0)) for one in made), default=0.0) or 1.0
    by_view: defaultdict[str, float] = defaultdict(float)
    for one in made:
        by_view[one["view"]] += float(weights.get(one["name"], 0.0))
    rows = [
        {
            "name": one["name"],
            "text": one["text"],
            "view": one["view"] or "the question",
            "kind": one["kind"],
            "share": share(weights.get(one["name"], 0.0)),
            "bar": charts.bar(float(weights.get(one["name"], 0.0)) / top),
        }
        for one in ordered
    ]
    return {
        "text": _weighed(facts, by_view),
        "weighed": bool(weights),
        "first": rows[:_FEATURES],
        "others": rows[_FEATURES:],
    }


def _weighed(facts: Facts, by_view: Mapping[str, float]) -> str:
    number, chosen = len(facts["training-set"]["features"]), facts["train"]["chosen"]
    if not facts["train"]["importances"]:
        return (
            f"{many(number, 'feature')}. {chosen} uses none of them by itself, so that there is no importance to show."
        )
    parts = ", ".join(
        f"{view or 'the question itself'} {share(part)}"
        for view, part in sorted(by_view.items(), key=lambda pair: (-pair[1], pair[0]))
    )
    return (
        f"{many(number, 'feature')}, by the share of importance that {chosen} gives them: of the gain of all splits in "
        f"a tree model, of the size of all weights in a linear one. By view: {parts}."
    )
