from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from noria.core import DataError, DeclarationError, GateError
from noria.declarations import Gate, Project
from noria.ledger import open_ledger
from noria.models import ModelFeature, Scorer
from noria.steps import Outcome, StepContext
from noria.training import Baseline, LightGBM, LogisticRegression, parts_of, steps
from noria.training.metrics import score
from noria.training.rows import read_rows
from noria.workspace import Workspace

from .conftest import FEATURES, SPLIT

Do = Callable[..., dict[str, Outcome]]
LIGHT = (Baseline("carrier"), LogisticRegression(rare=20), LightGBM(rounds=15, rare=20))
PARTS = parts_of(SPLIT)


@pytest.fixture
def light(project: Project) -> Project:
    return project.replace(search=project.search.replace(candidates=LIGHT, trials=4))


def tell(workspace: Workspace, outcome: Outcome) -> None:
    """Write a step's events into the ledger, as a run does."""
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        for event in outcome.events:
            ledger.append(event["kind"], event["subject"], inputs=tuple(event["inputs"]), body=event["body"])


def test_a_search_leaves_graphs_and_a_record_that_tells_how(light: Project, workspace: Workspace, do: Do) -> None:
    outcomes = do(steps(light))
    trained = outcomes["train"]
    record = json.loads((workspace.root / trained.outputs["training"].removeprefix("file:")).read_text())
    assert [row["candidate"] for row in record["leaderboard"]][-1] == "Baseline"
    assert record["chosen"] == record["leaderboard"][0]["candidate"]
    assert record["chosen"] in record["why"]
    assert "1 of" not in record["cut_short"]
    assert set(record["reference"]["features"]) == {feature["name"] for feature in FEATURES}
    assert "seconds" not in record["trials"][0]  # the same search leaves the same file
    assert not (workspace.scratch / "train" / "made").exists()


def test_the_graphs_score_the_sealed_rows_as_the_evaluation_says(
    light: Project, workspace: Workspace, do: Do, training_set: Path
) -> None:
    outcomes = do(steps(light))
    rows = read_rows(training_set, FEATURES, PARTS.test.rows())
    named = [ModelFeature(feature["name"], feature["kind"]) for feature in FEATURES]
    for output, said in (("model", "scores"), ("baseline", "baseline_scores")):
        path = workspace.root / outcomes["train"].outputs[output].removeprefix("file:")
        found = Scorer(path.read_bytes(), named).score(rows.numbers, rows.strings())
        told = outcomes["evaluate"].facts[said]["average_precision"]["value"]
        assert told == pytest.approx(score("average_precision", rows.labels, found))
    assert outcomes["evaluate"].facts["difference"]["low"] > 0


def test_what_is_not_known_when_training_ends_changes_nothing(
    light: Project, workspace: Workspace, do: Do, training_set: Path, tmp_path: Path
) -> None:
    """Answers of the sealed test, and late or missing answers of the other parts: turned round and scrambled."""
    known = PARTS.train.rows() | PARTS.validate.rows()
    unseen = ~known.fill_null(False) | pl.col("_label").is_null()
    numbers = [feature["name"] for feature in FEATURES if feature["kind"] == "number"]
    table = pl.read_parquet(training_set)
    assert table.filter(unseen).height > 500
    table.with_columns(
        pl.when(unseen).then(1 - pl.col("_label")).otherwise("_label").cast(pl.Int8).alias("_label"),
        *(pl.when(unseen).then(pl.lit(1e6)).otherwise(name).cast(pl.Float32).alias(name) for name in numbers),
        pl.when(unseen).then(pl.lit("only later")).otherwise("carrier").alias("carrier"),
    ).write_parquet(tmp_path / "other.parquet")  # fmt: skip
    train = steps(light)[0]
    said = {"features": FEATURES}
    digests = []
    for place, path in enumerate((training_set, tmp_path / "other.parquet")):
        inputs = {"training-set": Outcome({"set": f"file:{path}"}, said)}
        outcome = train.function(StepContext(workspace, f"train{place}", inputs))
        digests.append((outcome.facts["model"], outcome.facts["baseline_model"], outcome.facts["threshold"]))
    assert digests[0] == digests[1]


