"""What was lived again: both lives by day, alarms, retrainings, canaries, latency, parity, cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from noria.console import charts
from noria.console.figures import (
    Money,
    count,
    day,
    many,
    maximised,
    metric_name,
    milliseconds,
    minute,
    score,
    seconds,
    share,
    signed,
    span,
)
from noria.console.model import day_ticks
from noria.declarations import Project

_DAY_SECONDS = 86_400


def missing(project: Project, lived: Mapping[str, Any] | None) -> str:
    """Why there is no rehearsal to show; empty where there is one."""
    if lived is None or project.rehearsal is None:
        return (
            "The project declares no rehearsal, so that nothing here says how this version does on requests. "
            "Rehearsal(start, end) plays a past period through the real server before the first user comes."
        )
    return ""


def rehearsal(lived: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the section shows of a rehearsal that was played."""
    money = Money(lived["cost"]["currency"], [
        *(one["cost"] for one in lived["retrainings"]), lived["cost"]["retraining"], lived["cost"]["serving"],
    ])  # fmt: skip
    return {
        "text": _played(lived),
        "verdict": _verdict(lived),
        "metric": maximised(lived["metric"]),
        "chart": _chart(lived),
        "retrained": bool(lived["retrainings"]),
        "alarmed": bool(lived["alarms"]),
        "overall": _row("whole period", lived["overall"]),
        "days": [_row(_short_day(one["day"]), one) for one in lived["days"]],
        "facts": list(_facts(lived, money)),
        "alarms": _alarms(lived["alarms"]),
        "every_alarm": [
            {
                "at": minute(one["at"]),
                "until": minute(one["until"]),
                "checks": count(one["checks"]),
                "monitor": one["monitor"],
                "action": _action(one["action"]),
                "text": one["text"],
            }
            for one in lived["alarms"]
        ],
        "retrainings": [_retraining(one, money) for one in lived["retrainings"]],
        "mismatches": [
            {name: _shown(value) for name, value in one.items()}
            for one in lived["parity"]["examples"]
        ],
    }  # fmt: skip


def _played(lived: Mapping[str, Any]) -> str:
    whole = lived["overall"]
    text = (
        f"From {day(lived['start'])} to {day(lived['end'])} the past was lived again through the real parts: "
        f"{many(lived['questions'], 'question')} in {many(lived['requests'], 'HTTP request')}, "
        f"{many(lived['events'], 'event')} through the stream path into the online store. "
    )
    known = f"{count(whole['answered'])} of {many(whole['rows'], 'question')} had an answer"
    return text + (
        f"{known}, {share(whole['positives'], whole['answered'])} of them yes." if whole["answered"] else f"{known}."
    )


def _verdict(lived: Mapping[str, Any]) -> str:
    """What retraining was worth, in a sentence."""
    whole, name = lived["overall"], metric_name(lived["metric"])
    if not lived["retrainings"]:
        return "No alarm asked for a retraining, so that there is nothing to compare: one version answered everything."
    if lived["frozen"] == lived["final"]:
        return "No new version took over, so that the version of the start ends the period, too."
    if whole["difference"] is None:
        return f"All answers were the same: {name} is not defined, and nothing can be compared."
    low, high = whole["difference"]["low"], whole["difference"]["high"]
    sure = (
        "Retraining was worth it"
        if low > 0
        else "Retraining did harm"
        if high < 0
        else "Retraining made no sure difference"
    )
    return (
        f"{sure}: {maximised(lived['metric'])} {score(whole['score_retrained'])} with it, "
        f"{score(whole['score_frozen'])} without, {signed(whole['difference']['value'])} ({span(whole['difference'])})."
    )


def _chart(lived: Mapping[str, Any]) -> str:
    """Scores by day, both lives; retrainings as lines, beginnings of alarms as triangles."""
    series = [
        charts.Series(name, [(_ordinal(one["day"]) + 0.5, one[field], f"{day(one['day'])}, {name}: {score(one[field])}")
                             for one in lived["days"]], colour=colour, dashed=colour == 2)
        for name, field, colour in (("frozen", "score_frozen", 2), ("with retraining", "score_retrained", 1))
    ]  # fmt: skip
    alarms: dict[str, list[Mapping[str, Any]]] = {}
    for one in lived["alarms"]:
        alarms.setdefault(str(one["at"])[:10], []).append(one)
    marks = [
        charts.Mark(
            _moment(raised[0]["at"]), f"{day(raised[0]['at'])}: " + "; ".join(one["text"] for one in raised), 5, False
        )
        for raised in alarms.values()
    ]
    marks += [
        charts.Mark(
            _moment(one["at"]), f"{minute(one['at'])}: retrained, version {one['version']}. {one['because']}", 4
        )
        for one in lived["retrainings"]
    ]
    whole = lived["overall"]
    label = (
        f"{maximised(lived['metric'])} by day: {score(whole['score_retrained'])} with retraining and "
        f"{score(whole['score_frozen'])} without over the whole period; {many(len(lived['retrainings']), 'retraining')}"
    )
    return charts.figure(series, label=label, x_ticks=day_ticks([one["day"] for one in lived["days"]]), marks=marks)


