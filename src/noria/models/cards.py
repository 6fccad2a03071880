"""Model card: what a version is, for people, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from noria.core import redacted
from noria.declarations import Project, duration_text


def card(
    project: Project, features: Sequence[Mapping[str, Any]], trained: Mapping[str, Any], evaluated: Mapping[str, Any]
) -> str:
    """The card of a version.

    Parameters
    ----------
    project : Project
        What was declared.
    features : sequence of mapping
        ``{"name", "kind", "view", "text"}``.
    trained, evaluated : mapping
        Facts of the steps ``train`` and ``evaluate``.
    """
    sections = [
        f"# {project.endpoint.name}: {trained['chosen']}",
        project.question or f"A model of the project {project.name}.",
        _what(project, trained),
        _data(project, trained, evaluated),
        _scores(evaluated),
        *(_slices(name, parts) for name, parts in evaluated["slices"].items()),
        _calibration(trained, evaluated),
        _features(features, trained),
        _limits(project, trained, evaluated),
        _cost(trained),
    ]
    return "\n\n".join(sections) + "\n"


def _what(project: Project, trained: Mapping[str, Any]) -> str:
    asked = "" if project.spine.time is None else f", asked at `{project.spine.time}`"
    params = ", ".join(f"{name} {_number(value)}" for name, value in trained["params"].items())
    return (
        "## What it is\n\n"
        f"{trained['why']}.\n\n"
        f"- Answers with the probability of `{project.spine.label}`{asked}.\n"
        f"- Parameters: {params or 'none'}.\n"
        f"- Preprocessing, part of the graph: {'; '.join(map(_cell, trained.get('preprocessing', ()))) or 'none'}.\n"
        f"- Threshold with the highest F1 on the validation rows: {trained['threshold']:.3f}.\n"
        f"- Refitted: {trained['refit']}."
    )


def _data(project: Project, trained: Mapping[str, Any], evaluated: Mapping[str, Any]) -> str:
    split, rows = trained["split"], trained["rows"]
    lines = [
        ("training", split["train"], rows["train"], rows["train_positives"]),
        ("validation", split["validate"], rows["validate"], trained["validation"]["positives"]),
        ("sealed test", split["test"], evaluated["rows"], evaluated["positives"]),
    ]
    table = "\n".join(
        f"| {name} | {(part['start'] or '–')[:10]} | {(part['end'] or '–')[:10]} | {count:,} | "
        f"{positives / count:.1%} |"
        for name, part, count, positives in lines
    )
    source = project.spine.source
    belongs = (
        "A row belongs to a part by the time of its question, and only if its answer was known by the part's end."
        if "share" not in split["train"]
        else "A row belongs to a part by a hash of its key, so that the same row always falls into the same part: "
        + ", ".join(f"{part['share']:.1%} {name}" for name, part, _, _ in lines)
        + "."
    )
    known = f", answers known {duration_text(source.lag)} after the event" if source.lag else ""
    return (
        "## Data\n\n"
        f"Rows of `{source.name}` ({redacted(source.url)}){known}. {belongs}\n\n"
        f"| part | from | until | rows | positive |\n|---|---|---|---:|---:|\n{table}"
    )


def _scores(evaluated: Mapping[str, Any]) -> str:
    own, other = evaluated["scores"], evaluated["baseline_scores"]
    table = "\n".join(
        f"| {name.replace('_', ' ')} | {_interval(own[name])} | {_interval(other[name])} |" for name in own
    )
    drawn = evaluated["resampled"]
    return (
        "## Scores on the sealed test\n\n"
        f"95% intervals from {drawn['draws']:,} bootstrap draws of {drawn['of']}. "
        f"{evaluated['metric'].replace('_', ' ').capitalize()} is better than the baseline's by "
        f"{_interval(evaluated['difference'])}.\n\n"
        f"| metric | model | baseline |\n|---|---:|---:|\n{table}"
    )


def _slices(name: str, parts: Sequence[Mapping[str, Any]]) -> str:
    table = "\n".join(
        f"| {_cell(part['value'] or '(null)')} | {part['rows']:,} | {part['positives'] / part['rows']:.1%} | "
        f"{_interval(part['score'])} | {_interval(part['baseline'])} |"
        for part in parts
    )
    return f"## By {name}\n\n| {name} | rows | positive | model | baseline |\n|---|---:|---:|---:|---:|\n{table}"


def _calibration(trained: Mapping[str, Any], evaluated: Mapping[str, Any]) -> str:
    table = "\n".join(
        f"| {part['rows']:,} | {part['predicted']:.3f} | {part['observed']:.3f} |"
        for part in evaluated["calibration"]["bins"]
    )
    return (
        "## Calibration\n\n"
        f"Way: {trained['calibration']['way']}, fitted to the validation rows. Expected calibration error on the "
        f"sealed test: {evaluated['calibration']['ece']:.4f}.\n\n"
        f"| rows | predicted | came true |\n|---:|---:|---:|\n{table}"
    )


def _features(features: Sequence[Mapping[str, Any]], trained: Mapping[str, Any]) -> str:
    texts = {feature["name"]: feature.get("text", "") for feature in features}
    rows = [
        f"| `{name}` | {_cell(texts.get(name, ''))} | {share:.1%} |"
        for name, share in list(trained["importances"].items())[:15]
    ]
    return (
        f"## Features\n\nThe first {len(rows)} of {len(features)}, by importance.\n\n"
        "| feature | what | importance |\n|---|---|---:|\n" + "\n".join(rows)
    )


def _limits(project: Project, trained: Mapping[str, Any], evaluated: Mapping[str, Any]) -> str:
    unsure = [
        f"{name} {part['value'] or '(null)'}"
        for name, parts in evaluated["slices"].items()
        for part in parts
        if part["score"] is None or part["rows"] < 200
    ]
    lines = [
        f"- Fit for this question only: {project.question or project.spine.label}",
        "- It knows the rows that it was given; how long they stay like new ones is for monitors to tell."
        if "share" in trained["split"]["train"]
        else "- It knows the time before the sealed test; how long that stays true is for monitors to tell.",
        "- Rows whose answer never came were neither trained on nor scored.",
        "- Values of categories that were rare or absent in training share one treatment.",
    ]
    lines += [f"- Too few rows to be sure of: {', '.join(unsure)}."] if unsure else []
    return "## Limits\n\n" + "\n".join(lines)


def _cost(trained: Mapping[str, Any]) -> str:
    seconds = sum(row["seconds"] for row in trained["leaderboard"])
    cpu = sum(row["cpu_seconds"] for row in trained["leaderboard"])
    trials = sum(row["trials"] for row in trained["leaderboard"])
    return f"## Cost\n\n{trials} trials took {seconds:.0f} s and {cpu:.0f} processor seconds."


def _interval(estimate: Mapping[str, float] | None) -> str:
    return "–" if estimate is None else f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    """Text that stays in its cell, and is not taken for HTML."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return " ".join(escaped.split())
