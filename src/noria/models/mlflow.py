"""MLflow: runs and versions in the registry that people know, with parameters, metrics, tags and the card.

Noria's ledger and signed packages stay the truth; the registry shows them. Only the tracking client is used, against
the workspace's own URL: nothing is sent anywhere else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from noria.core import path_of, redacted, scheme_of
from noria.declarations import Project

_LONGEST_PARAM = 500
_LONGEST_CARD = 5000
_VERSION_TAG = "noria.version"
_DIGEST_TAG = "noria.digest"


def register(
    url: str,
    project: Project,
    folder: Path,
    trained: Mapping[str, Any],
    evaluated: Mapping[str, Any],
    packaged: Mapping[str, Any],
) -> dict[str, Any]:
    """Register a package; a version that is there already stays as it is.

    Parameters
    ----------
    url : str
        Of the tracking store and registry: ``sqlite:///…/mlflow.db``, or a server.
    project : Project
        What was declared.
    folder : Path
        The package; the registered version's source.
    trained, evaluated, packaged : mapping
        Facts of the steps ``train``, ``evaluate`` and ``package``.

    Returns
    -------
    dict
        ``version``, ``registry`` (without secrets), ``run``, ``model_version``.
    """
    _make_whole(url)
    client = _client(url)
    name, version = project.endpoint.name, str(packaged["version"])
    experiment = _experiment(client, project, folder)
    run = _run(client, experiment, str(packaged["digest"]))
    if run is None:
        run = _new_run(client, experiment, version, _tags(project, trained, packaged), trained, evaluated)
    number = _model_version(client, name, version) or _new_version(client, name, version, run, folder)
    return {"version": version, "registry": redacted(url), "run": run, "model_version": number}


def _make_whole(url: str) -> None:
    """Make a new SQLite registry aside and put it in its place whole.

    MLflow makes its tables one by one, without a transaction around them: a kill or a full disk in the middle would
    leave a file that it can neither use nor mend.
    """
    if scheme_of(url) != "sqlite":
        return
    place = path_of(url)
    if place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    for left in place.parent.glob(f".{place.name}.*"):  # killed tries; whoever registers holds the workspace
        left.unlink()
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        client = _client(f"sqlite:///{aside}")
        client.search_experiments(max_results=1)
        client.search_registered_models(max_results=1)
        with contextlib.closing(sqlite3.connect(aside)) as database:  # what a write-ahead log holds, into the file
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        os.replace(aside, place)
    finally:
        aside.unlink(missing_ok=True)


def _client(url: str) -> Any:
    # Said before the import, which is when MLflow reads them.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    logging.getLogger("alembic").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.tracking import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        return MlflowClient(tracking_uri=url, registry_uri=url)


def _experiment(client: Any, project: Project, folder: Path) -> str:
    found = client.get_experiment_by_name(project.name)
    if found is not None:
        return str(found.experiment_id)
    tags = {
        "mlflow.note.content": project.question,
        **{f"noria.tag.{key}": value for key, value in project.tags.items()},
    }
    place = (folder.parent.parent / "mlflow").absolute().as_uri()
    return str(client.create_experiment(project.name, artifact_location=place, tags=tags))


def _run(client: Any, experiment: str, digest: str) -> str | None:
    """The finished run of a version; the runs of its trials have no digest."""
    found = client.search_runs([experiment], f"tags.`{_DIGEST_TAG}` = '{digest}' AND attributes.status = 'FINISHED'")
    return str(found[0].info.run_id) if found else None


def _new_run(
    client: Any,
    experiment: str,
    version: str,
    tags: Mapping[str, str],
    trained: Mapping[str, Any],
    evaluated: Mapping[str, Any],
) -> str:
    """One parent run for the version, and one child run for each trial; the parent is finished last."""
    from mlflow.entities import Metric, Param, RunTag

    for left in client.search_runs([experiment], f"tags.`{_VERSION_TAG}` = '{version}'"):
        client.delete_run(left.info.run_id)  # a killed try
    parent = client.create_run(experiment, run_name=f"{trained['chosen']} {version}", tags=dict(tags))
    run, at = str(parent.info.run_id), int(parent.info.start_time)
    client.log_batch(
        run,
        metrics=[Metric(key, value, at, 0) for key, value in _metrics(trained, evaluated)],
        params=[Param(key, str(value)[:_LONGEST_PARAM]) for key, value in _params(trained)],
    )
    for number, trial in enumerate(trained["trials"]):
        labels = {"mlflow.parentRunId": run, "noria.trial": str(number), _VERSION_TAG: version}
        child = client.create_run(experiment, run_name=f"{trial['candidate']}, trial {number + 1}", tags=labels)
        client.log_batch(
            child.info.run_id,
            metrics=[
                Metric(f"validation.{trained['metric']}", trial["score"], at, 0),
                Metric("seconds", trial["seconds"], at, 0),
            ],
            params=[Param(key, str(value)[:_LONGEST_PARAM]) for key, value in trial["params"].items()],
            tags=[RunTag("noria.candidate", trial["candidate"])],
        )
        client.set_terminated(child.info.run_id)
    client.set_terminated(run)
    return run


def _tags(project: Project, trained: Mapping[str, Any], packaged: Mapping[str, Any]) -> dict[str, str]:
    given = {
        _VERSION_TAG: packaged["version"],
        _DIGEST_TAG: packaged["digest"],
        "noria.project": project.name,
        "noria.why": trained["why"],
    }
    if packaged["commit"]:
        given["mlflow.source.git.commit"] = packaged["commit"]
    return {**given, **{f"noria.tag.{key}": value for key, value in project.tags.items()}}


def _params(trained: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "candidate", trained["chosen"]
    yield from trained["params"].items()
    yield "calibration", trained["calibration"]["way"]
    for name, part in trained["split"].items():
        if part["end"] is not None:
            yield f"{name}_until", part["end"]
        if "share" in part:
            yield f"{name}_share", part["share"]


def _metrics(trained: Mapping[str, Any], evaluated: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in trained["validation"]["scores"].items():
        yield f"validation.{name}", value
    for prefix, scores in (("test", evaluated["scores"]), ("baseline", evaluated["baseline_scores"])):
        for name, estimate in scores.items():
            if estimate is not None:
                yield f"{prefix}.{name}", estimate["value"]
                yield f"{prefix}.{name}.low", estimate["low"]
                yield f"{prefix}.{name}.high", estimate["high"]
    yield "test.ece", evaluated["calibration"]["ece"]
    yield "threshold", trained["threshold"]


def _model_version(client: Any, name: str, version: str) -> str | None:
    found = client.search_model_versions(f"name = '{name}' AND tags.`{_VERSION_TAG}` = '{version}'")
    return str(found[0].version) if found else None


def _new_version(client: Any, name: str, version: str, run: str, folder: Path) -> str:
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name)
    made = client.create_model_version(
        name,
        source=folder.absolute().as_uri(),
        run_id=run,
        tags={_VERSION_TAG: version},
        description=(folder / "card.md").read_text(encoding="utf-8")[:_LONGEST_CARD],
    )
    return str(made.version)