def test_the_sealed_test_is_opened_once_and_the_ledger_proves_it(
    light: Project, workspace: Workspace, do: Do, training_set: Path, tmp_path: Path
) -> None:
    evaluate = steps(light)[1]
    outcomes = do(steps(light))
    first = outcomes["evaluate"]
    (event,) = first.events
    assert event["kind"] == "sealed.opened"
    assert event["subject"] == f"candidate:{outcomes['train'].facts['model']}"
    assert event["body"]["rows"] == first.facts["rows"]
    tell(workspace, first)

    # The same step again, as after a lost cache: the same figures, and the ledger is told that they were read again.
    inputs = {name: outcomes[name] for name in evaluate.inputs}
    again = evaluate.function(StepContext(workspace, "again", inputs))
    assert [event["kind"] for event in again.events] == ["sealed.repeated"]
    assert again.facts == first.facts
    assert again.outputs.keys() == first.outputs.keys()

    # The same model on other rows would be a second look.
    rows = read_rows(training_set, FEATURES, PARTS.test.rows())
    other = pl.read_parquet(training_set).filter(pl.col("_row") != int(rows.ids[0]))
    other.write_parquet(tmp_path / "other.parquet")
    changed = {**inputs, "training-set": Outcome({"set": f"file:{tmp_path / 'other.parquet'}"}, {"features": FEATURES})}
    with pytest.raises(GateError, match="already tested on other rows") as caught:
        evaluate.function(StepContext(workspace, "second", changed))
    assert "ledger event 1" in str(caught.value.place)
    assert not (workspace.artifacts / "second").exists()

    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        assert len(list(ledger.events(kind="sealed.opened"))) == 1
        assert ledger.verify() == []


def test_another_model_has_a_test_of_its_own(light: Project, workspace: Workspace, do: Do) -> None:
    tell(workspace, do(steps(light))["evaluate"])
    other = light.replace(search=light.search.replace(candidates=(Baseline("carrier"), LightGBM(rounds=3)), trials=2))
    outcome = do(steps(other), "-other")["evaluate"]
    assert [event["kind"] for event in outcome.events] == ["sealed.opened"]


def test_a_retraining_keeps_the_parameters_and_moves_the_parts(light: Project, do: Do) -> None:
    first = do(steps(light))["train"].facts
    moment = datetime(2013, 3, 14, tzinfo=UTC)
    again = do(steps(light, moment, first), "-again")
    facts = again["train"].facts
    assert (facts["chosen"], facts["params"]) == (first["chosen"], first["params"])
    assert [trial["candidate"] for trial in facts["trials"]] == ["Baseline", first["chosen"]]
    assert facts["split"]["test"] == {"start": "2013-03-07T00:00:00+00:00", "end": "2013-03-14T00:00:00+00:00"}
    assert facts["split"]["validate"]["start"] == facts["split"]["train"]["end"] == "2013-02-28T00:00:00+00:00"
    assert facts["rows"]["train"] > first["rows"]["train"]
    assert again["evaluate"].facts["sealed"]["part"] == facts["split"]["test"]
    assert facts["model"] != first["model"]


def test_a_step_is_another_where_the_moment_or_the_parameters_are(light: Project) -> None:
    inputs = {"training-set": "a", "train": "b"}
    start = {"chosen": "LightGBM", "params": {"leaves": 9}}
    declared = [
        [step.key(inputs) for step in steps(light, moment, given)]
        for moment in (None, datetime(2013, 3, 14, tzinfo=UTC))
        for given in (None, start, {**start, "why": "more facts than are needed"})
    ]
    keys = {tuple(pair) for pair in declared}
    assert len(keys) == 4
    assert declared[1] == declared[2]


