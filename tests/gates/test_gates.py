import pytest

from noria.core import DeclarationError, ToldClock
from noria.declarations import Endpoint, Member, Project, Search, Source, Spine, Team, TimeSplit
from noria.gates import (
    Approval,
    BeatsBaseline,
    ContractKept,
    Evidence,
    GeneralisationGap,
    NoWorseSlice,
    Parity,
    steps,
)
from noria.ledger import open_ledger
from noria.steps import Outcome, StepContext
from noria.team import approve
from noria.workspace import Workspace

SPLIT = TimeSplit(train_until="2013-01-01", validate_until="2013-02-01", test_until="2013-03-01")
TEAM = Team([Member("ann", ["expert"])])
VERSION = "0a1b2c3d4e5f"


def project(*gates, slices=("carrier",), team=TEAM):
    return Project(
        "p", spine=Spine(Source("rows", "rows.csv"), time="t", label="l"), team=team, gates=gates,
        search=Search("binary", split=SPLIT, slices=slices), endpoint=Endpoint("late"),
    )  # fmt: skip


def interval(value, low, high):
    return {"value": value, "low": low, "high": high}


def part(value, rows, score=0.5, baseline=(0.2, 0.1, 0.3)):
    if score is None:
        return {"value": value, "rows": rows, "score": None, "baseline": None}
    return {"value": value, "rows": rows, "score": interval(score, score, score), "baseline": interval(*baseline)}


def outcomes(*, evaluation=(), ingest=()):
    return {
        "ingest:rows": Outcome({}, {"read": 1000, "kept": 995, "quarantined": 5, "verdicts": [], **dict(ingest)}),
        "training-set": Outcome(),
        "train": Outcome(),
        "evaluate": Outcome({}, {
            "score": interval(0.5, 0.48, 0.52), "baseline": interval(0.3, 0.28, 0.32),
            "difference": interval(0.2, 0.17, 0.23), "skill": 0.36, "validation_skill": 0.4,
            "slices": {"carrier": [part("UA", 900), part("AA", 50)]}, **dict(evaluation),
        }),
        "package": Outcome({"package": "file:packages/x"}, {"version": VERSION}),
    }  # fmt: skip


@pytest.fixture
def workspace(tmp_path):
    return Workspace(
        root=tmp_path, project_file=tmp_path / "project.py", ledger=f"sqlite:///{tmp_path}/ledger.db",
        lake=f"file://{tmp_path}/lake", online=f"lmdb:///{tmp_path}/online", registry=f"sqlite:///{tmp_path}/mlflow.db",
    )  # fmt: skip


@pytest.fixture
def ledger(workspace):
    ledger = open_ledger(workspace.ledger)
    yield ledger
    ledger.close()


@pytest.fixture
def check(workspace, ledger):
    def check(gate, **facts):
        return gate.check(Evidence(VERSION, project(gate), workspace, ledger, outcomes(**facts)))

    return check


@pytest.mark.parametrize(("margin", "passed"), [(0.0, True), (0.169, True), (0.17, False), (0.19, False)])
def test_the_interval_and_not_the_point_must_beat_the_margin(check, margin, passed):
    finding = check(BeatsBaseline(margin=margin))
    assert finding.passed is passed
    assert finding.facts["difference"] == interval(0.2, 0.17, 0.23)


def test_a_better_point_with_a_wide_interval_is_not_enough(check):
    finding = check(BeatsBaseline(), evaluation={"difference": interval(0.2, -0.01, 0.4)})
    assert not finding.passed
    assert "not surely" in finding.text


@pytest.mark.parametrize(("skill", "passed"), [(0.4, True), (0.33, True), (0.31, False), (0.5, True), (-0.1, False)])
def test_skill_may_fall_a_little(check, skill, passed):
    assert check(GeneralisationGap(limit=0.2), evaluation={"skill": skill}).passed is passed


