"""Bad input and a machine that lacks something: one clear error with its code, and nothing half-written."""

import contextlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from noria import ingest
from noria.declarations import load_project
from noria.ledger import open_ledger
from noria.plan import plan_steps
from noria.run import execute
from noria.steps import Outcome
from noria.workspace import workspace_of

HEADER = "parcel,depot,courier,distance_km,weight_kg,sent,promised,delivered"
ROW = "p1,north,c01,1.5,2.0,2025-01-01 07:00:00,2025-01-01 08:00:00,2025-01-01 07:30:00"


def noria(*arguments, **given):
    command = [sys.executable, "-c", "from noria.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **given)


def refused(project_file: Path, *codes: int, **given) -> str:
    """What a run says that ends with one of these codes; the workspace holds nothing of the bad table."""
    done = noria("run", project_file, **given)
    said = done.stderr
    assert done.returncode in codes, said
    assert "Traceback" not in said
    assert "does not know" not in said
    assert "mend:" in said
    workspace = workspace_of(project_file)
    assert not list((workspace.root / "lake").glob("parcels/_delta_log/*.json"))
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        assert ledger.verify() == []
        assert not list(ledger.events(kind="step.finished", subject="ingest:parcels"))
    return said


def write(project_file: Path, content: bytes | str) -> Path:
    path = project_file.parent / "data" / "parcels.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_file_that_is_not_there(project_file):
    path = write(project_file, "")
    path.unlink()
    assert "parcels.csv" in refused(project_file, 3)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(project_file):
    write(project_file, HEADER).chmod(0)
    assert "parcels.csv" in refused(project_file, 3, 8)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        (HEADER + "\n", "row"),
        (HEADER.replace(",weight_kg", "") + "\n" + ROW.replace(",2.0", "") + "\n", "weight_kg"),
        (f"{HEADER}\n{ROW}\n".replace("north", "k\xf6ln").encode("latin-1"), "UTF-8"),
        (b"\x00\x01\x02" * 1000, "parcels.csv"),
    ],
)
def test_a_file_that_is_wrong(project_file, content, said):
    write(project_file, content)
    text = refused(project_file, 3)
    assert said.lower() in text.lower()
    assert "parcels" in text


def test_a_line_of_100_megabytes(project_file):
    write(project_file, f"{HEADER}\n{ROW}\n" + "x" * (100 << 20))
    refused(project_file, 3)


def ingested(project_file: Path) -> Outcome:
    """What a run's first steps leave."""
    project, workspace = load_project(project_file), workspace_of(project_file)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        plan = plan_steps(project, ingest.steps(project, project_file.parent), workspace, ledger)
        return execute(plan, workspace, ledger).outcomes["ingest:parcels"]


def with_weight(project_file: Path, odd: str) -> None:
    path = project_file.parent / "data" / "parcels.csv"
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace(lines[1].split(",")[4], odd)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("odd", ["1" + "0" * 400, "1e400", "ünï\u202ecode", "heavy"])
def test_a_value_that_is_no_number_of_its_column_is_named(project_file, odd):
    with_weight(project_file, odd)
    said = refused(project_file, 3)
    assert "row 1, weight_kg" in said
    assert odd[:100] in said


@pytest.mark.parametrize(("odd", "aside"), [("NaN", 1), ("-inf", 1), ("1e-400", 0)])
def test_an_odd_number_is_one_bad_row_or_none(project_file, odd, aside):
    before = ingested(project_file).facts["quarantined"]
    with_weight(project_file, odd)
    assert ingested(project_file).facts["quarantined"] == before + aside


def test_a_link_to_nothing(project_file):
    path = write(project_file, "")
    path.unlink()
    path.symlink_to(path.with_name("nothing.csv"))
    assert "no such file" in refused(project_file, 3)


@pytest.mark.parametrize("planted", ["delivered", "late"])
def test_a_leak_is_refused_before_anything_is_read_in(project_file, planted):
    text = project_file.read_text()
    project_file.write_text(text.replace('"depot": "depot"}', f'"depot": "depot", "leak": "{planted} IS NULL"}}'))
    done = noria("plan", project_file)
    assert done.returncode == 2, done.stderr
    assert planted in done.stderr
    assert not (project_file.parent / ".noria" / "lake").exists()


def test_a_full_disk(project_file):
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    assert "disk is full" in refused(project_file, 8, preexec_fn=limited)
    assert ingested(project_file).facts["read"] == 6900


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_disk_that_fills_up(project_file, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk]
    mounted = subprocess.run(mount, check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine does not let root mount")
    try:
        done = noria("run", project_file, env={**os.environ, "NORIA_WORKSPACE": str(disk / "noria")})
        assert done.returncode == 8, done.stderr
        assert "disk" in done.stderr
        assert "Traceback" not in done.stderr
        subprocess.run(["mount", "-o", "remount,size=500m", disk], check=True)
        again = noria("run", project_file, env={**os.environ, "NORIA_WORKSPACE": str(disk / "noria")})
        assert again.returncode == 0, again.stderr
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


def test_two_runs_at_once(project_file):
    first = subprocess.Popen([sys.executable, "-c", "from noria.cli import main; main()", "run", project_file],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    lock = project_file.parent / ".noria" / "lock"
    while not (lock.exists() and lock.read_text()):
        pass
    second = noria("run", project_file, "--wait", "0")
    assert second.returncode == 7
    assert f"process {first.pid} (noria run)" in second.stderr
    third = noria("run", project_file, "--wait", "200")
    assert first.wait() == 0
    assert third.returncode == 0
    assert "no step was run" in third.stdout