@pytest.mark.parametrize("name", ["train", "validate", "test"])
def test_a_part_with_one_answer_is_refused_by_name(
    light: Project, workspace: Workspace, training_set: Path, tmp_path: Path, do: Do, name: str
) -> None:
    part = getattr(PARTS, name)
    table = pl.read_parquet(training_set)
    alike = pl.when(part.rows() & pl.col("_label").is_not_null()).then(pl.lit(0)).otherwise("_label")
    table.with_columns(alike.cast(pl.Int8).alias("_label")).write_parquet(tmp_path / "s.parquet")
    inputs = {"training-set": Outcome({"set": f"file:{tmp_path / 's.parquet'}"}, {"features": FEATURES})}
    if name == "test":
        inputs["train"] = do(steps(light)[:1])["train"]
    step = steps(light)[name == "test"]
    with pytest.raises(DataError, match="all with the same answer") as caught:
        step.function(StepContext(workspace, "bad", inputs))
    assert {"train": "training", "validate": "validation", "test": "sealed test"}[name] in str(caught.value)


def test_an_empty_part_is_refused(light: Project, workspace: Workspace, training_set: Path) -> None:
    moved = light.replace(search=light.search.replace(split=SPLIT.replace(train_until="2012-01-01")))
    inputs = {"training-set": Outcome({"set": f"file:{training_set}"}, {"features": FEATURES})}
    with pytest.raises(DataError, match="no rows with an answer"):
        steps(moved)[0].function(StepContext(workspace, "bad", inputs))


def test_slices_by_something_else_than_a_category_are_refused(
    light: Project, workspace: Workspace, training_set: Path
) -> None:
    wrong = light.replace(search=light.search.replace(slices="wind"))
    inputs = {"training-set": Outcome({"set": f"file:{training_set}"}, {"features": FEATURES})}
    with pytest.raises(DeclarationError, match="slices are by category features") as caught:
        steps(wrong)[0].function(StepContext(workspace, "bad", inputs))
    assert "carrier" in str(caught.value.mend)


def test_fewer_trials_than_candidates_are_refused_when_planned(light: Project) -> None:
    with pytest.raises(DeclarationError, match="every candidate needs a trial") as caught:
        steps(light.replace(search=light.search.replace(trials=2)))
    assert caught.value.mend == "trials=3 or more"


def test_something_that_cannot_be_trained_is_refused_when_planned(light: Project) -> None:
    from noria.declarations.search import Candidate

    assert not issubclass(Gate, Candidate)
    with pytest.raises(DeclarationError, match="cannot be trained"):
        steps(light.replace(search=light.search.replace(candidates=(Candidate(),))))


def test_a_search_that_was_cut_short_says_so_where_people_read(light: Project, do: Do) -> None:
    from noria.declarations import Budget

    short = light.replace(search=light.search.replace(trials=9, budget=Budget(seconds=1e-9)))
    facts = do(steps(short)[:1])["train"].facts
    assert (facts["planned"], len(facts["trials"])) == (9, 3)
    assert facts["cut_short"] in facts["why"]
    assert facts["cut_short"].startswith("after 3 of 9 trials")


def test_probabilities_are_calibrated_on_the_validation_rows(
    light: Project, workspace: Workspace, do: Do, training_set: Path
) -> None:
    trained = do(steps(light)[:1])["train"]
    rows = read_rows(training_set, FEATURES, PARTS.validate.rows())
    named = [ModelFeature(feature["name"], feature["kind"]) for feature in FEATURES]
    model = (workspace.root / trained.outputs["model"].removeprefix("file:")).read_bytes()
    found = Scorer(model, named).score(rows.numbers, rows.strings())
    assert trained.facts["validation"]["scores"]["log_loss"] == pytest.approx(
        -score("log_loss", rows.labels, found), abs=1e-6
    )
    assert float(np.mean(found)) == pytest.approx(float(rows.labels.mean()), abs=0.03)