def test_a_model_without_skill_on_validation_generalises_nothing(check):
    assert not check(GeneralisationGap(limit=0.9), evaluation={"validation_skill": 0.0, "skill": 0.0}).passed


def test_a_slice_below_the_baselines_interval_fails(check):
    slices = {"carrier": [part("UA", 900), part("B6", 800, score=0.09), part("AA", 700, score=0.1)]}
    finding = check(NoWorseSlice("carrier"), evaluation={"slices": slices})
    assert not finding.passed
    assert [worse["value"] for worse in finding.facts["worse"]] == ["B6"]
    assert "B6" in finding.text


def test_small_and_unscored_slices_are_counted_and_not_judged(check):
    slices = {"carrier": [part("UA", 900), part("B6", 50, score=0.0), part("", 900, score=None)]}
    finding = check(NoWorseSlice("carrier"), evaluation={"slices": slices})
    assert finding.passed
    assert (finding.facts["judged"], finding.facts["too_few"]) == (1, 2)
    assert not check(NoWorseSlice("carrier", rows=1000), evaluation={"slices": slices}).passed


def test_slices_that_the_search_does_not_score_are_refused():
    with pytest.raises(DeclarationError, match="scores no slices"):
        steps(project(NoWorseSlice("dest")))


def test_a_contract_is_kept_up_to_a_share_of_quarantine(check):
    assert check(ContractKept(quarantined=0.005)).passed
    finding = check(ContractKept(quarantined=0.004))
    assert not finding.passed
    assert "rows: 0.50%" in finding.text


def test_a_broken_rule_fails_and_a_warning_does_not(check):
    def verdict(on_fail):
        return {"rule": "between(distance)", "on_fail": on_fail, "failed": 3}

    assert check(ContractKept(), ingest={"verdicts": [verdict("warn"), verdict("quarantine")]}).passed
    finding = check(ContractKept(), ingest={"verdicts": [verdict("fail")]})
    assert not finding.passed
    assert "between(distance)" in finding.text


def test_an_approval_waits_for_a_person_and_says_how(check, ledger):
    finding = check(Approval("expert"))
    assert (finding.passed, finding.facts["waiting"]) == (False, True)
    assert f"noria approve {VERSION}" in finding.text
    ledger.append("version.packaged", f"model:late@{VERSION}", body={"version": VERSION})
    approve(ledger, TEAM, "expert", VERSION, "looks right", actor="ann")
    finding = check(Approval("expert"))
    assert finding.passed
    assert finding.text == "ann (expert) approved: looks right"
    approve(ledger, TEAM, "expert", VERSION, "no", actor="ann", refuse=True)
    finding = check(Approval("expert"))
    assert not finding.passed
    assert "waiting" not in finding.facts


def test_four_eyes_are_two_people(check, ledger):
    both = Team([Member("ann", ["expert"]), Member("bob", ["expert"])])
    ledger.append("version.packaged", f"model:late@{VERSION}", actor="ann", body={"version": VERSION})
    approve(ledger, both, "expert", VERSION, "my own work", actor="ann")
    assert check(Approval("expert")).passed
    alone = check(Approval("expert", four_eyes=True))
    assert (alone.passed, alone.facts["waiting"], alone.facts["actor"]) == (False, True, "ann")
    assert "another expert" in alone.text
    approve(ledger, both, "expert", VERSION, "checked by me", actor="bob")
    assert check(Approval("expert", four_eyes=True)).passed
    ledger.append("version.packaged", f"model:late@{VERSION}", actor="bob", body={"version": VERSION})  # made again
    assert not check(Approval("expert", four_eyes=True)).passed


def test_a_refusal_stands_whoever_says_it(check, ledger):
    ledger.append("version.packaged", f"model:late@{VERSION}", actor="ann", body={"version": VERSION})
    approve(ledger, TEAM, "expert", VERSION, "not good enough", actor="ann", refuse=True)
    finding = check(Approval("expert", four_eyes=True))
    assert (finding.passed, finding.facts.get("waiting")) == (False, None)
    assert "refused: not good enough" in finding.text


