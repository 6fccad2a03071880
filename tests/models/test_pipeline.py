"""From a training set to a package that answers as the trained model does."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from noria.models import Category, open_package
from noria.security import SigningKey
from noria.training import Learner
from noria.training.calibration import Calibration

KINDS = ("baseline", "line", "trees")


def by_name(rows: Any) -> dict[str, Any]:
    """Rows as the server has them: a float32 array a number, a list of str or None a category."""
    columns: dict[str, Any] = {name: rows.numbers[:, place] for place, name in enumerate(rows.number_names)}
    for name, column in zip(rows.category_names, rows.categories, strict=True):
        columns[name] = [text or None for text in column.strings()]
    return columns


def strange(rows: Any) -> Any:
    """As many rows, with every value that training never saw."""
    random = np.random.default_rng(3)
    pool = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, 3.4e38, -3.4e38, 1.5], np.float32)
    levels = ("AA", "D1", "rare", "never seen", "ÜÖ", "a\x00b", "AA ", "𝔘" * 300)
    codes = [random.integers(-1, len(levels), len(rows)).astype(np.int32) for _ in rows.categories]
    return replace(rows, numbers=random.choice(pool, rows.numbers.shape),
                   categories=tuple(Category(code, levels) for code in codes))  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_answers_as_the_trained_model_on_all_test_rows(kind, made, parts, workspace):
    project, outcomes = made(kind)
    trained = outcomes["train"].facts
    train, validate, test = parts
    [learner] = [one for one in project.search.candidates if isinstance(one, Learner)][-1:]
    fitted = learner.trainer(train, validate, project.search.metric, project.search.seed)(trained["params"])
    way = trained["calibration"]
    calibration = Calibration(way["way"], tuple(way["slopes"]), way["shift"])
    folder = workspace.root / outcomes["package"].outputs["package"].removeprefix("file:")
    package = open_package(folder, SigningKey.load_or_create(workspace.keys).public)
    assert trained["chosen"] == type(learner).__name__ or kind == "baseline"
    for rows in (test, strange(test)):
        expected = calibration.probability(fitted.margin(rows))
        found = package.predict(by_name(rows))
        assert found.dtype == np.float64
        assert np.isfinite(found).all()
        assert np.abs(found - expected).max() <= 1e-6
    assert test.numbers.shape[0] == outcomes["evaluate"].facts["rows"] > 300
    assert np.isnan(test.numbers).any()
    assert any((column.codes < 0).any() for column in test.categories)


def test_a_package_holds_what_made_it(made, workspace):
    _, outcomes = made("trees")
    facts = outcomes["package"].facts
    folder = workspace.root / outcomes["package"].outputs["package"].removeprefix("file:")
    package = open_package(folder, SigningKey.load_or_create(workspace.keys).public)
    manifest = package.manifest
    assert (manifest.version, manifest.digest) == (facts["version"], facts["digest"])
    assert folder.name == manifest.digest
    assert manifest.version == manifest.digest[:12]
    assert [feature.name for feature in manifest.features] == ["delay", "carrier", "wind", "whole", "dest"]
    assert manifest.scores["average_precision"].keys() == {"value", "low", "high"}
    assert facts["bytes"] == sum(path.stat().st_size for path in folder.iterdir()
                                 if path.name not in ("manifest.json", "manifest.sig"))  # fmt: skip
    assert package.training["chosen"] == outcomes["train"].facts["chosen"]
    assert package.evaluation["rows"] == outcomes["evaluate"].facts["rows"]
    [event] = outcomes["package"].events
    assert event["subject"] == f"model:late@{manifest.version}"
    assert sorted(path.name for path in folder.iterdir()) == [
        "baseline.onnx", "card.md", "evaluation.json", "manifest.json", "manifest.sig", "model.onnx", "training.json",
    ]  # fmt: skip


def test_packaging_again_gives_the_same_version(made, do, workspace):
    from noria.models import steps

    project, outcomes = made("baseline")
    again = do((steps(project)[0],))
    assert again["package"].facts["version"] == outcomes["package"].facts["version"]
    assert len(list(workspace.packages.iterdir())) == 1


def test_the_baseline_in_a_package_is_the_one_that_it_was_compared_with(made, parts, workspace):
    _, outcomes = made("trees")
    folder = workspace.root / outcomes["package"].outputs["package"].removeprefix("file:")
    package = open_package(folder, SigningKey.load_or_create(workspace.keys).public)
    rate = float(parts[0].labels.mean())
    assert package.predict_baseline(by_name(parts[2])) == pytest.approx(np.full(len(parts[2]), rate), abs=1e-6)


def test_the_card_tells_a_reader_what_the_figures_say(made, workspace):
    project, outcomes = made("trees")
    folder = workspace.root / outcomes["package"].outputs["package"].removeprefix("file:")
    card = (folder / "card.md").read_text(encoding="utf-8")
    scores = outcomes["evaluate"].facts["scores"]["average_precision"]
    assert card.startswith("# late: LightGBM\n\nWill it be late?")
    assert f"| average precision | {scores['value']:.3f} [{scores['low']:.3f}, {scores['high']:.3f}] |" in card
    assert f"{outcomes['evaluate'].facts['rows']:,}" in card
    assert "## By carrier" in card
    assert "ÜÖ" in card
    for title in ("What it is", "Data", "Scores on the sealed test", "Calibration", "Features", "Limits", "Cost"):
        assert f"## {title}\n" in card
    assert project.spine.label in card


def test_a_card_shows_no_secret_and_no_markup_of_the_data(made, project):
    from noria.models.cards import card

    declared, outcomes = made("trees")
    source = declared.spine.source.model_copy(update={"url": "https://user:hunter2@example.org/flights.csv"})
    declared = declared.model_copy(update={"spine": declared.spine.model_copy(update={"source": source})})
    evaluated = json.loads(json.dumps(outcomes["evaluate"].facts))
    evaluated["slices"]["carrier"][0]["value"] = "<script>|\n# x"
    features = [{"name": "delay", "kind": "number", "text": "a | b <b>"}]
    text = card(declared, features, outcomes["train"].facts, evaluated)
    assert "hunter2" not in text
    assert "<script>" not in text
    assert "<b>" not in text
    assert "\n# x" not in text
