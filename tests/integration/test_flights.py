"""The example, from files to a served, watched and retrained model: what the README's first command promises."""

import contextlib
import html
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from noria.ledger import open_ledger

NORIA = [sys.executable, "-c", "from noria.cli import main; main()"]


def noria(workspace: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*NORIA, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env={**os.environ, "NORIA_WORKSPACE": str(workspace), "NO_COLOR": "1"},
    )


@pytest.fixture(scope="module")
def example() -> Path:
    return Path(__file__).parents[2] / "examples" / "flights"


@pytest.fixture(scope="module")
def lived(tmp_path_factory, example) -> tuple[Path, str]:
    """A workspace in which the example was run once, and what the run said last."""
    workspace = tmp_path_factory.mktemp("flights") / "workspace"
    done = noria(workspace, "run", str(example))
    assert done.returncode == 0, done.stderr
    return workspace, done.stdout


@pytest.fixture(scope="module")
def events(lived) -> list:
    with contextlib.closing(open_ledger(f"sqlite:///{lived[0]}/ledger.db")) as ledger:
        assert ledger.verify() == []
        return list(ledger.events())


@pytest.fixture(scope="module")
def facts(events) -> dict:
    """What each step left."""
    return {event.subject: event.body["outcome"]["facts"] for event in events if event.kind == "step.finished"}


def test_the_example_is_under_sixty_lines(example):
    assert len((example / "project.py").read_text(encoding="utf-8").splitlines()) < 60


def test_the_summary_says_what_matters_in_25_lines(lived):
    lines = lived[1].splitlines()
    assert len(lines) <= 25
    for said in ("rows", "quarantined", "model", "sealed test", "gates", "p50", "p99", "alarms", "retrainings", "cost"):
        assert said in lived[1], said
    assert lines[-1].endswith("report.html")
    assert Path(lines[-1].split()[-1]).is_file()


def test_with_nothing_new_no_step_is_run(lived, example, events):
    again = noria(lived[0], "run", str(example))
    assert "nothing is new, no step was run" in again.stdout
    with contextlib.closing(open_ledger(f"sqlite:///{lived[0]}/ledger.db")) as ledger:
        assert len(list(ledger.events())) == len(events)


def test_flights_without_an_arrival_are_counted_and_never_trained_on(facts):
    # 9,430 of the files' flights have no arrival delay (8,255 never left, the others were diverted); one of them never
    # flew its 17 miles and is in quarantine.
    assert facts["ingest:flights"]["read"] == 336_776
    assert facts["training-set"]["unlabelled"] == 9_429
    assert facts["training-set"]["labelled"] == 336_776 - 9_430
    assert sum(facts["train"]["rows"][part] for part in ("train", "validate")) <= facts["training-set"]["labelled"]


def test_what_was_served_in_december_is_what_training_says(facts):
    parity = facts["rehearse"]["parity"]
    assert parity["rows"] == facts["rehearse"]["questions"] == 28_167
    assert parity["mismatches"] == 0


def test_the_model_is_surely_better_than_the_baseline(facts):
    assert facts["evaluate"]["difference"]["low"] > 0
    assert facts["gates"]["promoted"]


def test_the_sealed_rows_are_opened_once_a_version(events):
    opened = [event.body["model"] for event in events if event.kind == "sealed.opened"]
    assert len(opened) == len(set(opened)) == 1


def test_the_month_is_compared_with_and_without_retraining(facts):
    rehearsal = facts["rehearse"]
    assert len(rehearsal["days"]) == 31
    assert rehearsal["retrainings"]
    assert rehearsal["alarms"]
    assert rehearsal["cost"]["retraining"] > 0
    for made in rehearsal["retrainings"]:
        assert {finding["gate"] for finding in made["findings"]} == {
            finding["gate"] for finding in facts["gates"]["findings"]
        }


def test_why_names_data_commit_gates_people_and_cost(lived, example, facts):
    why = noria(lived[0], "why", "late", "--project", str(example)).stdout
    assert facts["package"]["version"] in why
    for said in ("table:flights@", "table:weather@", "cost", "BeatsBaseline", "evidence alone decides"):
        assert said in why, why


def test_the_report_needs_no_network(lived):
    page = (lived[0] / "report.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in html.unescape(page)
    assert "<script" not in page


def test_it_is_served(lived, example):
    process = subprocess.Popen(
        [*NORIA, "serve", str(example), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "NORIA_WORKSPACE": str(lived[0])},
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split(" on ")[1].split()[0]
        row = {"carrier": "UA", "origin": "EWR", "dest": "IAH", "tailnum": "N14228", "distance": 1400}
        asked = {"rows": [{**row, "scheduled": "2013-12-31T20:00:00Z"}]}
        answer = ask(url, asked)["predictions"][0]
        assert 0 < answer["probability"] < 1
        with pytest.raises(urllib.error.HTTPError, match="421"):
            ask(url, asked, Host="evil.example")
        told = noria(lived[0], "why", answer["id"], "--project", str(example))
        deadline = time.monotonic() + 10
        while told.returncode and time.monotonic() < deadline:  # the log is written off the request path
            told = noria(lived[0], "why", answer["id"], "--project", str(example))
        assert answer["version"] in told.stdout, told.stderr
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def ask(url: str, body: dict, **headers: str) -> dict:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def test_a_planted_leak_is_refused_with_the_reason(tmp_path, example):
    text = (example / "project.py").read_text(encoding="utf-8")
    planted = text.replace('"distance": "distance",', '"distance": "distance", "left_late": "dep_delay",')
    assert planted != text
    (tmp_path / "project.py").write_text(planted, encoding="utf-8")
    done = noria(tmp_path / "workspace", "plan", str(tmp_path))
    assert done.returncode == 2
    assert "dep_delay is known only at 'landed' + 4h, but the question is asked at scheduled" in done.stderr
    assert "project.py" in done.stderr
    assert "features.left_late" in done.stderr
