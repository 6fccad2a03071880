"""``noria quarantine``: rows that were set aside are seen, and replayed exactly once, also through kills."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from noria import ingest
from noria.declarations import load_project
from noria.lake import open_lake
from noria.ledger import open_ledger
from noria.plan import outcome_of, plan_steps
from noria.run import execute
from noria.workspace import workspace_of

LIGHT = "weight_kg between 0 and 100"


def noria(*arguments):
    command = [sys.executable, "-c", "from noria.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def ingested(project_file) -> Path:
    workspace = workspace_of(project_file)
    project = load_project(project_file)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        execute(plan_steps(project, ingest.steps(project, project_file.parent), workspace, ledger), workspace, ledger)
    return project_file


def widened(project_file: Path) -> None:
    text = project_file.read_text()
    project_file.write_text(text.replace('nr.between("weight_kg", 0, 100', 'nr.between("weight_kg", -1, 100'))
    assert project_file.read_text() != text


def state(project_file: Path) -> tuple[list[int], list[int]]:
    """The numbers of the rows kept and set aside, as the ledger names them."""
    workspace = workspace_of(project_file)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        assert ledger.verify() == []
        outputs = outcome_of(
            next(ledger.events(kind="step.finished", subject="ingest:parcels", newest_first=True))
        ).outputs
    lake, found = open_lake(workspace.lake), []
    for name in ("table", "quarantine"):
        table, _, version = outputs[name].removeprefix("table:").rpartition("@")
        found.append(sorted(lake.read(table, int(version)).collect()["_row"].to_list()))
    return found[0], found[1]


def replays(project_file: Path) -> int:
    with contextlib.closing(open_ledger(workspace_of(project_file).ledger)) as ledger:
        return len(list(ledger.events(kind="quarantine.replayed")))


def test_rows_set_aside_are_counted_and_shown(ingested):
    _, aside = state(ingested)
    listed = noria("quarantine", "list", "--project", ingested)
    assert listed.returncode == 0, listed.stderr
    assert f"parcels: {len(aside)} of 6,900 rows set aside" in listed.stdout
    assert f"{len(aside)}  {LIGHT}" in listed.stdout
    assert "couriers: 0 of 12 rows set aside" in listed.stdout
    assert "couriers" not in noria("quarantine", "list", "parcels", "--project", ingested).stdout
    shown = noria("quarantine", "show", "parcels", "--most", 2, "--project", ingested)
    assert [line for line in shown.stdout.splitlines() if line.startswith("row ")] == [
        f"row {row}: {LIGHT}" for row in aside[:2]
    ]
    assert "weight_kg=-" in shown.stdout
    assert f"2 of {len(aside)} rows that parcels set aside" in shown.stdout
    assert "couriers set no row aside" in noria("quarantine", "show", "couriers", "--project", ingested).stdout


def test_a_source_that_is_not_there_or_was_never_ingested(project_file):
    wrong = noria("quarantine", "show", "parcel", "--project", project_file)
    assert wrong.returncode == 2
    assert "did you mean 'parcels'?" in wrong.stderr
    assert "parcels: not ingested yet" in noria("quarantine", "list", "--project", project_file).stdout
    early = noria("quarantine", "replay", "parcels", "--project", project_file)
    assert early.returncode == 2
    assert "noria run" in early.stderr


def test_rows_are_replayed_exactly_once(ingested):
    kept, aside = state(ingested)
    unchanged = noria("quarantine", "replay", "parcels", "--project", ingested)
    assert unchanged.returncode == 0, unchanged.stderr
    assert "nothing to replay" in unchanged.stdout
    widened(ingested)
    done = noria("quarantine", "replay", "parcels", "--project", ingested)
    assert done.returncode == 0, done.stderr
    after = state(ingested)
    assert sorted(after[0] + after[1]) == sorted(kept + aside)
    assert set(kept) < set(after[0])
    assert f"parcels: {len(aside)} rows were set aside, {len(after[1])} are; {len(after[0]):,} are kept" in done.stdout
    again = noria("quarantine", "replay", "parcels", "--project", ingested)
    assert "nothing to replay" in again.stdout
    assert state(ingested) == after
    assert replays(ingested) == 1


DYING = """
import os, signal, sys
import noria.lake.delta as delta
from noria.cli import main
left, when = int(sys.argv[1]), sys.argv[2]
write = delta.DeltaLake.write
def dying(self, *arguments, **fields):
    global left
    if when == "before" and left == 0:
        die()
    made = write(self, *arguments, **fields)
    if when == "after" and left == 0:
        die()
    left -= 1
    return made
