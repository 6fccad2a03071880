"""The steps ``package`` and ``register``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from noria.declarations import Project, dump
from noria.ledger import model_reference
from noria.steps import Outcome, Step, StepContext

_FILES = {"model.onnx": "model", "baseline.onnx": "baseline", "training.json": "training"}


def steps(project: Project) -> tuple[Step, ...]:
    """The steps ``package`` (manifest, card, signature) and ``register`` (MLflow).

    Notes
    -----
    Facts of ``package``: ``version``, ``digest``, ``bytes``, ``files``, ``commit``; output ``package``, a folder. Of
    ``register``: ``version``, ``registry``, ``run``, ``model_version``.
    """
    said = {
        "name": project.name,
        "question": project.question,
        "endpoint": project.endpoint.name,
        "views": project.features,
        "spine": project.spine,
        "tags": project.tags,
    }
    return (
        Step("package", functools.partial(_package, project=project), said, ("declarations", "models", "security"),
             inputs=("training-set", "train", "evaluate")),
        Step("register", functools.partial(_register, project=project), said, ("models",),
             inputs=("train", "evaluate", "package")),
    )  # fmt: skip


def _package(ctx: StepContext, project: Project) -> Outcome:
    from noria.models.cards import card
    from noria.models.commit import commit_of
    from noria.models.package import FORMAT, Manifest, ModelFeature, open_package, write_package
    from noria.security import SigningKey

    trained, evaluated = ctx.inputs["train"], ctx.inputs["evaluate"]
    places = {name: ctx.path(trained.outputs[output]) for name, output in _FILES.items()}
    places["evaluation.json"] = ctx.path(evaluated.outputs["evaluation"])
    files = {name: path.read_bytes() for name, path in places.items()}
    features = ctx.inputs["training-set"].facts["features"]
    files["card.md"] = card(project, features, trained.facts, evaluated.facts).encode()
    manifest = Manifest(
        format=FORMAT,
        name=project.endpoint.name,
        created=ctx.clock.now().isoformat(timespec="seconds"),
        features=tuple(ModelFeature(feature["name"], feature["kind"]) for feature in features),
        views=[dump(view) for view in project.features],
        spine=dump(project.spine),
        schemas=ctx.inputs["training-set"].facts["schemas"],
        metric=project.search.metric,
        scores=_intervals(evaluated.facts["scores"]),
        threshold=trained.facts["threshold"],
        inputs={
            "training-set": ctx.inputs["training-set"].outputs["set"],
            "model": trained.outputs["model"],
            "evaluation": evaluated.outputs["evaluation"],
        },
        commit=commit_of(ctx.workspace.project_file.parent),
        files={},
    )
    key = SigningKey.load_or_create(ctx.workspace.keys)
    folder = write_package(ctx.workspace.packages, manifest, files, key)
    ctx.say("opening the package as the server will")
    package = open_package(folder, key.public)
    made = package.manifest
    facts = {
        "name": made.name,
        "version": made.version,
        "digest": made.digest,
        "bytes": sum(packed.bytes for packed in made.files.values()),
        "files": {name: packed.digest for name, packed in made.files.items()},
        "commit": made.commit,
    }
    subject = model_reference(made.name, made.version)
    event = {"kind": "version.packaged", "subject": subject, "inputs": list(made.inputs.values()),
             "outputs": [ctx.reference(folder)], "body": facts}  # fmt: skip
    return Outcome({"package": ctx.reference(folder)}, facts, (event,))


def _intervals(scores: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {name: dict(estimate) for name, estimate in scores.items() if estimate is not None}


def _register(ctx: StepContext, project: Project) -> Outcome:
    from noria.models.mlflow import register

    packaged, folder = ctx.inputs["package"].facts, ctx.path(ctx.inputs["package"].outputs["package"])
    facts = register(
        ctx.workspace.registry, project, Path(folder), ctx.inputs["train"].facts, ctx.inputs["evaluate"].facts, packaged
    )
    subject = model_reference(packaged["name"], packaged["version"])
    return Outcome({}, facts, ({"kind": "version.registered", "subject": subject, "body": facts},))
