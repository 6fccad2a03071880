import contextlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from conftest import noria
from noria.ledger import open_ledger
from noria.workspace import workspace_of


def test_the_flow_of_the_last_run(lived):
    done = noria("flow", lived)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("run ")
    assert lines[0].endswith(": finished")
    assert lines[1].split() == ["step", "rows", "in", "rows", "out", "read", "written", "time", "queued"]
    steps = {line.split()[1] for line in lines[2:-1]}
    assert {"ingest:parcels", "training-set", "train", "gates", "report"} <= steps
    assert lines[-1].startswith("bottleneck: ")
    [parcels] = [line.split() for line in lines if " ingest:parcels " in line and "bottleneck" not in line]
    assert parcels[2:4] == ["6,900", "6,877"]


def test_as_json(lived):
    found = json.loads(noria("flow", lived, "--json").stdout)
    assert noria("flow", lived, "--run", found["run"]).returncode == 0
    assert all(stage["seconds"] > 0 for stage in found["stages"])


def test_what_was_not_run_has_no_flow(made_project, tmp_path, lived):
    done = noria("flow", made_project, NORIA_WORKSPACE=tmp_path / "w")
    assert done.returncode == 1
    assert "nothing was run yet" in done.stderr
    done = noria("flow", lived, "--run", "nope")
    assert done.returncode == 1
    assert "no such run" in done.stderr


def test_an_odd_run_ends_with_its_own_code_and_says_why(own):
    with contextlib.closing(open_ledger(workspace_of(own).ledger)) as ledger:
        [last] = ledger.events(kind="step.finished", subject="ingest:parcels")
        body = json.loads(json.dumps(last.body))
        body["key"], body["outcome"]["facts"]["load"]["read"] = "0" * 32, 1_000_000
        for number in range(7):
            ledger.append("step.finished", "ingest:parcels", run=f"older{number}", body=body)
    file = own / "data" / "parcels.csv"
    file.write_text(file.read_text() + file.read_text().splitlines()[-1] + "\n")
    done = noria("run", own, "--until", "ingest:parcels")
    assert done.returncode == 9, done.stderr
    text = "ingest:parcels read 6,901 rows, where 1,000,000 are usual"
    assert done.stdout.splitlines()[1] == f"alarm        {text}"
    assert f"alarm: {text}" in noria("flow", own).stdout.splitlines()
    again = noria("run", own, "--until", "ingest:parcels")
    assert again.returncode == 0
    assert "alarm " not in again.stdout
