"""A search with preprocessing: one graph from raw features on, learned from training rows only, told in the record."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import noria as nr
from noria.core import DeclarationError
from noria.declarations import Preprocessor, Project, RandomSplit
from noria.models import ModelFeature, Scorer
from noria.models.cards import card
from noria.steps import Outcome, StepContext
from noria.training import Baseline, LightGBM, LogisticRegression, check_search, parts_of, steps
from noria.training.metrics import score
from noria.training.preprocessing import Pipeline
from noria.training.rows import read_rows
from noria.workspace import Workspace

from .conftest import FEATURES, SPLIT, made

Do = Callable[..., dict[str, Outcome]]
PARTS = parts_of(SPLIT)
ALL = (
    nr.clip("delay"), nr.impute("*", "median", indicator=True), nr.bins("whole", 3), nr.scale("*", "quantile"),
    nr.rare("*", at_least=0.01), nr.encode("dest", "target"), nr.encode("carrier"), nr.scale("*=*"),
)  # fmt: skip
KINDS = {"line": LogisticRegression(rare=20), "trees": LightGBM(rounds=15, rare=20, threads=1)}


def with_all(project: Project, kind: str) -> Project:
    search = project.search.replace(candidates=(Baseline("carrier"), KINDS[kind]), trials=2, preprocessing=ALL)
    return project.replace(search=search)


def record_of(workspace: Workspace, outcome: Outcome) -> dict:
    return json.loads((workspace.root / outcome.outputs["training"].removeprefix("file:")).read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_takes_raw_features_and_scores_as_the_evaluation_says(
    kind: str, project: Project, workspace: Workspace, do: Do, training_set: Path
) -> None:
    outcomes = do(steps(with_all(project, kind)))
    facts = outcomes["train"].facts
    assert facts["chosen"] == type(KINDS[kind]).__name__
    rows = read_rows(training_set, FEATURES, PARTS.test.rows())
    named = [ModelFeature(feature["name"], feature["kind"]) for feature in FEATURES]
    path = workspace.root / outcomes["train"].outputs["model"].removeprefix("file:")
    found = Scorer(path.read_bytes(), named).score(rows.numbers, rows.strings())
    told = outcomes["evaluate"].facts["scores"]["average_precision"]["value"]
    assert told == pytest.approx(score("average_precision", rows.labels, found))
    assert outcomes["evaluate"].facts["difference"]["low"] > 0
    assert set(facts["importances"]) <= {feature["name"] for feature in FEATURES}
    assert sum(facts["importances"].values()) == pytest.approx(1)


def test_the_graph_is_the_model_to_the_last_digit_that_matters(project: Project, parts) -> None:
    """Trees split between two numbers that occur; with the same float32 numbers every row takes the same way."""
    from noria.training.calibration import Calibration
    from noria.training.export import export
    from noria.training.preprocessing import Prepared

    train, validate, test = parts
    pipeline, ready = Pipeline.fit(ALL, train)
    for learner in KINDS.values():
        fitted = learner.trainer(ready, pipeline.apply(validate), "average_precision", 0)(learner.first())
        model = Prepared(pipeline, fitted)
        named = [ModelFeature(name, "number") for name in test.number_names]
        named += [ModelFeature(name, "category") for name in test.category_names]
        found = Scorer(export(model, Calibration("none"), test), named).score(test.numbers, test.strings())
        assert np.abs(found - Calibration("none").probability(model.margin(test))).max() < 1e-6


def test_only_training_rows_are_learned_from(
    project: Project, workspace: Workspace, training_set: Path, tmp_path: Path
) -> None:
    """Whatever stands in validation and test rows, and in rows whose answer came too late, nothing learned changes."""
    seen = PARTS.train.rows().fill_null(False) & pl.col("_label").is_not_null()
    numbers = [feature["name"] for feature in FEATURES if feature["kind"] == "number"]
    table = pl.read_parquet(training_set)
    assert table.filter(~seen).height > 1500
    table.with_columns(
        pl.when(~seen).then(1 - pl.col("_label")).otherwise("_label").cast(pl.Int8).alias("_label"),
        *(pl.when(~seen).then(pl.lit(1e6)).otherwise(name).cast(pl.Float32).alias(name) for name in numbers),
        *(pl.when(~seen).then(pl.lit("only later")).otherwise(name).alias(name) for name in ("carrier", "dest")),
    ).write_parquet(tmp_path / "other.parquet")
    learned = []
    for path in (training_set, tmp_path / "other.parquet"):
        pipeline, train = Pipeline.fit(ALL, read_rows(path, FEATURES, PARTS.train.rows()))
        learned.append((pipeline.to_body(), train.digest()))
    assert learned[0] == learned[1]
    # And it does hang on them: one training row more or less shows.
    other = Pipeline.fit(ALL, read_rows(training_set, FEATURES, PARTS.train.rows() & (pl.col("_row") > 5)))[0]
    assert other.to_body() != learned[0][0]


def test_the_record_and_the_card_say_what_was_done_and_learned(project: Project, workspace: Workspace, do: Do) -> None:
    declared = with_all(project, "trees")
    outcomes = do(steps(declared))
    record = record_of(workspace, outcomes["train"])
    assert record["preprocessing"] == [transform.text for transform in ALL]
    learned = {step["text"]: step["learned"] for step in record["fitted_preprocessing"]}
    assert learned["impute * (median, with an indicator)"]["wind"] > 0
    assert learned["encode dest (target)"]["dest"]["values"].keys() >= {"D0", "D19"}
    text = card(declared, FEATURES, outcomes["train"].facts, outcomes["evaluate"].facts)
    assert "Preprocessing, part of the graph: clip delay (quantiles 0.01 and 0.99); impute" in text


def test_a_baseline_goes_by_features_as_they_are(project: Project, workspace: Workspace, do: Do) -> None:
    plain, prepared = (
        project.replace(search=project.search.replace(candidates=(Baseline("carrier"),), trials=1, preprocessing=done))
        for done in ((), ALL)
    )
    before = do(steps(plain)[:1], "-plain")["train"].facts
    after = do(steps(prepared)[:1], "-prepared")["train"].facts
    assert after["model"] == before["model"]
    assert after["preprocessing"] == []


def test_a_misspelt_column_is_refused_when_it_is_planned(project: Project) -> None:
    search = project.search.replace(preprocessing=(nr.scale("wnd"),))
    with pytest.raises(DeclarationError, match=re.escape("did you mean 'wind'?")):
        check_search(search, FEATURES)


def test_what_is_no_transform_is_refused(project: Project) -> None:
    with pytest.raises(DeclarationError, match="cannot transform anything"):
        steps(project.replace(search=project.search.replace(preprocessing=(Preprocessor(),))))


def test_a_table_without_time_is_trained_and_tested(project: Project, workspace: Workspace, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    moment = pl.lit(0).cast(pl.Datetime("us", "UTC"))
    frame = made().with_columns(_time=moment, _known=moment, _share=pl.Series(random.random(4000)))
    frame.sort("_share").write_parquet(tmp_path / "set.parquet")
    said = {"features": FEATURES, "rows": 4000, "schemas": {}}
    outcomes = {"training-set": Outcome({"set": f"file:{tmp_path / 'set.parquet'}"}, said)}
    declared = with_all(project, "line")
    declared = declared.replace(
        spine=declared.spine.replace(time=None), search=declared.search.replace(split=RandomSplit(validation=0.3))
    )
    workspace.root.mkdir(parents=True, exist_ok=True)
    for step in steps(declared):
        inputs = {name: outcomes[name] for name in step.inputs}
        outcomes[step.name] = step.function(StepContext(workspace, step.name, inputs))
    trained, tested = outcomes["train"].facts, outcomes["evaluate"].facts
    assert trained["split"]["validate"] == {"start": None, "end": None, "share": 0.3}
    assert tested["daily"] == []
    assert tested["resampled"]["of"] == f"{tested['rows']} rows"
    assert tested["difference"]["low"] > 0
    text = card(declared, FEATURES, trained, tested)
    assert "by a hash of its key" in text
    assert "asked at" not in text
