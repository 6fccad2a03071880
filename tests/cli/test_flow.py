import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from conftest import noria


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