def test_an_approval_of_another_version_or_role_says_nothing(check, ledger):
    team = Team([Member("ann", ["expert", "lawyer"])])
    for version in (VERSION, "ffffffffffff"):
        ledger.append("version.packaged", f"model:late@{version}", body={"version": version})
    approve(ledger, team, "expert", "ffffffffffff", "another one", actor="ann")
    approve(ledger, team, "lawyer", VERSION, "another hat", actor="ann")
    assert check(Approval("expert")).facts["waiting"]


def test_a_waiver_is_its_own_evidence(check):
    finding = check(Approval("expert", waived="nobody to ask"))
    assert finding.passed
    assert finding.facts["waived"] == "nobody to ask"


def test_a_role_that_nobody_has_is_refused():
    with pytest.raises(DeclarationError, match="nobody in the team"):
        steps(project(Approval("pilot")))
    steps(project(Approval("pilot", waived="it is a test"), team=Team()))


def run_gates(workspace, *gates, promote="all", **facts):
    (step,) = steps(project(*gates), promote=promote)
    clock = ToldClock(workspace.root / "clock")
    return step.function(StepContext(workspace, "key", outcomes(**facts), clock=clock))


def kinds(outcome):
    return [event["kind"] for event in outcome.events]


def test_all_gates_are_asked_and_one_that_fails_refuses(workspace):
    outcome = run_gates(workspace, BeatsBaseline(margin=0.5), ContractKept())
    assert kinds(outcome) == ["gate.failed", "gate.passed", "version.refused"]
    assert outcome.facts["promoted"] is False
    assert [finding["gate"] for finding in outcome.facts["findings"]] == ["BeatsBaseline", "ContractKept"]
    assert outcome.facts["findings"][0]["parameters"] == {"margin": 0.5}
    assert outcome.outputs == {}
    assert not (workspace.serving / "late").exists()


def test_without_a_gate_there_is_no_evidence_and_no_promotion(workspace):
    outcome = run_gates(workspace)
    assert kinds(outcome) == ["version.refused"]
    assert (outcome.facts["promoted"], outcome.facts["waiting"]) == (False, False)
    assert "declares no gate" in outcome.facts["because"]
    assert outcome.outputs == {}
    assert not (workspace.serving / "late").exists()


GATES = [BeatsBaseline(), GeneralisationGap(limit=0.2), NoWorseSlice("carrier"), ContractKept(quarantined=0.005)]
BAD = {
    "BeatsBaseline": {"evaluation": {"difference": interval(0.1, -0.1, 0.3)}},
    "GeneralisationGap": {"evaluation": {"skill": 0.1}},
    "NoWorseSlice": {"evaluation": {"slices": {"carrier": [part("UA", 900, score=0.0)]}}},
    "ContractKept": {"ingest": {"quarantined": 6}},
}


@pytest.mark.parametrize("bad", BAD)
def test_one_gate_that_fails_is_enough_and_the_live_version_stays(workspace, bad):
    from noria.serving import Routes, read_routes, write_routes

    write_routes(workspace.serving / "late", Routes({"old": 1.0}))
    outcome = run_gates(workspace, *GATES, **BAD[bad])
    assert dict(read_routes(workspace.serving / "late").weights) == {"old": 1.0}
    assert [finding["gate"] for finding in outcome.facts["findings"] if not finding["passed"]] == [bad]
    assert outcome.events[-1]["body"]["failed"] == [bad]
    assert bad in outcome.facts["because"]


