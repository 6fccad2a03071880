"""The steps ``train`` and ``evaluate``."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from noria.core import DataError, GateError, file_digest
from noria.declarations import Project, Search
from noria.steps import Outcome, Step, StepContext
from noria.training.candidates import Baseline, Learner, LightGBM, LogisticRegression
from noria.training.preprocessing import check_preprocessing, transforms_of
from noria.training.splits import check_split

if TYPE_CHECKING:
    from noria.training.rows import Rows


def steps(
    project: Project, as_of: datetime | None = None, start_from: Mapping[str, Any] | None = None
) -> tuple[Step, ...]:
    """The steps ``train`` and ``evaluate``.

    Parameters
    ----------
    project : Project
        The declarations.
    as_of : datetime, optional
        Retrain at this moment, see `TimeSplit`.
    start_from : mapping, optional
        ``{"chosen", "params"}`` as in the facts of an earlier ``train``, which may be given whole: only that is
        trained, beside the baselines.

    Raises
    ------
    DeclarationError
        A candidate cannot be trained, there are fewer trials than candidates, or the split does not suit the spine.
    """
    check_split(project)
    search = project.search
    candidates = _candidates(search)
    transforms_of(search.preprocessing)
    if search.trials < len(candidates):
        mend = f"trials={len(candidates)} or more"
        raise search.refuse("every candidate needs a trial", field="trials", value=search.trials, mend=mend)
    start = {name: start_from[name] for name in ("chosen", "params")} if start_from else None
    declaration = {"search": search, "as_of": as_of, "start_from": start}
    return (
        Step(
            "train",
            functools.partial(_train, search=search, as_of=as_of, start_from=start),
            declaration,
            inputs=("training-set",),
        ),
        Step(
            "evaluate",
            functools.partial(_evaluate, search=search, as_of=as_of),
            declaration,
            inputs=("training-set", "train"),
        ),
    )


def _candidates(search: Search) -> tuple[Learner, ...]:
    found: list[Learner] = []
    for candidate in search.candidates or (Baseline(), LogisticRegression(), LightGBM()):
        if not isinstance(candidate, Learner):
            mend = "use Baseline, LogisticRegression or LightGBM, or a subclass of noria.training.Learner"
            raise candidate.refuse("this candidate cannot be trained", mend=mend)
        found.append(candidate)
    return tuple(found)


def _train(ctx: StepContext, search: Search, as_of: datetime | None, start_from: Mapping[str, Any] | None) -> Outcome:
    from noria.training.preprocessing import Pipeline
    from noria.training.rows import read_rows
    from noria.training.search import Preparation, run_search
    from noria.training.splits import parts_of
    from noria.training.training_record import publish

    said = ctx.inputs["training-set"]
    features = said.facts["features"]
    check_search(search, features)
    path = ctx.path(said.outputs["set"])
    parts = parts_of(search.split, as_of)
    ctx.say("reading the training and validation rows")
    train, validate = (read_rows(path, features, part.rows()) for part in (parts.train, parts.validate))
    for name, rows, part in (("training", train, parts.train), ("validation", validate, parts.validate)):
        _refuse_one_answer(name, rows, str(path), part.to_body())
    journal = ctx.scratch / "trials.jsonl"
    prepared = None
    if search.preprocessing:
        ctx.say("fitting the preprocessing to the training rows")
        pipeline, ready = Pipeline.fit(search.preprocessing, train)
        prepared = Preparation(pipeline, ready, pipeline.apply(validate))
    candidates = _candidates(search)
    found = run_search(
        search, candidates, train, validate, journal, prepared=prepared, start_from=start_from, say=ctx.say
    )
    ctx.say("calibrating and exporting the best")
    return publish(ctx, search, parts, found, train, validate)


def _evaluate(ctx: StepContext, search: Search, as_of: datetime | None) -> Outcome:
    """Score the sealed rows with the exported graphs; the only place that reads them."""
    import json

    from noria.models import ModelFeature, Scorer
    from noria.training.evaluation import evaluate
    from noria.training.rows import read_rows
    from noria.training.splits import parts_of

    said, trained = ctx.inputs["training-set"], ctx.inputs["train"]
    features = said.facts["features"]
    model_path, baseline_path = ctx.path(trained.outputs["model"]), ctx.path(trained.outputs["baseline"])
    model = file_digest(model_path)
    part = parts_of(search.split, as_of).test
    ctx.say("opening the sealed rows")
    rows = read_rows(ctx.path(said.outputs["set"]), features, part.rows())
    _refuse_one_answer("sealed test", rows, ctx.path(said.outputs["set"]).name, part.to_body())
    sealed = {"rows": len(rows), "digest": rows.digest(), "model": model, "part": part.to_body()}
    opened = _refuse_second_test(ctx, sealed)
    named = [ModelFeature(feature["name"], feature["kind"]) for feature in features]
    strings = rows.strings()
    probabilities, baseline = (
        Scorer(place.read_bytes(), named, str(place)).score(rows.numbers, strings)
        for place in (model_path, baseline_path)
    )
    ctx.say(f"drawing intervals of {len(rows):,} rows")
    result = evaluate(rows, probabilities, baseline, search.metric, search.slices, search.seed)
    result["validation_skill"] = trained.facts["validation"]["skill"]
    result["sealed"] = sealed
    made = ctx.scratch / "made"
    made.mkdir(exist_ok=True)
    (made / "evaluation.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    folder = ctx.publish(made)
    subject = f"candidate:{model}"
    kind = "sealed.repeated" if opened else "sealed.opened"
    event = {"kind": kind, "subject": subject, "inputs": [trained.outputs["model"]], "body": sealed}
    return Outcome({"evaluation": ctx.reference(folder / "evaluation.json")}, result, (event,))


def check_search(search: Search, features: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a search that names features which the model does not have; called when it is planned.

    Parameters
    ----------
    search : Search
        The declaration.
    features : sequence of mappings
        ``{"name", "kind", …}`` each, as in the facts of ``training-set``.

    Raises
    ------
    DeclarationError
        A slice is not by a category feature, a baseline goes by something that is no feature, or preprocessing names
        a column that is not there.
    """
    check_preprocessing(search.preprocessing, {str(feature["name"]): str(feature["kind"]) for feature in features})
    categories = [str(feature["name"]) for feature in features if feature["kind"] == "category"]
    for name in search.slices:
        if name not in categories:
            mend = _meant(name, categories) or "there is no category feature"
            raise search.refuse("slices are by category features", field="slices", value=name, mend=mend)
    known = [str(feature["name"]) for feature in features]
    for candidate in search.candidates:
        for name in candidate.by if isinstance(candidate, Baseline) else ():
            if name not in known:
                mend = _meant(name, known)
                raise candidate.refuse("a baseline goes by features only", field="by", value=name, mend=mend)