def _ordinal(day_text: str) -> float:
    return float(date.fromisoformat(day_text).toordinal())


def _moment(text: str) -> float:
    at = datetime.fromisoformat(text)
    return at.toordinal() + (at.hour * 3600 + at.minute * 60 + at.second) / _DAY_SECONDS


def _short_day(text: str) -> str:
    at = date.fromisoformat(text)
    return f"{at:%a} {at.day} {at:%b}"


def _row(name: str, one: Mapping[str, Any]) -> dict[str, str]:
    return {
        "name": name,
        "rows": count(one["rows"]),
        "answered": count(one["answered"]),
        "positives": share(one["positives"], one["answered"]),
        "retrained": score(one["score_retrained"]),
        "frozen": score(one["score_frozen"]),
        "difference": signed((one["difference"] or {}).get("value")),
        "span": span(one["difference"]),
    }


def _facts(lived: Mapping[str, Any], money: Money) -> Iterator[tuple[str, str, str]]:
    """Name, figure and what it means."""
    yield "Latency p50", milliseconds(lived["p50_ms"]), f"of {many(lived['single'], 'request')} with one question"
    yield "Latency p99", milliseconds(lived["p99_ms"]), "as the client saw it, over HTTP"
    yield _parity(lived["parity"])
    yield "Alarms", count(len(lived["alarms"])), "of all monitors"
    made = lived["retrainings"]
    took = sum(bool((one["canary"] or {}).get("promoted")) for one in made)
    yield (
        "Retrainings",
        count(len(made)),
        f"{sum(bool(one['passed']) for one in made)} passed the gates, {took} took over",
    )
    yield "Cost of retraining", money(lived["cost"]["retraining"]), "all steps of all retrainings"
    yield "Cost of serving", money(lived["cost"]["serving"]), "the server's processor and memory"
    thousand = lived["cost"]["per_thousand"]
    per = Money(lived["cost"]["currency"], [thousand or 0.0])
    yield "A thousand predictions", per(thousand), "serving alone"
    parts = ", ".join(f"{name} {seconds(each)}" for name, each in sorted(lived["seconds"].items()) if name != "whole")
    yield "Time to play it", seconds(lived["seconds"]["whole"]), parts


def _parity(parity: Mapping[str, Any]) -> tuple[str, str, str]:
    compared = (
        f"{count(parity['rows'])} served rows of {many(parity['features'], 'feature')} against the batch training set"
    )
    if not parity["mismatches"]:
        return "Parity", "exact", f"{compared}: all the same"
    worst = sorted(parity["by_feature"].items(), key=lambda pair: (-pair[1], pair[0]))
    named = ", ".join(f"{name} {count(number)}" for name, number in worst[:3])
    return "Parity", f"{many(parity['mismatches'], 'value')} differ", f"{compared}: {named}"


def _shown(value: Any) -> str:
    return "null" if value is None else f"{value:.7g}" if isinstance(value, float) else str(value)


def _action(action: str) -> str:
    return "retrain" if action == "retrain" else "tell"


def _alarms(alarms: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """By monitor: how many, from when until when, and what the last one saw."""
    by_monitor: dict[str, list[Mapping[str, Any]]] = {}
    for one in alarms:
        by_monitor.setdefault(one["monitor"], []).append(one)
    return [
        {
            "monitor": name,
            "count": count(len(raised)),
            "first": minute(raised[0]["at"]),
            "last": minute(max(one["until"] for one in raised)),
            "text": raised[-1]["text"],
        }
        for name, raised in sorted(by_monitor.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    ]


def _retraining(one: Mapping[str, Any], money: Money) -> dict[str, Any]:
    canary = one["canary"]
    failed = [f"{finding['gate']}: {finding['text']}" for finding in one["findings"] if not finding["passed"]]
    if canary is not None:
        kind, word = ("pass", "took over") if canary["promoted"] else ("fail", "rolled back")
        said = f"Canary until {minute(canary['ended'])}: {canary['text']}."
    elif one["passed"]:
        kind, word, said = "warn", "no canary", "It passed its gates; the period ended, or it was the same version."
    else:
        kind, word, said = "fail", "refused", "; ".join(failed)
    return {
        "at": minute(one["at"]), "version": one["version"], "because": f"{one['monitor']}: {one['because']}",
        "kind": kind, "word": word, "said": said, "seconds": seconds(one["seconds"]), "cost": money(one["cost"]),
    }  # fmt: skip