def test_every_event_says_which_version_of_which_endpoint(workspace):
    from noria.serving import Routes, write_routes

    write_routes(workspace.serving / "late", Routes({"old": 1.0}))
    events = run_gates(workspace, *GATES).events
    *gates, promoted, retired = events
    assert [event["kind"] for event in gates] == ["gate.passed"] * len(GATES)
    for event in (*gates, promoted):
        assert (event["body"]["endpoint"], event["body"]["version"]) == ("late", VERSION)
    assert promoted["subject"] == f"model:late@{VERSION}"
    assert (retired["subject"], retired["body"]["version"]) == ("model:late@old", "old")
    refused = run_gates(workspace, *GATES, **BAD["BeatsBaseline"]).events[-1]
    assert (refused["kind"], refused["body"]["version"], refused["body"]["endpoint"]) == (
        "version.refused", VERSION, "late",
    )  # fmt: skip


def test_the_ledger_keeps_the_evidence_and_lineage_finds_it(workspace, ledger):
    from noria.ledger.lineage import why

    ledger.append("version.packaged", f"model:late@{VERSION}", body={"version": VERSION, "name": "late"})
    for event in run_gates(workspace, *GATES).events:
        ledger.append(event["kind"], event["subject"], inputs=tuple(event.get("inputs", ())), body=event["body"])
    found = why(ledger, "late")
    assert found.version == VERSION
    told = {event.subject for event in found.decisions}
    assert {"gate:BeatsBaseline", "gate:ContractKept", f"model:late@{VERSION}"} <= told
    kept = next(event for event in ledger.events(kind="gate.passed") if event.subject == "gate:BeatsBaseline")
    assert kept.body["facts"]["difference"] == interval(0.2, 0.17, 0.23)
    assert ledger.verify() == []


def test_a_version_that_passes_gets_all_requests(workspace):
    from noria.serving import Routes, read_routes, write_routes

    write_routes(workspace.serving / "late", Routes({"old": 1.0}))
    outcome = run_gates(workspace, BeatsBaseline())
    assert kinds(outcome) == ["gate.passed", "version.promoted", "version.retired"]
    assert dict(read_routes(workspace.serving / "late").weights) == {VERSION: 1.0}
    assert outcome.outputs == {"routes": "file:serving/late/routes.json"}


def test_a_canary_gets_its_share_beside_the_old_version(workspace):
    from noria.serving import Routes, read_routes, write_routes

    assert run_gates(workspace, BeatsBaseline(), promote="canary").facts["weights"] == {VERSION: 1.0}  # nobody is there
    write_routes(workspace.serving / "late", Routes({"old": 1.0}))
    outcome = run_gates(workspace, BeatsBaseline(), promote="canary")
    assert dict(read_routes(workspace.serving / "late").weights) == pytest.approx({"old": 0.9, VERSION: 0.1})
    assert kinds(outcome) == ["gate.passed", "version.promoted"]


def test_waiting_is_not_refused_and_a_decision_changes_the_key(workspace, ledger):
    gates = (BeatsBaseline(), Approval("expert"))
    outcome = run_gates(workspace, *gates)
    assert kinds(outcome) == ["gate.passed", "gate.failed"]
    assert outcome.facts["waiting"]
    (before,) = steps(project(*gates), ledger)
    ledger.append("version.packaged", f"model:late@{VERSION}", body={"version": VERSION})
    approve(ledger, TEAM, "expert", VERSION, "looks right", actor="ann")
    (after,) = steps(project(*gates), ledger)
    assert before.fingerprint != after.fingerprint
    assert run_gates(workspace, *gates).facts["promoted"]


def test_decisions_are_no_part_of_the_key_where_nobody_is_asked(ledger):
    waived = project(Approval("expert", waived="it is a test"), Parity())
    ledger.append("version.packaged", f"model:late@{VERSION}", body={"version": VERSION})
    (before,) = steps(waived, ledger)
    approve(ledger, TEAM, "expert", VERSION, "looks right", actor="ann")
    (after,) = steps(waived, ledger)
    assert before.fingerprint == after.fingerprint == ""