def _meant(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{near[0]}'?" if near else "one of " + ", ".join(known) if known else ""


def _refuse_one_answer(name: str, rows: Rows, place: str, part: Mapping[str, Any]) -> None:
    positives = int(rows.labels.sum())
    if not 0 < positives < len(rows):
        said = "no rows with an answer" if not len(rows) else f"{len(rows):,} rows, all with the same answer"
        mend = (
            "move the ends of Search.split, so that every part has rows with both answers that were known by its end"
            if not len(rows)
            else f"is Spine.label always {'true' if positives else 'false'}? Or the part too short: see Search.split"
        )
        raise DataError(f"the {name} part has {said}", place=place, value=part, mend=mend)


def _refuse_second_test(ctx: StepContext, sealed: Mapping[str, Any]) -> bool:
    """A model is tested once: other rows would be a second look at whether it is good enough.

    True where the ledger knows this very test already (the step was repeated): it gives the same figures again, and
    is not told twice.
    """
    import contextlib

    from noria.ledger import open_ledger

    with contextlib.closing(open_ledger(ctx.workspace.ledger, ctx.clock)) as ledger:
        for event in ledger.events(kind="sealed.opened"):
            if event.body.get("model") != sealed["model"]:
                continue
            if event.body.get("digest") != sealed["digest"]:
                raise GateError(
                    "this model was already tested on other rows",
                    place=f"ledger event {event.seq}",
                    value=f"{event.body.get('rows')} rows, digest {event.body.get('digest')}",
                    mend="train a new version, which gets a test of its own",
                )
            return True
    return False
