"""What was made: the search, the sealed test, the gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from noria.console import charts
from noria.console.data import Facts, verdict
from noria.console.figures import (
    count,
    day,
    many,
    maximised,
    metric_name,
    parameters,
    score,
    seconds,
    share,
    signed,
    span,
)

_SLICES = 12
_COLOURS = 5


def search(facts: Facts) -> dict[str, Any]:
    """The trials, the best of each candidate, the parts of the split, and why one was chosen."""
    trained = facts["train"]
    names = [row["candidate"] for row in trained["leaderboard"]]
    colours = {name: place % _COLOURS + 1 for place, name in enumerate(names)}
    return {
        "why": trained["why"].rstrip(".") + ".",
        "metric": maximised(trained["metric"]),
        "chart": _trials(trained, colours),
        "legend": [{"name": name, "colour": colours[name]} for name in names],
        "refit": trained["refit"],
        "calibration": _calibrated(trained["calibration"]) + _prepared(trained.get("preprocessing", ())),
        "leaderboard": [
            {
                "candidate": row["candidate"],
                "chosen": row["candidate"] == trained["chosen"],
                "score": score(row["score"]),
                "trials": count(row["trials"]),
                "seconds": seconds(row["seconds"]),
                "params": parameters(row["params"]),
            }
            for row in trained["leaderboard"]
        ],
        "parts": _parts(facts),
    }


def _trials(trained: Mapping[str, Any], colours: Mapping[str, int]) -> str:
    """Each trial in its order, and the best so far as a line."""
    trials = trained["trials"]
    best, so_far = [], None
    for place, trial in enumerate(trials, 1):
        so_far = trial["score"] if so_far is None else max(so_far, trial["score"])
        best.append((float(place), so_far, ""))
    series = [charts.Series("best so far", best, colour=0, dots=False, step=True)]
    for name, colour in colours.items():
        points = [
            (
                float(place),
                trial["score"],
                f"trial {place}, {name}: {score(trial['score'])} ({parameters(trial['params'])})",
            )
            for place, trial in enumerate(trials, 1)
            if trial["candidate"] == name
        ]
        series.append(charts.Series(name, points, colour=colour, line=False))
    ticks = [(float(place), str(place)) for place in range(1, len(trials) + 1)]
    label = f"{many(len(trials), 'trial')}; the best has {score(so_far)} on the validation rows"
    return charts.figure(series, label=label, height=220, x_ticks=ticks)


def _calibrated(calibration: Mapping[str, Any]) -> str:
    way = calibration["way"]
    if way == "none":
        return "Probabilities are as the model gives them: no calibration made them better on the validation rows."
    named = {"platt": "Platt scaling", "beta": "beta calibration"}.get(way, way)
    return f"Probabilities are calibrated on the validation rows by {named}, inside the exported graph."


def _prepared(preprocessing: Sequence[str]) -> str:
    return f" Before the model, in the same graph: {'; '.join(preprocessing)}." if preprocessing else ""


def _parts(facts: Facts) -> list[dict[str, str]]:
    trained, tested = facts["train"], facts["evaluate"]
    rows = {
        "train": (trained["rows"]["train"], trained["rows"].get("train_positives")),
        "validate": (trained["rows"]["validate"], trained["validation"]["positives"]),
        "test": (tested["rows"], tested["positives"]),
    }
    titles = {"train": "training", "validate": "validation", "test": "sealed test"}
    split = {name: trained["split"][name] for name in titles}
    return [
        {
            "name": titles[name],
            "start": day(part["start"]) if part["start"] else "the beginning",
            "end": day(part["end"]) if part["end"] else "the end",
            "rows": count(rows[name][0]),
            "positives": share(rows[name][1], rows[name][0]),
        }
        for name, part in split.items()
    ]


def evaluation(facts: Facts) -> dict[str, Any]:
    """How good the version is on the sealed rows."""
    tested = facts["evaluate"]
    return {
        "text": _tested(tested),
        "metrics": [
            {
                "name": metric_name(name) + (", lower is better" if name in ("log_loss", "brier") else ""),
                "main": name == tested["metric"],
                "value": score((tested["scores"][name] or {}).get("value")),
                "span": span(tested["scores"][name]),
                "baseline": score((tested["baseline_scores"][name] or {}).get("value")),
                "baseline_span": span(tested["baseline_scores"][name]),
            }
            for name in sorted(tested["scores"], key=lambda name: (name != tested["metric"], name))
        ],
        "metric": maximised(tested["metric"]),
        "calibration": _calibration(tested["calibration"]),
        "ece": score(tested["calibration"]["ece"]),
        "bins": [
            {
                "predicted": share(part["predicted"]), "observed": share(part["observed"]),
                "span": f"{share(part['low'])} to {share(part['high'])}", "rows": count(part["rows"]),
            }
            for part in tested["calibration"]["bins"]
        ],
        "daily": _daily(tested),
        "slices": [_sliced(name, parts) for name, parts in sorted(tested["slices"].items())],
    }  # fmt: skip


def _tested(tested: Mapping[str, Any]) -> str:
    rows = f"{many(tested['rows'], 'row')} that nothing was trained, stopped, chosen or calibrated on"
    if tested["score"] is None:
        return f"The {metric_name(tested['metric'])} on {rows} is not defined: all their answers are the same."
    text = (
        f"On {rows}, {maximised(tested['metric'])} is {score(tested['score']['value'])} "
        f"({span(tested['score'])})"
    )  # fmt: skip
    drawn = tested["resampled"]
    how = f"Intervals are 95%, from {count(drawn['draws'])} draws of {drawn['of']}."
    difference = tested["difference"]
    if tested["baseline"] is None or difference is None:
        return f"{text}. {how}"
    sure = (
        "surely better"
        if difference["low"] > 0
        else "surely worse"
        if difference["high"] < 0
        else "not surely different"
    )
    return (
        f"{text}, the baseline's {score(tested['baseline']['value'])}: {sure}, by {signed(difference['value'])} "
        f"({span(difference)}). {how}"
    )


def _calibration(calibration: Mapping[str, Any]) -> str:
    bins = calibration["bins"]
    points = [
        (part["predicted"], part["observed"],
         f"predicted {share(part['predicted'])}, came true {share(part['observed'])} of {count(part['rows'])} rows")
        for part in bins
    ]  # fmt: skip
    spans = charts.Bars([(part["predicted"], part["low"], part["high"]) for part in bins])
    label = f"Calibration in {many(len(bins), 'bin')}: mean distance from the diagonal {score(calibration['ece'])}"
    series = [charts.Series("model", points)]
    return charts.figure(series, label=label, height=300, bars=[spans], diagonal=True)


def _daily(tested: Mapping[str, Any]) -> str:
    days = tested["daily"]
    if len(days) < 2:
        return ""
    series = [
        charts.Series(name, [(float(date.fromisoformat(one["day"]).toordinal()), one[field],
                              f"{day(one['day'])}, {name}: {score(one[field])} ({many(one['rows'], 'row')})")
                             for one in days], colour=colour, dashed=field == "baseline")
        for name, field, colour in (("model", "score", 1), ("baseline", "baseline", 2))
    ]  # fmt: skip
    label = f"{maximised(tested['metric'])} by day of the sealed test, model and baseline"
    return charts.figure(series, label=label, height=220, x_ticks=day_ticks([one["day"] for one in days]))


def day_ticks(days: Sequence[str]) -> list[tuple[float, str]]:
    """Days as ticks: ``(ordinal, "1 Dec")``."""
    parsed = [date.fromisoformat(one) for one in days]
    return [(float(one.toordinal()), f"{one.day} {one:%b}") for one in parsed]


def _sliced(name: str, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    ends = [
        part[which][end] for part in parts for which in ("score", "baseline") if part[which] for end in ("low", "high")
    ]
    ticks = charts.round_ticks(min(ends, default=0.0), max(ends, default=1.0), 4)
    frame = (ticks[0], ticks[-1])
    rows = [
        {
            "value": part["value"] or "(none)",
            "rows": count(part["rows"]),
            "positives": share(part["positives"], part["rows"]),
            "drawing": _whisker(part, frame),
            "score": score((part["score"] or {}).get("value")),
            "span": span(part["score"]),
            "baseline": score((part["baseline"] or {}).get("value")),
        }
        for part in parts
    ]
    undefined = sum(part["score"] is None for part in parts)
    return {
        "name": name,
        "frame": charts.tick_texts(frame),
        "first": rows[:_SLICES],
        "others": rows[_SLICES:],
        "undefined": f"{many(undefined, 'slice')} with one answer only: no score there." if undefined else "",
    }  # fmt: skip


def _whisker(part: Mapping[str, Any], frame: tuple[float, float]) -> str:
    found, other = part["score"], part["baseline"]
    if found is None:
        return ""
    return charts.whisker(found["low"], found["value"], found["high"], other["value"] if other else None, frame)


def gates(facts: Facts) -> dict[str, Any]:
    """What each gate found, with its evidence."""
    said, version = facts["gates"], facts["package"]["version"]
    texts = {
        "promoted": f"Version {version} takes requests: {said['because']}.",
        "waiting": f"Version {version} waits for a person's decision and takes no requests yet: {said['because']}.",
        "refused": f"Version {version} takes no requests: {said['because']}.",
    }
    return {
        "text": texts[verdict(facts)],
        "rows": [
            {
                "name": finding["gate"],
                "parameters": parameters(finding["parameters"]) if finding["parameters"] else "",
                "kind": "pass" if finding["passed"] else "warn" if finding["facts"].get("waiting") else "fail",
                "word": "passed"
                if finding["passed"]
                else "waiting"
                if finding["facts"].get("waiting")
                else "not passed",
                "text": finding["text"],
            }
            for finding in said["findings"]
        ],
    }