def die():
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
delta.DeltaLake.write = dying
main(["quarantine", "replay", "parcels", "--project", sys.argv[3]])
"""


@pytest.mark.parametrize(("writes", "when"), [(0, "before"), (0, "after"), (1, "after")])
def test_a_kill_in_the_middle_of_a_replay_is_made_good(ingested, writes, when):
    before = state(ingested)
    widened(ingested)
    done = subprocess.run([sys.executable, "-c", DYING, str(writes), when, str(ingested)], capture_output=True, check=False)  # fmt: skip  # noqa: E501
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert state(ingested) == before  # what the ledger names is whole
    assert noria("quarantine", "replay", "parcels", "--project", ingested).returncode == 0
    kept, aside = state(ingested)
    assert sorted(kept + aside) == sorted(before[0] + before[1])
    assert set(before[0]) < set(kept)
    assert replays(ingested) == 1
    lake = open_lake(workspace_of(ingested).lake)
    assert len(lake.versions("parcels")) == len(lake.versions("parcels__quarantine")) == 2


def test_a_replay_waits_for_whoever_holds_the_workspace(ingested):
    widened(ingested)
    with workspace_of(ingested).lock("noria run"):
        done = noria("quarantine", "replay", "parcels", "--wait", "0", "--project", ingested)
    assert done.returncode == 7
    assert "noria run" in done.stderr
    assert replays(ingested) == 0


def test_a_mended_row_is_kept_where_it_would_have_been_and_stays_mended(ingested):
    kept, aside = state(ingested)
    row = aside[0]
    source = next(ingested.parent.rglob("parcels.csv"))
    wrong = noria("quarantine", "fix", "parcels", "--where", f"_row = {row}", "--set", "weight_kg=4.5",
                  "--because", "weighed again", "--project", ingested)  # fmt: skip
    assert wrong.returncode == 0, wrong.stderr
    assert "1 rows that were set aside are mended" in wrong.stdout
    assert state(ingested) == (sorted([*kept, row]), aside[1:])
    lines = source.read_text().splitlines()
    source.write_text("\n".join([lines[0], lines[-1].replace(lines[-1].split(",")[0], "999999"), *lines[1:]]) + "\n")
    again = noria("run", ingested, "--only", "ingest:parcels")
    assert again.returncode == 0, again.stderr
    assert state(ingested)[1] == [number + 1 for number in aside[1:]], "the row is known by its key, not by its number"
    with contextlib.closing(open_ledger(workspace_of(ingested).ledger)) as ledger:
        (told,) = ledger.events(kind="quarantine.corrected")
    assert told.body["because"] == "weighed again"


@pytest.mark.parametrize(("where", "to", "said"), [
    ("_row = 999999999", "weight_kg=1", "no row that is set aside is so"),
    ("weight_kg", "weight_kg=1", "is true or false"),
    ("TRUE", "weight=1", "no such column"),
    ("TRUE", "weight_kg", "is set as COLUMN=VALUE"),
    ("TRUE", "weight_kg='heavy'", "weight_kg"),
])  # fmt: skip
def test_a_mend_that_does_not_fit_is_refused_and_nothing_is_kept(ingested, where, to, said):
    before = state(ingested)
    done = noria("quarantine", "fix", "parcels", "--where", where, "--set", to, "--project", ingested)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert state(ingested) == before
    assert not (workspace_of(ingested).root / "corrections").exists()
