"""What ``train`` leaves: the graphs, and how they were found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noria.core import file_digest
from noria.declarations import Search
from noria.steps import Outcome, StepContext
from noria.training.calibration import Calibration, calibrate
from noria.training.export import export
from noria.training.metrics import METRICS, score, sign, skill
from noria.training.preprocessing import Prepared, Transform
from noria.training.reference import reference_of
from noria.training.rows import Rows
from noria.training.search import Found, names_of
from noria.training.splits import Parts


def publish(ctx: StepContext, search: Search, parts: Parts, found: Found, train: Rows, validate: Rows) -> Outcome:
    """Calibrate, export and write ``model.onnx``, ``baseline.onnx`` and ``training.json``.

    The model that is served was trained on the training rows only: the validation rows stopped it, chose it and
    calibrated it, and are not trained on again, so that what was chosen is what is served.
    """
    margin = found.model.margin(validate)
    is_baseline = found.chosen is found.baseline
    calibration = Calibration("none") if is_baseline else calibrate(margin, validate.labels)
    probabilities = calibration.probability(margin)
    baseline = Calibration("none").probability(found.baseline_model.margin(validate))
    made = ctx.scratch / "made"
    made.mkdir(exist_ok=True)
    (made / "model.onnx").write_bytes(export(found.model, calibration, train))
    (made / "baseline.onnx").write_bytes(export(found.baseline_model, Calibration("none"), train))
    facts = _facts(search, parts, found, train, validate, probabilities, baseline)
    facts["calibration"] = calibration.to_body()
    facts["model"], facts["baseline_model"] = (file_digest(made / name) for name in ("model.onnx", "baseline.onnx"))
    record = {**_timeless(facts), "reference": reference_of(validate, probabilities)}
    if isinstance(found.model, Prepared):
        record["fitted_preprocessing"] = found.model.pipeline.to_body()
    (made / "training.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    folder = ctx.publish(made)
    named = {"model": "model.onnx", "baseline": "baseline.onnx", "training": "training.json"}
    return Outcome({name: ctx.reference(folder / file) for name, file in named.items()}, facts)


def _facts(
    search: Search,
    parts: Parts,
    found: Found,
    train: Rows,
    validate: Rows,
    probabilities: NDArray[np.float64],
    baseline: NDArray[np.float64],
) -> dict[str, Any]:
    rate = float(validate.labels.mean())
    scored = score(search.metric, validate.labels, probabilities)
    importances = sorted(found.model.importances().items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "metric": search.metric,
        "chosen": found.name(found.chosen),
        "params": found.chosen.params,
        "why": _why(search.metric, found, validate),
        "validation": {
            "score": scored,
            "skill": float(skill(search.metric, scored, rate)),
            "rows": len(validate),
            "positives": int(validate.labels.sum()),
            "scores": _scores(validate, probabilities),
        },
        "baseline": {
            "candidate": found.name(found.baseline),
            "score": score(search.metric, validate.labels, baseline),
            "scores": _scores(validate, baseline),
        },
        "leaderboard": _leaderboard(found),
        "preprocessing": [step.text for step in _pipeline_of(found)],
        "trials": [
            {"candidate": found.name(trial), "score": trial.score, "seconds": trial.seconds, "params": trial.params}
            for trial in found.trials
        ],
        "planned": found.planned,
        "cut_short": found.cut_short,
        "rows": {"train": len(train), "validate": len(validate), "train_positives": int(train.labels.sum())},
        "split": {"train": parts.train.to_body(), "validate": parts.validate.to_body(), "test": parts.test.to_body()},
        "importances": dict(importances),
        "threshold": _threshold(validate.labels, probabilities),
        "refit": "none: trained on the training rows; the validation rows stopped, chose and calibrated it",
    }


def _pipeline_of(found: Found) -> Sequence[Transform]:
    """The preprocessing of the chosen model: none where it is a baseline."""
    return found.model.pipeline.transforms if isinstance(found.model, Prepared) else ()


def _timeless(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts without what the clock said, so that the same search leaves the same files."""
    timed = ("seconds", "cpu_seconds")
    return {
        name: [{key: item for key, item in row.items() if key not in timed} for row in value]
        if name in ("leaderboard", "trials")
        else value
        for name, value in facts.items()
    }


def _scores(rows: Rows, probabilities: NDArray[np.float64]) -> dict[str, float]:
    return {name: sign(name) * score(name, rows.labels, probabilities) for name in METRICS}


def _leaderboard(found: Found) -> list[dict[str, Any]]:
    """The candidates, the best first, each with its best trial."""
    rows = []
    for place, name in enumerate(names_of(found.candidates)):
        own = [trial for trial in found.trials if trial.candidate == place]
        if own:
            best = max(own, key=lambda trial: trial.score)
            rows.append(
                {
                    "candidate": name,
                    "score": best.score,
                    "trials": len(own),
                    "params": best.params,
                    "facts": best.facts,
                    "seconds": round(sum(trial.seconds for trial in own), 3),
                    "cpu_seconds": round(sum(trial.cpu_seconds for trial in own), 3),
                }
            )
    return sorted(rows, key=lambda row: -row["score"])


def _why(metric: str, found: Found, validate: Rows) -> str:
    board = _leaderboard(found)
    others = [
        f"{row['score']:.4f} of {row['candidate']}" for row in board if row["candidate"] != found.name(found.chosen)
    ]
    against = f", against {' and '.join(others)}" if others else ""
    text = (
        f"{found.name(found.chosen)} has the best {metric.replace('_', ' ')} on {len(validate):,} validation rows: "
        f"{found.chosen.score:.4f}{against}"
    )
    return f"{text}; the search was cut short {found.cut_short}" if found.cut_short else text


def _threshold(labels: NDArray[np.int8], probabilities: NDArray[np.float64]) -> float:
    """The probability from which F1 is highest."""
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    true = np.cumsum(labels[order], dtype=np.float64)
    f1 = 2 * true / (np.arange(1, len(labels) + 1) + true[-1])
    last = np.append(ranked[1:] != ranked[:-1], True)
    return float(ranked[last][np.argmax(f1[last])])
