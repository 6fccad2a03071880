import contextlib
import sys
from pathlib import Path

from noria.cli.summary import LINES, summary
from noria.cost import totals
from noria.ledger import open_ledger
from noria.plan import Plan
from noria.run import RunResult
from noria.steps import Outcome

sys.path.insert(0, str(Path(__file__).parent.parent / "run"))
from fake_life import PROJECT, workspace_in

INTERVAL = {"value": 0.5, "low": 0.45, "high": 0.55}


def ingested(read, *verdicts):
    named = ("rule", "on_fail", "failed")
    quarantined = sum(verdict[2] for verdict in verdicts if verdict[1] == "quarantine")
    return Outcome(
        facts={
            "read": read,
            "quarantined": quarantined,
            "reasons": {rule: failed for rule, on_fail, failed in verdicts if on_fail == "quarantine"},
            "verdicts": [dict(zip(named, one, strict=True)) for one in verdicts],
        }
    )


OUTCOMES = {
    "ingest:small": ingested(10),
    "ingest:flights": ingested(
        336_776,
        ("key", "warn", 9),
        ("far", "quarantine", 1),
        ("tail", "warn", 50),
        ("air", "quarantine", 3),
        ("x", "warn", 0),
    ),
    "training-set": Outcome(facts={"rows": 1000, "features": [1, 2], "unlabelled": 17}),
    "train": Outcome(facts={"chosen": "LightGBM", "why": "LightGBM has the best average precision: 0.5, against 0.4"}),
    "evaluate": Outcome(facts={"score": INTERVAL, "baseline": INTERVAL, "difference": None}),
    "package": Outcome(facts={"version": "abcdef", "bytes": 2_500_000}),
    "gates": Outcome(
        facts={
            "promoted": False,
            "waiting": False,
            "findings": [
                {"gate": "Latency", "passed": True, "text": ""},
                {"gate": "BeatsBaseline", "passed": False, "text": "not surely better"},
            ],
        }
    ),
    "rehearse": Outcome(
        facts={
            "start": "2013-12-01T00:00:00+00:00",
            "end": "2014-01-01T00:00:00+00:00",
            "metric": "roc_auc",
            "questions": 28_135,
            "requests": 20_000,
            "p50_ms": 1.5,
            "p99_ms": 4.25,
            "alarms": [{"monitor": "Drift", "text": "2 of 9 features moved"}] * 3,
            "retrainings": [{"passed": True}, {"passed": False}],
            "cost": {"currency": "EUR", "retraining": 0.01},
            "overall": {"score_frozen": 0.6, "score_retrained": 0.65, "difference": INTERVAL},
        }
    ),
}


def lines(folder, outcomes, executed=("a",)):
    workspace = workspace_in(folder)
    result = RunResult("r1", executed, outcomes, 12.34, 0.1)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        return summary(Plan(PROJECT, ()), result, workspace, ledger)


def test_a_whole_project(tmp_path):
    assert lines(tmp_path, OUTCOMES) == [
        "fake: 1 step run in 12.3 s (run r1)",
        "rows         flights: 336,776 read, 4 quarantined (3 quarantine air; 1 quarantine far; 50 warn tail; 1 more)",
        "rows         small: 10 read, 0 quarantined",
        "training set 1,000 rows, 2 features, 17 without an answer",
        "model        LightGBM has the best average precision: 0.5, against 0.4",
        "sealed test  average_precision 0.500 [0.450, 0.550], baseline 0.500 [0.450, 0.550], difference undefined",
        "version      abcdef, 2.50 MB, signed",
        "rehearsal    2013-12-01 to 2014-01-01: 28,135 questions in 20,000 requests, p50 1.50 ms, p99 4.25 ms",
        "alarms       3 Drift; first drift: 2 of 9 features moved",
        "retrainings  2, 1 passed the gates, 0.0100 EUR",
        "             roc_auc 0.650 with retraining, 0.600 without, difference 0.500 [0.450, 0.550]",
        "gates        refused, 1 of 2 passed: Latency",
        "not passed   BeatsBaseline: not surely better",
        lines(tmp_path, OUTCOMES)[-1],
    ]


def test_parts_that_a_project_does_not_have_are_left_out(tmp_path):
    said = lines(tmp_path, {}, executed=())
    assert said[0] == "fake: nothing is new, no step was run"
    assert len(said) == 2


def test_it_never_takes_more_lines_than_fit(tmp_path):
    many = {f"ingest:s{number}": ingested(number) for number in range(50)}
    findings = [{"gate": f"g{number}", "passed": False, "text": "no"} for number in range(50)]
    gates = {"gates": Outcome(facts={"promoted": False, "waiting": False, "findings": findings})}
    workspace_in(tmp_path).report.touch()
    said = lines(tmp_path, {**many, **gates})
    assert len(said) == LINES
    assert said[-1].endswith("report.html")
    assert said[-2].startswith("cost")


def test_what_was_spent_is_what_noria_cost_says_failed_steps_too(tmp_path):
    with contextlib.closing(open_ledger(workspace_in(tmp_path).ledger)) as ledger:
        for kind, money in (("step.finished", 0.5), ("step.failed", 0.25), ("step.finished", 0.125)):
            ledger.append(kind, "a", run="r1", body={"key": str(money), "cost": money})
        ledger.append("step.failed", "b", run="r1", body={"key": "k"})  # it died without a word
        spent = sum(totals(ledger.events()).values())
    assert spent == 0.875
    assert "0.8750 since the beginning" in lines(tmp_path, {})[-1]
