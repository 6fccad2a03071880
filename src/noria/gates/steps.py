"""The step that asks all gates about a version, and promotes it if all let it pass."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from noria.core import content_key, plain
from noria.declarations import Project
from noria.gates.approval import Approval
from noria.gates.check import Check, Finding
from noria.gates.evidence import Evidence
from noria.ledger import Ledger, model_reference, open_ledger
from noria.steps import Outcome, Step, StepContext


def steps(
    project: Project,
    ledger: Ledger | None = None,
    *,
    promote: Literal["all", "canary"] = "all",
    evidence: Sequence[str] = (),
) -> tuple[Step, ...]:
    """The step ``gates``.

    Parameters
    ----------
    project : Project
        The declarations.
    ledger : Ledger, optional
        Where people's decisions are: they are part of the step's key, so that a version that waits for an approval is
        looked at again when somebody has decided. Without it only a change of the version does that.
    promote : str
        What a version that passes gets: ``"all"`` requests, or the endpoint's ``"canary"`` share beside the version
        that has them now. A canary has to be ended by whoever asked for it.
    evidence : sequence of str
        Steps that must have ended before the gates are asked, such as the rehearsal: nothing goes live before it.

    Raises
    ------
    DeclarationError
        A gate could never work in this project.

    Notes
    -----
    The outcome's facts: ``version``, ``promoted``, ``waiting`` (only a person's decision is missing), ``because`` (one
    sentence), ``findings``: a list of ``{"gate", "parameters", "passed", "text", "facts"}`` in the order declared;
    where it was promoted also ``weights``, and the output ``routes``. Without a gate there is no evidence, and nothing
    is promoted.
    """
    for gate in project.gates:
        if not isinstance(gate, Check):
            raise gate.refuse(
                "this gate cannot check anything", mend="use a kind of noria.gates, or a subclass of Check"
            )
        gate.refuse_useless(project)
    waited = [gate for gate in project.gates if isinstance(gate, Approval) and gate.waived is None]
    decided = [event.digest for event in ledger.events(kind="approval.*")] if ledger and waited else []
    ingests = [f"ingest:{source.name}" for source in project.sources]
    return (
        Step(
            "gates",
            functools.partial(_gates, project=project, promote=promote),
            {"gates": project.gates, "endpoint": project.endpoint, "team": project.team, "promote": promote},
            inputs=(*ingests, "training-set", "train", "evaluate", "package", *evidence),
            fingerprint=content_key(decided) if decided else "",
            reads=f"{len(decided)} decisions" if decided else "",
        ),
    )


def _gates(ctx: StepContext, project: Project, promote: Literal["all", "canary"]) -> Outcome:
    version = str(ctx.inputs["package"].facts["version"])
    gates = [gate for gate in project.gates if isinstance(gate, Check)]
    with contextlib.closing(open_ledger(ctx.workspace.ledger, ctx.clock)) as ledger:
        evidence = Evidence(version, project, ctx.workspace, ledger, ctx.inputs)
        findings = []
        for gate in gates:
            ctx.say(type(gate).__name__)
            findings.append(gate.check(evidence))
    failed = [finding for finding in findings if not finding.passed]
    facts: dict[str, Any] = {
        "version": version,
        "promoted": bool(findings) and not failed,
        "waiting": bool(failed) and all(finding.facts.get("waiting") for finding in failed),
        "because": _because(gates, findings),
        "findings": [_body(gate, finding) for gate, finding in zip(gates, findings, strict=True)],
    }
    if not facts["promoted"]:
        if _routed(ctx, project).get(version):
            facts["because"] += "; it keeps the requests that it has until another version passes"
        return Outcome({}, facts, tuple(_events(project, facts, [])))
    facts["weights"], retired = _promote(ctx, project, version, promote)
    routes = ctx.reference(ctx.workspace.serving / project.endpoint.name / "routes.json")
    return Outcome({"routes": routes}, facts, tuple(_events(project, facts, retired)))


def _routed(ctx: StepContext, project: Project) -> dict[str, float]:
    """Which versions have which share of the requests now."""
    from noria.serving import read_routes

    folder = ctx.workspace.serving / project.endpoint.name
    return dict(read_routes(folder).weights) if (folder / "routes.json").exists() else {}


def _because(gates: list[Check], findings: list[Finding]) -> str:
    """Why it was promoted or not, in one sentence."""
    if not findings:
        return "the project declares no gate, and without evidence nothing is promoted"
    failed = [type(gate).__name__ for gate, finding in zip(gates, findings, strict=True) if not finding.passed]
    if failed:
        return f"{len(failed)} of {len(findings)} gates did not pass: {', '.join(failed)}"
    return f"all {len(findings)} gates passed"


def _body(gate: Check, finding: Finding) -> dict[str, Any]:
    """A gate and its finding as plain JSON."""
    parameters = {name: value for name, value in plain(gate).items() if name != "@type"}
    return {
        "gate": type(gate).__name__,
        "parameters": parameters,
        "passed": finding.passed,
        "text": finding.text,
        "facts": dict(finding.facts),
    }


def _promote(
    ctx: StepContext, project: Project, version: str, promote: Literal["all", "canary"]
) -> tuple[dict[str, float], list[str]]:
    """Route requests to a version; the new weights, and the versions that get none any more."""
    from noria.serving import Routes, write_routes

    folder = ctx.workspace.serving / project.endpoint.name
    before = _routed(ctx, project)
    others = {other: share for other, share in before.items() if other != version and share > 0}
    share = project.endpoint.canary if promote == "canary" and others else 1.0
    weights = {other: (1 - share) * part / sum(others.values()) for other, part in others.items()} if share < 1 else {}
    weights[version] = share
    write_routes(folder, Routes(weights))
    return weights, sorted(set(others) - set(weights))


def _events(project: Project, facts: Mapping[str, Any], retired: list[str]) -> Iterator[dict[str, Any]]:
    """What the ledger is told; each names the version and the endpoint, so that lineage finds it."""
    version, endpoint = facts["version"], project.endpoint.name
    subject = model_reference(endpoint, version)
    about = {"endpoint": endpoint, "version": version}
    for finding in facts["findings"]:
        kind = "gate.passed" if finding["passed"] else "gate.failed"
        yield {"kind": kind, "subject": f"gate:{finding['gate']}", "inputs": [subject], "body": {**finding, **about}}
    because = facts["because"]
    if facts["promoted"]:
        body = {**about, "text": because, "weights": facts["weights"]}
        yield {"kind": "version.promoted", "subject": subject, "body": body}
        for other in retired:
            body = {"endpoint": endpoint, "version": other, "text": f"{version} takes its requests"}
            yield {"kind": "version.retired", "subject": model_reference(endpoint, other), "body": body}
    elif not facts["waiting"]:
        failed = [finding["gate"] for finding in facts["findings"] if not finding["passed"]]
        yield {"kind": "version.refused", "subject": subject, "body": {**about, "text": because, "failed": failed}}
