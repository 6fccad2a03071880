"""What a run comes to, in at most 25 lines: from what the steps left, whether they ran now or earlier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noria.ledger import Ledger
    from noria.plan import Plan
    from noria.run import RunResult
    from noria.steps import Outcome
    from noria.workspace import Workspace

LINES = 25
_SOURCES = 8
_REASONS = 3
_ALARMS = 5


def summary(plan: Plan, result: RunResult, workspace: Workspace, ledger: Ledger, runs: Sequence[str] = ()) -> list[str]:
    """The lines that a run ends with. What a project has no part of is left out.

    `runs` are the names of the run and of those that looked for it; their alarms come first.
    """
    outcomes = result.outcomes
    said = [_head(plan, result), *_alarms(ledger, runs or (result.run,))]
    said += [f"{label:<12} {text}" for label, text in _late(ledger, runs or (result.run,))]
    said += [f"{label:<12} {text}" for label, text in _parts(outcomes, plan.project.search.metric)]
    said += [f"{'cost':<12} {_cost(plan, ledger)}"]
    if workspace.report.exists():
        said += [f"{'report':<12} {workspace.report}"]
    return said if len(said) <= LINES else [*said[: LINES - 3], "…", *said[-2:]]


def _late(ledger: Ledger, runs: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Rows that came late in these runs, and how much of what was made before would differ."""
    from noria.cli.events import said_of

    for run in filter(None, runs):
        for event in (*ledger.events(kind="data.late", run=run), *ledger.events(kind="data.repaired", run=run)):
            late = event.kind == "data.late"
            subject = event.subject.removeprefix("table:").partition("@")[0]
            yield ("late", f"{subject}: {said_of(event)}") if late else ("repaired", said_of(event))


def _head(plan: Plan, result: RunResult) -> str:
    if not result.executed:
        return f"{plan.project.name}: nothing is new, no step was run"
    count = len(result.executed)
    return f"{plan.project.name}: {count} step{'s' * (count > 1)} run in {result.seconds:.1f} s (run {result.run})"


def _alarms(ledger: Ledger, runs: Sequence[str]) -> Iterator[str]:
    from noria.run import alarms_of

    alarms = list(alarms_of(ledger, runs))
    for event in alarms[:_ALARMS]:
        yield f"{'alarm':<12} {event.body.get('text') or event.subject}"
    if len(alarms) > _ALARMS:
        yield f"{'alarm':<12} and {len(alarms) - _ALARMS} others, see noria log --kind 'alarm.*'"


def _parts(outcomes: Mapping[str, Outcome], metric: str) -> Iterator[tuple[str, str]]:
    facts = {name: outcome.facts for name, outcome in outcomes.items()}
    yield from _rows(facts)
    if "training-set" in facts:
        made = facts["training-set"]
        text = f"{made['rows']:,} rows, {len(made['features'])} features, {made['unlabelled']:,} without an answer"
        yield "training set", text
    if "train" in facts:
        yield "model", str(facts["train"]["why"])
    if "evaluate" in facts:
        yield "sealed test", _score(facts["evaluate"], metric)
    if "package" in facts:
        yield "version", f"{facts['package']['version']}, {facts['package']['bytes'] / 1e6:.2f} MB, signed"
    if "rehearse" in facts:
        yield from _rehearsal(facts["rehearse"])
    if "gates" in facts:
        yield from _gates(facts["gates"])


