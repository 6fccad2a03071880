"""The steps ``package`` and ``register``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, TypeVar

from noria.declarations import Contract, FeatureView, Project, Spine, dump
from noria.ledger import model_reference
from noria.steps import Outcome, Step, StepContext

_Noun = TypeVar("_Noun", FeatureView, Spine)
_FILES = {"model.onnx": "model", "baseline.onnx": "baseline", "training.json": "training"}


def steps(project: Project) -> tuple[Step, ...]:
    """The steps ``package`` (manifest, card, signature) and ``register`` (MLflow).

    Notes
    -----
    Facts of ``package``: ``version``, ``digest``, ``bytes``, ``files``, ``commit``; output ``package``, a folder. Of
    ``register``: ``version``, ``registry``, ``run``, ``model_version``.

    Raises
    ------
    DeclarationError
        A feature is of a kind of aggregate that a server does not know.
    """
    for aggregate in (aggregate for view in project.features for aggregate in view.aggregates):
        kind = type(aggregate)
        if kind.__module__.partition(".")[0] != "noria":
            raise aggregate.refuse(
                "a server does not know this kind of aggregate: it runs no code but Noria's",
                value=f"{kind.__module__}.{kind.__qualname__}",
                mend="use a kind of noria.features, or work the values out in the source's columns",
            )
    said = {
        "name": project.name,
        "question": project.question,
        "endpoint": project.endpoint.name,
        "views": [_served(view) for view in project.features],
        "spine": _served(project.spine),
        "tags": project.tags,
    }
    return (
        Step("package", functools.partial(_package, project=project), said,
             inputs=("training-set", "train", "evaluate")),
        Step("register", functools.partial(_register, project=project), said,
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
        views=[dump(_served(view)) for view in project.features],
        spine=dump(_served(project.spine)),
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
    event = {"kind": "version.packaged", "subject": subject, "inputs": list(manifest.inputs.values()),
             "outputs": [ctx.reference(folder)], "body": facts}  # fmt: skip
    return Outcome({"package": ctx.reference(folder)}, facts, (event,))


def _served(declared: _Noun) -> _Noun:
    """What a server needs of a declaration: not where rows come from, which may hold a password, nor their contract."""
    return declared.replace(
        source=declared.source.replace(origin="stored", contract=Contract(), map=(), incremental=None)
    )


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
