"""The page: all sections and the tiles above them, as one HTML file that reads nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from noria.console.data import contracts, features, flow, ingested, verdict
from noria.console.figures import Money, count, many, maximised, milliseconds, minute, readable, score, signed, span
from noria.console.flow import flow_table
from noria.console.model import evaluation, gates, search
from noria.console.profile import profiles
from noria.console.record import Record, commit_of, cost, lineage, spent
from noria.console.rehearsal import missing, rehearsal
from noria.contracts import Profile
from noria.core import content_key
from noria.cost import PriceBook
from noria.declarations import Project

if TYPE_CHECKING:
    from jinja2 import Template

Facts = Mapping[str, Mapping[str, Any]]

SECTIONS = (
    ("flow", "Flow"),
    ("contracts", "Contracts"),
    ("data", "Data"),
    ("features", "Features"),
    ("search", "Search"),
    ("test", "Sealed test"),
    ("gates", "Gates"),
    ("rehearsal", "Rehearsal"),
    ("cost", "Cost"),
    ("lineage", "Lineage"),
)
"""Anchor and title of each section, in order."""

_FILES = ("report.html.j2", "report.css")


def page(project: Project, facts: Facts, found: Mapping[str, Profile], record: Record, made: datetime) -> str:
    """The report as HTML.

    Parameters
    ----------
    project : Project
        What was declared.
    facts : mapping
        Step to the facts of its outcome; ``rehearse`` may be missing.
    found : mapping of str to Profile
        What each source's table holds.
    record : Record
        What the ledger says.
    made : datetime
        When the page is made.
    """
    lived = facts.get("rehearse")
    absent = missing(project, lived)
    css = _text("report.css")
    return _template().render(
        css=css,
        policy=_policy(css),
        sections=SECTIONS,
        name=project.name,
        question=project.question,
        made=minute(made),
        version=facts["package"]["version"],
        verdict=verdict(facts),
        commit=commit_of(record),
        tiles=list(tiles(project, facts, record)),
        flow=flow(facts),
        stages=flow_table((*record.steps, *record.alarms)),
        contracts=contracts(project, facts),
        profiles=profiles(project, facts, found),
        features=features(facts),
        search=search(facts),
        evaluation=evaluation(facts),
        gates=gates(facts),
        absent=absent,
        rehearsal=None if absent or lived is None else rehearsal(lived),
        cost=cost(record, project),
        lineage=lineage(record),
    )


def look() -> str:
    """A key of the template and the style: they are part of what makes a report."""
    return content_key(*(_text(name) for name in _FILES))


def tiles(project: Project, facts: Facts, record: Record) -> Iterator[dict[str, str]]:
    """The figures that a reader wants first."""
    tables, trained, tested, packaged = ingested(facts), facts["train"], facts["evaluate"], facts["package"]
    apart = sum(table["quarantined"] for table in tables.values())
    yield _tile("Rows read", count(sum(table["read"] for table in tables.values())),
                f"{many(len(tables), 'source')}, {count(apart)} quarantined")  # fmt: skip
    yield _tile("Model", trained["chosen"], f"best of {many(len(trained['trials']), 'trial')}")
    yield _score_tile(tested)
    words = {
        "promoted": "promoted: takes requests",
        "waiting": "waits for a decision",
        "refused": "takes no requests",
    }
    yield _tile("Version", packaged["version"], words[verdict(facts)])
    yield from _lived(project, facts.get("rehearse"))
    amount = spent(record)
    charged = ", ".join(f"{name} {value}" for name, value in project.tags.items())
    money = Money(PriceBook.load().currency, [amount])
    yield _tile(
        f"Cost, {money.currency}",
        money.bare(amount),
        f"charged to {charged}" if charged else "charged to nobody: no tags",
    )


def _tile(label: str, value: str, note: str) -> dict[str, str]:
    return {"label": label, "value": value, "note": note}


def _score_tile(tested: Mapping[str, Any]) -> dict[str, str]:
    label = f"{maximised(tested['metric'])}, sealed test"
    label = label[0].upper() + label[1:]
    if tested["score"] is None:
        return _tile(label, score(None), "not defined: all answers are the same")
    baseline, difference = tested["baseline"], tested["difference"]
    note = f"95%: {span(tested['score'])}"
    if baseline is not None:
        note += f"; baseline {score(baseline['value'])}"
    if difference is not None:
        note += f", difference {signed(difference['value'])}"
    return _tile(label, score(tested["score"]["value"]), note)


def _lived(project: Project, lived: Mapping[str, Any] | None) -> Iterator[dict[str, str]]:
    if lived is None or missing(project, lived):
        yield from (
            _tile(label, score(None), "not rehearsed") for label in ("Requests served", "Alarms", "Retrainings")
        )
        return
    yield _tile("Requests served", count(lived["requests"]),
                f"p50 {milliseconds(lived['p50_ms'])}, p99 {milliseconds(lived['p99_ms'])}")  # fmt: skip
    raised = Counter(alarm["monitor"] for alarm in lived["alarms"])
    yield _tile(
        "Alarms",
        count(raised.total()),
        ", ".join(f"{number} {name}" for name, number in sorted(raised.items())) or "none",
    )
    made = lived["retrainings"]
    took = sum(bool((one["canary"] or {}).get("promoted")) for one in made)
    passed = sum(bool(one["passed"]) for one in made)
    yield _tile(
        "Retrainings",
        count(len(made)),
        f"{passed} passed the gates, {took} took over" if made else "none was asked for",
    )


def _policy(css: str) -> str:
    """What the page may do: show this very style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _text(name: str) -> str:
    return files("noria.console").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=lambda value: readable(value) if type(value) is str else value,
    )  # fmt: skip
    return environment.from_string(_text("report.html.j2"))
