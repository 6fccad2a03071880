"""The step that lives a past period again."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from noria import child
from noria.core import ToldClock
from noria.cost import Meters, PriceBook
from noria.declarations import Project, TimeSplit
from noria.features import materialise, open_store, schemas_of
from noria.monitoring import Watch
from noria.rehearsal.answers import Answers, column
from noria.rehearsal.client import Client
from noria.rehearsal.compare import compare
from noria.rehearsal.life import Life, Version
from noria.rehearsal.period import Period, read_period
from noria.rehearsal.retrain import Retraining, own_workspace, retrain
from noria.rehearsal.server_meter import meters_of
from noria.security import public_key
from noria.serving import Routes, ServerProcess, write_routes
from noria.steps import Outcome, Step, StepContext, file_of
from noria.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def step(project: Project) -> tuple[Step, ...]:
    """The step ``rehearse``; none where the project has no rehearsal.

    Raises
    ------
    DeclarationError
        The rehearsal ends before it starts or starts before the sealed test ends; a monitor never checks, or is no kind
        that can. Or there is no rehearsal, but monitors or a canary, which only a rehearsal performs so far.

    Notes
    -----
    The outcome's facts, all plain JSON; times are ISO 8601, seconds wall time, money in the price book's currency:

    ``start``, ``end``, ``metric``, ``frozen``, ``final``
        The period; what was maximised; the versions that had the requests at the start and at the end.
    ``questions``, ``requests``, ``single``, ``events``
        Questions asked; HTTP requests that carried them (questions of one moment go together); requests of one
        question; events that went through the stream path.
    ``p50_ms``, ``p99_ms``
        Latency of the requests with one question, as the client saw it.
    ``overall``, ``days``
        See `noria.rehearsal.compare.compare`.
    ``alarms``
        ``[{"monitor", "at", "until", "checks", "action", "text", "facts", "version"}]``: an alarm that stands at
        several checks in a row is one, from its first to its last.
    ``retrainings``
        ``[{"at", "because", "monitor", "version", "passed", "seconds", "cost", "steps", "findings", "canary"}]``;
        canary is null where the version was refused or the period ended first, else ``{"ended", "promoted", "text",
        "rows", …}``.
    ``parity``
        Served features against the batch training set: ``rows``, ``features``, ``mismatches``, ``largest``,
        ``by_feature``, ``examples``.
    ``cost``
        ``{"currency", "retraining", "serving", "per_thousand"}``: of retrainings, of the server's processor and memory,
        of a thousand predictions.
    ``seconds``
        Where the time went: ``start``, ``events``, ``requests``, ``duties``, ``whole``.
    """
    rehearsal = project.rehearsal
    if rehearsal is None:
        _refuse_unheard(project)
        return ()
    if rehearsal.start >= rehearsal.end:
        raise rehearsal.refuse("the rehearsal ends before it starts", field="end", value=rehearsal.end.isoformat())
    if not isinstance(project.search.split, TimeSplit):
        raise rehearsal.refuse(
            "a rehearsal plays the time after the sealed test, and a random split leaves none",
            mend="split=nr.TimeSplit(…), or leave the rehearsal out",
        )
    sealed_until = project.search.split.test_until
    if rehearsal.start < sealed_until:
        raise rehearsal.refuse(
            "the rehearsal would ask what the model was trained or tested on",
            field="start",
            value=rehearsal.start.isoformat(),
            mend=f"start at {sealed_until.isoformat()} or later, when the sealed test of Search.split ends",
        )
    for monitor in project.monitors:
        if not isinstance(monitor, Watch):
            raise monitor.refuse(
                "this monitor cannot check anything", mend="a kind of noria.monitoring, or a subclass of Watch"
            )
        if monitor.every <= 0 or monitor.window <= 0:
            field = "every" if monitor.every <= 0 else "window"
            raise monitor.refuse("a duration must be longer than nothing", field=field, value=getattr(monitor, field))
    nouns = ("search", "gates", "endpoint", "monitors", "rehearsal", "team")
    declared = {noun: getattr(project, noun) for noun in nouns}
    ingests = [f"ingest:{source.name}" for source in project.sources]
    inputs = (*ingests, "training-set", "train", "evaluate", "package")
    return (Step("rehearse", functools.partial(_rehearse, project=project), declared, inputs=inputs),)


def _refuse_unheard(project: Project) -> None:
    """What only a rehearsal performs so far must not be declared in vain."""
    mend = "add rehearsal=nr.Rehearsal(start, end), or leave it out"
    if project.monitors:
        raise project.refuse(
            "monitors are asked in a rehearsal, and the project has none",
            field="monitors",
            value=", ".join(type(monitor).__name__ for monitor in project.monitors),
            mend=mend,
        )
    for field in ("canary", "canary_for"):
        if field in project.endpoint.model_fields_set:
            raise project.endpoint.refuse(
                "a canary is ended by a rehearsal, and the project has none",
                field=field,
                value=getattr(project.endpoint, field),
                mend=mend,
            )


def _rehearse(ctx: StepContext, project: Project) -> Outcome:
    began = time.perf_counter()
    own = own_workspace(ctx.workspace, ctx.scratch / "life", ctx.inputs)
    ctx.say("reading the period")
    period = _alone(own, "read", functools.partial(_read, project, ctx.workspace, ctx.inputs))
    ctx.say("filling the online store as of the start")
    _alone(own, "fill", functools.partial(_fill, project, own, ctx.inputs))
    filled = time.perf_counter() - began
    life, serving = _live(ctx, project, own, period)
    ctx.say("comparing with the month without retraining")
    compared = _alone(own, "compare", functools.partial(_compared, project, own, ctx.inputs, period, life.answers))
    facts = {**_facts(project, life, serving, str(ctx.inputs["package"].facts["version"])), **compared}
    facts["seconds"] |= {"start": filled, "whole": time.perf_counter() - began}
    made = ctx.scratch / "made"
    made.mkdir(exist_ok=True)
    (made / "rehearsal.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    folder = ctx.publish(made)
    return Outcome({"rehearsal": ctx.reference(folder / "rehearsal.json")}, facts, tuple(_events(project, facts)))


def _alone(own: Workspace, what: str, function: Callable[[Callable[[str], None]], Any]) -> Any:
    """Do something heavy in a child, so that its memory is given back before the period is played."""
    logs = own.root / "logs"
    return child.call(f"rehearsal: {what}", function, log=logs / f"{what}.log", crash=logs / f"{what}.txt")


def _read(project: Project, workspace: Workspace, done: Mapping[str, Outcome], say: Callable[[str], None]) -> Period:
    tables = {source.name: done[f"ingest:{source.name}"].outputs["table"] for source in project.sources}
    return read_period(project, workspace.lake, file_of(workspace, done["training-set"].outputs["set"]), tables)


def _fill(project: Project, own: Workspace, done: Mapping[str, Outcome], say: Callable[[str], None]) -> None:
    assert project.rehearsal is not None
    materialise(project, _ingested(done), own.lake, own.online, project.rehearsal.start)


def _ingested(done: Mapping[str, Outcome]) -> dict[str, Outcome]:
    return {name: outcome for name, outcome in done.items() if name.startswith("ingest:")}


def _live(ctx: StepContext, project: Project, own: Workspace, period: Period) -> tuple[Life, Meters]:
    """Play the period against a server of its own; what the server took comes back too."""
    from noria.features import StreamWorker

    assert project.rehearsal is not None
    clock = ToldClock(own.root / "clock", start=project.rehearsal.start)
    folder = own.serving / project.endpoint.name
    champion = _version(own, ctx.inputs)
    write_routes(folder, Routes({champion.name: 1.0}))
    began = time.perf_counter()

    def retrained(before: Version) -> tuple[Retraining, Version]:
        made = retrain(project, own, ctx.inputs, before.params, clock)
        return made, _version(own, made.outcomes)

    def route(weights: Mapping[str, float]) -> None:
        write_routes(folder, Routes(weights))
        client.wait_for(weights)

    with contextlib.ExitStack() as stack:
        server = stack.enter_context(ServerProcess(project, own, clock=clock.path, hosts=["127.0.0.1"]))
        # A killed rehearsal begins anew: its store need not wait for the disk.
        store = stack.enter_context(contextlib.closing(open_store(own.online, durable=False)))
        worker = StreamWorker(project, schemas_of(_ingested(ctx.inputs)), store)
        client = stack.enter_context(contextlib.closing(Client("127.0.0.1", server.port, project.endpoint.name)))
        life = Life(
            project=project,
            period=period,
            clock=clock,
            client=client,
            answers=Answers(folder / "log"),
            kinds={one["name"]: one["kind"] for one in ctx.inputs["training-set"].facts["features"]},
            apply=lambda events: worker.apply(events, clock.micros()),
            retrain=retrained,
            route=route,
            champion=champion,
            say=ctx.say,
        )
        life.play()
        life.answers.read(period.times)
        return life, meters_of(server.pid, time.perf_counter() - began)


def _version(own: Workspace, outcomes: Mapping[str, Outcome]) -> Version:
    """The version that some steps made, and what its monitors compare with."""
    trained = outcomes["train"]
    record = json.loads(file_of(own, trained.outputs["training"]).read_text(encoding="utf-8"))
    return Version(
        name=str(outcomes["package"].facts["version"]),
        params={name: trained.facts[name] for name in ("chosen", "params")},
        reference=record["reference"],
        skill=float(outcomes["evaluate"].facts["skill"]),
    )


def _compared(
    project: Project,
    own: Workspace,
    done: Mapping[str, Outcome],
    period: Period,
    answers: Answers,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """The period without retraining, and what was served against the batch training set."""
    import numpy as np

    from noria.gates import agreement

    kinds = {one["name"]: one["kind"] for one in done["training-set"].facts["features"]}
    served = {name: column(answers.features, name, kind) for name, kind in kinds.items()}
    labels, scores = np.asarray(period.labels), np.asarray(answers.scores, np.float64)
    frozen = _frozen(own, done, kinds, served)
    compared = compare(project.search.metric, np.asarray(period.times, np.int64), labels, frozen, scores)
    offline = _offline(own, done, kinds, period)
    return {**compared, "parity": agreement(kinds, period.rows, period.times, offline, served).to_body()}


def _frozen(
    own: Workspace, done: Mapping[str, Outcome], kinds: Mapping[str, str], served: Mapping[str, Any]
) -> NDArray[np.float64]:
    """What the version of the start says to every question, from the features that were served."""
    import numpy as np

    from noria.models import open_package

    package = open_package(file_of(own, done["package"].outputs["package"]), public_key(own.keys))
    given = {name: served[name] if kind == "category" else np.float32(served[name]) for name, kind in kinds.items()}
    return package.predict(given)


def _offline(own: Workspace, done: Mapping[str, Outcome], kinds: Mapping[str, str], period: Period) -> dict[str, Any]:
    """The same questions' features in the training set."""
    import polars as pl

    path = file_of(own, done["training-set"].outputs["set"])
    rows = pl.LazyFrame({"_row": period.rows}, schema={"_row": pl.Int64})
    batch = pl.scan_parquet(path).with_columns(pl.col("_row").cast(pl.Int64)).select("_row", *kinds)
    joined = rows.join(batch, on="_row", how="left", maintain_order="left").collect()
    return {
        name: joined[name].to_list()
        if kind == "category"
        else joined[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for name, kind in kinds.items()
    }


def _facts(project: Project, life: Life, serving: Meters, first: str) -> dict[str, Any]:
    rehearsal, prices = project.rehearsal, PriceBook.load()
    assert rehearsal is not None
    single = sorted(life.client.single_ms)
    price = prices.price(serving)
    return {
        "start": rehearsal.start.isoformat(),
        "end": rehearsal.end.isoformat(),
        "metric": project.search.metric,
        "frozen": first,
        "final": life.champion.name,
        "questions": life.asked,
        "requests": life.client.requests,
        "single": len(single),
        "events": life.applied,
        "p50_ms": single[len(single) // 2] if single else None,
        "p99_ms": single[len(single) * 99 // 100] if single else None,
        "alarms": life.alarms,
        "retrainings": life.retrainings,
        "cost": {
            "currency": prices.currency,
            "retraining": sum(one["cost"] for one in life.retrainings),
            "serving": price,
            "per_thousand": 1000 * price / max(life.asked, 1),
        },
        "seconds": life.seconds,
    }


def _events(project: Project, facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the ledger is told; the subject says that it was a rehearsal."""
    subject = f"rehearsal:{project.endpoint.name}@{facts['start'][:10]}"
    for alarm in facts["alarms"]:
        yield {"kind": "alarm.raised", "subject": subject, "body": alarm}
    for made in facts["retrainings"]:
        body = {name: made[name] for name in ("at", "because", "monitor", "version", "passed", "cost", "canary")}
        yield {"kind": "retraining.started", "subject": subject, "body": body}
    said = ("start", "end", "questions", "requests", "overall", "frozen", "final", "cost")
    body = {name: facts[name] for name in said}
    yield {"kind": "rehearsal.finished", "subject": subject, "body": body}
