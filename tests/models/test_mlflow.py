"""What MLflow's own client, and so its pages, show of a version."""

from __future__ import annotations

import shutil

import pytest

from noria.models import steps

pytest.importorskip("mlflow")


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A registry with nothing in it: MLflow takes seconds to make its tables."""
    from noria.models.mlflow import _client

    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    _client(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(autouse=True)
def prepared(empty, workspace):
    workspace.root.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty, workspace.registry.removeprefix("sqlite:///"))


@pytest.fixture
def registered(made, do, workspace):
    """A version that was registered: (client, project, outcomes)."""
    project, _ = made("trees")
    outcomes = do((steps(project)[1],))
    from mlflow import MlflowClient

    return MlflowClient(workspace.registry, workspace.registry), project, outcomes


def test_the_run_shows_parameters_metrics_tags_and_trials(registered):
    client, project, outcomes = registered
    trained, evaluated, packaged = (outcomes[name].facts for name in ("train", "evaluate", "package"))
    experiment = client.get_experiment_by_name("flights")
    assert experiment.tags["mlflow.note.content"] == project.question
    assert experiment.tags["noria.tag.team"] == "operations"
    run = client.get_run(outcomes["register"].facts["run"])
    assert run.info.status == "FINISHED"
    assert run.info.experiment_id == experiment.experiment_id
    assert run.data.params["candidate"] == "LightGBM"
    assert float(run.data.params["learning_rate"]) == trained["params"]["learning_rate"]
    assert run.data.params["test_until"] == trained["split"]["test"]["end"]
    score = evaluated["scores"]["average_precision"]
    assert run.data.metrics["test.average_precision"] == score["value"]
    assert run.data.metrics["test.average_precision.low"] == score["low"]
    assert run.data.metrics["baseline.average_precision"] == evaluated["baseline_scores"]["average_precision"]["value"]
    assert run.data.metrics["threshold"] == trained["threshold"]
    assert run.data.tags["noria.version"] == packaged["version"]
    assert run.data.tags["noria.digest"] == packaged["digest"]
    children = client.search_runs(
        [experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{outcomes['register'].facts['run']}'"
    )
    assert len(children) == len(trained["trials"]) == 2
    assert sorted(one.data.metrics["validation.average_precision"] for one in children) == pytest.approx(
        sorted(trial["score"] for trial in trained["trials"])
    )


def test_the_version_is_in_the_registry_with_its_card(registered, workspace):
    client, _, outcomes = registered
    facts = outcomes["register"].facts
    [version] = client.search_model_versions("name = 'late'")
    assert (str(version.version), facts["model_version"]) == ("1", "1")
    assert version.run_id == facts["run"]
    assert version.source == (workspace.packages / outcomes["package"].facts["digest"]).as_uri()
    assert version.description.startswith("# late: LightGBM")
    assert client.get_registered_model("late").latest_versions
    [event] = outcomes["register"].events
    assert event["kind"] == "version.registered"
    assert event["subject"] == f"model:late@{facts['version']}"


def test_registering_again_changes_nothing(registered, do):
    client, project, outcomes = registered
    again = do((steps(project)[1],))["register"].facts
    assert again == outcomes["register"].facts
    assert len(client.search_model_versions("name = 'late'")) == 1
    assert len(client.search_runs([client.get_experiment_by_name("flights").experiment_id])) == 3


def test_a_run_that_a_kill_left_half_is_replaced(registered, do):
    client, project, outcomes = registered
    experiment = client.get_experiment_by_name("flights").experiment_id
    version = outcomes["package"].facts["version"]
    for run in client.search_runs([experiment]):
        client.delete_run(run.info.run_id)
    half = client.create_run(experiment, tags={"noria.version": version})
    client.delete_model_version("late", "1")
    again = do((steps(project)[1],))["register"].facts
    assert again["run"] not in (half.info.run_id, outcomes["register"].facts["run"])
    assert {run.info.run_id for run in client.search_runs([experiment])} >= {again["run"]}
    assert half.info.run_id not in {run.info.run_id for run in client.search_runs([experiment])}
    [only] = client.search_model_versions("name = 'late'")
    assert only.run_id == again["run"]


def test_another_version_is_the_next_number(registered, made, do):
    client, _, first = registered
    project, _ = made("line")
    second = do((steps(project)[1],))["register"].facts
    assert second["version"] != first["register"].facts["version"]
    assert second["model_version"] == "2"
    assert len(client.search_model_versions("name = 'late'")) == 2


def test_a_password_in_the_url_is_not_shown(made, do, workspace, monkeypatch):
    import noria.models.mlflow as module

    project, outcomes = made("baseline")
    real = module._client(workspace.registry)
    monkeypatch.setattr(module, "_client", lambda url: real)
    facts = module.register(
        "postgresql://user:hunter2@db.example.org/mlflow", project,
        workspace.packages / outcomes["package"].facts["digest"],
        outcomes["train"].facts, outcomes["evaluate"].facts, outcomes["package"].facts,
    )  # fmt: skip
    assert "hunter2" not in str(facts)
