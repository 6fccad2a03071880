"""``noria features``: the model's features, and what the online store would serve of them."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from noria.declarations import Project
    from noria.expressions import Kind
    from noria.features import OnlineStore
    from noria.steps import Outcome
    from noria.workspace import Workspace

_ProjectPlace = Annotated[
    str | None, typer.Option("--project", help="Its file or folder; by default the one around here.")
]
_AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Look at features: what they are, and what would be served.")
    group.command("list")(_list)
    group.command("get")(_get)
    app.add_typer(group, name="features")


def _list(project: _ProjectPlace = None, as_json: _AsJson = False) -> None:
    """Show the model's features in its order: name, kind, view, what it is."""
    from noria.features import features_of

    declared = _declared(project)
    found = features_of(declared.project, declared.schemas)
    if as_json:
        typer.echo(json.dumps([feature.to_body() for feature in found], ensure_ascii=False, indent=1))
        return
    rows = [(one.name, one.kind, one.view or "(question)", one.text) for one in found]
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    for row in rows:
        typer.echo("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=False)) + f"  {row[3]}")


def _get(
    values: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="What the request carries.")],
    at: Annotated[str | None, typer.Option(help="As of a past time, UTC: 2013-12-01T06:00; by default now.")] = None,
    project: _ProjectPlace = None,
    as_json: _AsJson = False,
) -> None:
    """Show every feature as a request would get it from the online store now, or would have got it at a past time."""
    from noria.core import clock_from_environment, from_micros
    from noria.features import FeatureService, features_of

    declared = _declared(project)
    spine = declared.project.spine
    features_of(declared.project, declared.schemas)  # refuses what could not be served
    carried = {name: declared.schemas[spine.source.name][name] for name in spine.source.known_before}
    request = _request(values, carried)
    moment = _micros("--at", at) if at else clock_from_environment().micros()
    with _store(declared, moment if at else None) as store:
        service = FeatureService(spine, declared.project.features, declared.schemas, store)
        served = {name: _plain(column[0]) for name, column in service.columns([request], moment).items()}
    if as_json:
        typer.echo(json.dumps(served, ensure_ascii=False, indent=1))
        return
    width = max(map(len, served))
    for name, value in served.items():
        typer.echo(f"{name:<{width}}  {'null' if value is None else value}")
    typer.echo(f"asked at {from_micros(moment):%Y-%m-%d %H:%M:%S} UTC", err=True)
    if missing := [name for name in carried if name not in request]:
        typer.echo(f"not given, so null: {', '.join(missing)}", err=True)


@contextlib.contextmanager
def _store(declared: _Declared, until: int | None) -> Iterator[OnlineStore]:
    """The project's store; for a moment of the past one that is filled as it was then, because a store forgets."""
    from noria.core import DeclarationError, from_micros
    from noria.features import materialise, open_store, temporary_url

    if until is None:
        with contextlib.closing(open_store(declared.workspace.online, readonly=True)) as store:
            yield store
        return
    inputs = {f"ingest:{name}": outcome for name, outcome in declared.ingested.items()}
    if missing := [source.name for source in declared.project.sources if source.name not in declared.ingested]:
        raise DeclarationError("not ingested as it is now", value=", ".join(missing), mend="noria run")
    with tempfile.TemporaryDirectory(prefix="noria-") as folder:
        url = temporary_url(folder)
        materialise(declared.project, inputs, declared.workspace.lake, url, until=from_micros(until))
        with contextlib.closing(open_store(url, readonly=True)) as store:
            yield store


@dataclass(frozen=True, slots=True)
class _Declared:
    """A project, what its sources left when they were ingested as they are now, and the kinds of all their columns."""

    project: Project
    workspace: Workspace
    ingested: Mapping[str, Outcome]
    schemas: Mapping[str, Mapping[str, Kind]]


def _declared(place: str | None) -> _Declared:
    from noria import ingest
    from noria.declarations import load_project
    from noria.ledger import open_ledger
    from noria.plan import plan_steps
    from noria.workspace import workspace_of

    workspace = workspace_of(place)
    project = load_project(workspace.project_file)
    base = workspace.project_file.parent
    ingested: dict[str, Outcome] = {}
    if workspace.root.is_dir():
        with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
            plan = plan_steps(project, ingest.steps(project, base, workspace), workspace, ledger)
        ingested = {
            planned.step.name.removeprefix("ingest:"): planned.outcome
            for planned in plan.steps
            if planned.outcome is not None
        }
    known = {name: outcome.facts["schema"] for name, outcome in ingested.items()}
    return _Declared(project, workspace, ingested, ingest.schemas_of(project, base, known))


def _request(values: list[str], carried: Mapping[str, Kind]) -> dict[str, Any]:
    """``KEY=VALUE`` words as what a request carries; an empty value is null."""
    import difflib

    from noria.core import DeclarationError

    found: dict[str, Any] = {}
    for word in values:
        name, equals, text = word.partition("=")
        if not equals or name not in carried:
            near = difflib.get_close_matches(name, carried, n=1)
            mend = f"did you mean '{near[0]}'?" if near and equals else "KEY=VALUE with one of " + ", ".join(carried)
            raise DeclarationError("a request carries nothing of that name", value=word, mend=mend)
        if name in found:
            raise DeclarationError("a value is given twice", value=name)
        found[name] = _read(name, text, carried[name]) if text else None
    return found


def _read(name: str, text: str, kind: Kind) -> Any:
    from noria.core import DeclarationError

    readers: Mapping[str, Callable[[str], Any]] = {
        "int": int,
        "float": float,
        "bool": {"true": True, "false": False}.__getitem__,
    }
    try:
        return readers[kind](text) if kind in readers else text
    except (ValueError, KeyError):
        raise DeclarationError("not a value of that kind", place=name, value=text, mend=f"{name} is a {kind}") from None


def _micros(name: str, text: str) -> int:
    from datetime import datetime

    from noria.core import DeclarationError, to_micros

    try:
        return to_micros(datetime.fromisoformat(text))
    except ValueError:
        raise DeclarationError("not a time", place=name, value=text, mend="2013-12-01T06:00, in UTC") from None


def _plain(value: Any) -> Any:
    """A feature as JSON has it: float32 numbers with the digits that they have, NaN as null."""
    if value is None or isinstance(value, str):
        return value
    return None if value != value else float(str(value))