def _rows(facts: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    read = [(name.partition(":")[2], each) for name, each in facts.items() if name.startswith("ingest:")]
    read.sort(key=lambda pair: -int(pair[1]["read"]))
    for name, each in read[:_SOURCES]:
        text = f"{name}: {each['read']:,} read, {each['quarantined']:,} quarantined"
        if each.get("dropped"):
            text += f", {each['dropped']:,} replaced or dropped"
        others = [one for one in each["verdicts"] if one["failed"] and one["on_fail"] != "quarantine"]
        others.sort(key=lambda verdict: -int(verdict["failed"]))
        aside = sorted(each["reasons"].items(), key=lambda pair: -int(pair[1]))
        reasons = [f"{count:,} quarantine {reason}" for reason, count in aside]
        reasons += [f"{one['failed']:,} {one['on_fail']} {one['rule']}" for one in others]
        if len(reasons) > _REASONS:
            reasons[_REASONS:] = [f"{len(reasons) - _REASONS} more"]
        yield "rows", text + (f" ({'; '.join(reasons)})" if reasons else "")
    if len(read) > _SOURCES:
        yield "rows", f"and {sum(int(each['read']) for _, each in read[_SOURCES:]):,} of {len(read) - _SOURCES} others"


def _score(facts: Mapping[str, Any], metric: str) -> str:
    return (
        f"{metric} {_interval(facts['score'])}, baseline {_interval(facts['baseline'])}, "
        f"difference {_interval(facts['difference'])}"
    )


def _interval(form: Mapping[str, float] | None) -> str:
    if form is None:  # a score is not defined where all answers are the same
        return "undefined"
    return f"{form['value']:.3f} [{form['low']:.3f}, {form['high']:.3f}]"


def _gates(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    findings = facts["findings"]
    passed = [finding["gate"] for finding in findings if finding["passed"]]
    verdict = "promoted" if facts["promoted"] else "waiting for a decision" if facts["waiting"] else "refused"
    if not facts["promoted"] and "keeps the requests" in facts.get("because", ""):
        verdict += ", but it keeps the requests that it has until another version passes"
    yield "gates", f"{verdict}, {len(passed)} of {len(findings)} passed: {', '.join(passed) or 'none'}"
    for finding in findings:
        if not finding["passed"]:
            yield "not passed", f"{finding['gate']}: {finding['text']}"


def _rehearsal(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    served = f"{facts['questions']:,} questions in {facts['requests']:,} requests"
    if facts["p50_ms"] is not None:
        served += f", p50 {facts['p50_ms']:.2f} ms, p99 {facts['p99_ms']:.2f} ms"
    yield "rehearsal", f"{facts['start'][:10]} to {facts['end'][:10]}: {served}"
    raised = Counter(alarm["monitor"] for alarm in facts["alarms"])
    text = ", ".join(f"{count} {monitor}" for monitor, count in raised.most_common()) or "none"
    drift = next((alarm["text"] for alarm in facts["alarms"] if alarm["monitor"] == "Drift"), "")
    yield "alarms", text + (f"; first drift: {drift}" if drift else "")
    made, cost = facts["retrainings"], facts["cost"]
    passed = sum(bool(one["passed"]) for one in made)
    price = f"{_money(cost['retraining'])} {cost['currency']}"
    yield "retrainings", f"{len(made)}, {passed} passed the gates, {price}" if made else "none"
    whole = facts["overall"]
    if whole["difference"] is not None:
        scores = f"{whole['score_retrained']:.3f} with retraining, {whole['score_frozen']:.3f} without"
        yield "", f"{facts['metric']} {scores}, difference {_interval(whole['difference'])}"


def _cost(plan: Plan, ledger: Ledger) -> str:
    from noria.cost import PriceBook, totals

    events = list(ledger.events(kind="step.*"))
    keys = {planned.key for planned in plan.steps}
    finished = (event for event in events if event.kind == "step.finished")
    standing = {event.body["key"]: event for event in finished if event.body["key"] in keys}
    tags = ", ".join(f"{name} {value}" for name, value in plan.project.tags.items())
    return (
        f"{_money(sum(totals(standing.values()).values()))} {PriceBook.load().currency} for what stands here, "
        f"{_money(sum(totals(events).values()))} since the beginning" + (f", charged to {tags}" if tags else "")
    )


def _money(amount: float) -> str:
    return f"{amount:.4f}" if amount >= 0.01 or not amount else f"{amount:.6f}"
