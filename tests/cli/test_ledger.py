import contextlib
import json
import sqlite3
import sys
from pathlib import Path

import pytest
from openlineage.client.event_v2 import RunState

from noria.ledger import KINDS, open_ledger
from noria.workspace import workspace_of

sys.path.insert(0, str(Path(__file__).parent))
from conftest import noria


def lines(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def version_of(folder):
    with contextlib.closing(open_ledger(workspace_of(folder).ledger)) as ledger:
        return next(ledger.events(kind="version.packaged")).body["version"]


def test_the_log_has_every_event_in_order(lived):
    told = lines(noria("log", lived))
    assert [int(line.split()[0]) for line in told] == list(range(1, len(told) + 1))
    assert {line.split()[3] for line in told} <= set(KINDS)
    assert all(line.endswith("(ann)") for line in told)
    assert any("gate.failed" in line and "waits for a expert" in line for line in told)


def test_what_was_spent_is_the_same_by_step_and_by_tag(lived):
    by_step = lines(noria("cost", lived))
    assert {"train", "package"} <= {line.split()[-1] for line in by_step}
    by_tag = lines(noria("cost", lived, "--by", "team"))
    assert [line.split()[0] for line in by_tag if line.endswith("beginning")] == [
        line.split()[0] for line in by_step if line.endswith("beginning")
    ]
    assert any(line.endswith("USD  delivery") for line in by_tag)


def test_the_log_is_cut_to_what_is_asked(lived):
    whole = lines(noria("log", lived))
    gates = lines(noria("log", lived, "--kind", "gate.*"))
    assert gates == [line for line in whole if " gate." in line]
    assert lines(noria("log", lived, "--last", 3)) == whole[-3:]
    assert lines(noria("log", lived, "--last", 1, "--kind", "gate.*")) == gates[-1:]
    run = json.loads(lines(noria("log", lived, "--json"))[0])["run"]
    assert lines(noria("log", lived, "--run", run)) == whole


def test_the_log_as_json_is_the_events(lived):
    told = [json.loads(line) for line in lines(noria("log", lived, "--json"))]
    with contextlib.closing(open_ledger(workspace_of(lived).ledger)) as ledger:
        events = list(ledger.events())
    assert [(one["seq"], one["digest"], one["body"]) for one in told] == [(e.seq, e.digest, e.body) for e in events]


def test_the_log_as_openlineage_is_of_every_step(lived):
    told = [json.loads(line) for line in lines(noria("log", lived, "--openlineage"))]
    steps = lines(noria("log", lived, "--kind", "step.*"))
    assert len(told) == 2 * len(steps)
    assert {one["eventType"] for one in told} == {RunState.START.value, RunState.COMPLETE.value}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--kind", "gate.pased"), "did you mean 'gate.passed'?"),
        (("--run", "none"), "no such run"),
        (("--openlineage", "--last", "3"), "--openlineage"),
        (("--last", "0"), "--last"),
    ],
)
def test_a_log_that_cannot_be_is_refused(lived, arguments, said):
    done = noria("log", lived, *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_whole_ledger_is_verified(lived):
    first, second = lines(noria("verify", lived))
    digest = json.loads(lines(noria("log", lived, "--last", 1, "--json"))[0])["digest"]
    assert first.startswith("the ledger is whole: ")
    assert second.endswith(digest)


def test_one_flipped_byte_is_named_and_is_5(own):
    path = own / ".noria" / "ledger.db"
    data = bytearray(path.read_bytes())
    at = data.find(b"better by", data.find(b"gate:BeatsBaseline"))
    data[at] ^= 1
    path.write_bytes(data)
    done = noria("verify", own)
    assert done.returncode == 5
    assert "(gate.passed, gate:BeatsBaseline) was changed" in done.stdout
    assert "(gate.passed, gate:BeatsBaseline) was changed" in done.stderr


@pytest.mark.parametrize("ruin", ["cut", "head", "gone", "zeros"])
def test_a_ruined_ledger_is_5(own, ruin):
    path = own / ".noria" / "ledger.db"
    data = path.read_bytes()
    if ruin == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": data[:-4096], "head": b"x" + data[1:], "zeros": bytes(len(data))}[ruin])
    done = noria("verify", own)
    assert done.returncode == 5
    assert "Traceback" not in done.stderr


def test_many_faults_are_counted_not_listed(own):
    path = own / ".noria" / "ledger.db"
    with sqlite3.connect(path) as db:
        (trigger,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'no_UPDATE'").fetchone()
        db.execute("DROP TRIGGER no_UPDATE")
        changed = db.execute("UPDATE events SET actor = 'eve'").rowcount
        db.execute(trigger)
    db.close()
    done = noria("verify", own)
    assert done.returncode == 5
    told = done.stdout.splitlines()
    assert len(told) == 21
    assert told[0] == "event 1 (run.started, project:parcels) was changed"
    assert int(told[-1].split()[1]) >= changed - 20


def test_why_answers_what_made_it(lived):
    version = version_of(lived)
    told = lines(noria("why", version, "--project", lived))
    text = "\n".join(told)
    assert told[0] == f"version {version} of late, it gets no requests"
    for said in (
        "by ann",
        "run ",
        "declared ",
        "cost ",
        "table:parcels@0",
        "table:couriers@0",
        "sealed test",
        "BeatsBaseline",
    ):
        assert said in text, said
    for step in ("ingest:parcels", "training-set", "train", "evaluate", "package"):
        assert any(line.split()[2:3] == [step] for line in told), step
    assert "nobody has approved or refused it" in text
    assert max(map(len, told)) < 220


def test_why_as_json_says_the_same(lived):
    version = version_of(lived)
    told = json.loads(noria("why", version[:5], "--project", lived, "--json").stdout)
    assert told["version"] == version
    assert told["tables"] == ["table:couriers@0", "table:parcels@0"]
    assert told["facts"]["cost"] > 0
    assert told["prediction"] is None
    assert [event["kind"] for event in told["decisions"]][:2] == ["sealed.opened", "version.packaged"]


def test_why_of_a_prediction(own):
    version, log = version_of(own), own / ".noria" / "serving" / "late" / "log"
    log.mkdir(parents=True)
    logged = {"id": "p-1", "at": 1_742_000_000_000_000, "version": version, "probability": 0.25,
              "request": {"courier": "c03"}, "features": {"hour": 9.0, "depot": None}}  # fmt: skip
    (log / "00000001.jsonl").write_text('{"format":1}\n' + json.dumps(logged) + "\n")
    told = lines(noria("why", "p-1", "--project", own))
    assert told[0].startswith(f"p-1: version {version} of late")
    assert told[1] == "  answered  0.2500 at 2025-03-15 00:53:20 UTC"
    assert told[2] == "  request   courier c03"
    assert told[3] == "  features  hour 9, depot null"


def test_nothing_of_that_name_is_2(lived):
    done = noria("why", "nothing", "--project", lived)
    assert done.returncode == 2
    assert version_of(lived) in done.stderr


@pytest.mark.parametrize("command", [("log",), ("verify",), ("why", "late", "--project")])
def test_where_nothing_was_run_nothing_is_made(project_file, command):
    done = noria(*command, project_file.parent)
    assert done.returncode == 2
    assert "nothing was run here yet" in done.stderr
    assert not (project_file.parent / ".noria").exists()


def approve(folder, version, actor, *more, because="I looked at every slice", role="expert"):
    return noria(
        "approve", version, "--role", role, "--because", because, "--project", folder, *more, NORIA_ACTOR=actor
    )


def test_whoever_lacks_the_role_may_not_approve_even_what_they_made(own):
    for actor in ("ann", "mallory"):
        done = approve(own, version_of(own), actor)
        assert done.returncode == 6
        assert f"'{actor}' does not have the role 'expert'" in done.stderr
        assert "ask bob" in done.stderr
    assert "nobody has approved" in noria("why", version_of(own), "--project", own).stdout


def test_an_approval_lets_the_version_pass_and_is_part_of_why(own):
    version = version_of(own)
    assert (
        lines(approve(own, version[:6], "bob"))[0]
        == f"bob (expert) approved version {version}: I looked at every slice"
    )
    done = noria("run", own)
    assert done.returncode == 0, done.stderr
    told = noria("why", "late", "--project", own).stdout
    assert told.startswith(f"late: version {version} of late, it gets 100% of the requests")
    assert "bob approved, as expert: I looked at every slice" in told
    assert noria("verify", own).returncode == 0


def test_a_refusal_is_kept_too(own):
    version = version_of(own)
    assert "refused" in lines(approve(own, version, "bob", "--refuse", because="the harbour is wrong"))[0]
    assert "bob refused, as expert: the harbour is wrong" in noria("why", version, "--project", own).stdout
    assert approve(own, version, "bob", "--refuse").returncode == 2


@pytest.mark.parametrize(("version", "because"), [("ffffffff", "yes"), (None, " ")])
def test_a_decision_that_makes_no_sense_is_2(own, version, because):
    assert approve(own, version or version_of(own), "bob", because=because).returncode == 2
