import contextlib
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from noria.core import ToldClock
from noria.ledger import open_ledger
from noria.workspace import workspace_of

sys.path.insert(0, str(Path(__file__).parent))
from conftest import noria

SIX = 'nr.Schedule("0 6 * * *", zone="Europe/Berlin")'


def scheduled(folder, schedule=SIX):
    """Declare a schedule in a project."""
    file = folder / "project.py"
    text = file.read_text()
    assert text.count("\n    search=") == 1
    file.write_text(text.replace("\n    search=", f"\n    schedule={schedule},\n    search="))
    return folder


def told(folder):
    with contextlib.closing(open_ledger(workspace_of(folder).ledger)) as ledger:
        assert ledger.verify() == []
        return [
            (event.kind.partition(".")[2], event.body["due"][:16], event.body.get("outcome", ""))
            for event in ledger.events(kind="schedule.*")
        ]


def test_next_says_when(project_file, tmp_path):
    clock = ToldClock(tmp_path / "clock", start=datetime(2025, 10, 24, 12, tzinfo=UTC)).path
    folder = scheduled(project_file.parent)
    done = noria("schedule", "next", folder, "-n", 3, NORIA_CLOCK=clock)
    assert done.stdout.splitlines() == [
        "Sat 2025-10-25 06:00 CEST (04:00 UTC)",
        "Sun 2025-10-26 06:00 CET (05:00 UTC)",
        "Mon 2025-10-27 06:00 CET (05:00 UTC)",
    ]


def test_without_a_schedule_each_says_what_to_declare(made_project):
    for words in (["next"], ["run", "--once"], ["export", "--to", "cron"]):
        done = noria("schedule", words[0], made_project, *words[1:])
        assert done.returncode == 2
        assert "declares no schedule" in done.stderr
        assert "schedule=nr.Schedule(" in done.stderr


def test_export_prints_or_writes(project_file, tmp_path):
    folder = scheduled(project_file.parent)
    done = noria("schedule", "export", folder, "--to", "cron")
    assert done.returncode == 0, done.stderr
    assert f" schedule run --once {project_file}" in done.stdout
    assert "CRON_TZ" in done.stderr
    done = noria("schedule", "export", folder, "--to", "systemd", "--into", tmp_path / "units")
    assert [Path(line).name for line in done.stdout.splitlines()] == ["noria-parcels.service", "noria-parcels.timer"]
    assert "OnCalendar=*-*-* 6:0:00 Europe/Berlin" in (tmp_path / "units" / "noria-parcels.timer").read_text()
    (tmp_path / ".git").mkdir()
    done = noria("schedule", "export", folder, "--to", "github")
    assert yaml.safe_load(done.stdout)["jobs"]["noria"]["env"] == {"PROJECT": "./parcels/project.py"}
    named = noria("schedule", "export", folder, "--to", "cron", NORIA_WORKSPACE=tmp_path / "else where")
    assert f"'NORIA_WORKSPACE={tmp_path}/else where'" in named.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "luigi"], "one of cron, systemd"),
        ([], "one of cron, systemd"),
        (["--to", "kubernetes"], "--image"),
        (["--to", "cron", "--image", "x"], "leave --image out"),
    ],
)
def test_export_refuses_what_cannot_be(project_file, words, said):
    done = noria("schedule", "export", scheduled(project_file.parent), *words)
    assert done.returncode == 2
    assert said in done.stderr


def test_once_runs_what_is_due_and_says_so_where_nothing_is(own):
    scheduled(own)
    first = noria("schedule", "run", "--once", own)
    assert first.returncode == 0, first.stderr
    assert "parcels: " in first.stdout
    again = noria("schedule", "run", "--once", own)
    assert "nothing is due" in again.stderr
    assert again.stdout == ""
    assert [kind for kind, _, _ in told(own)] == ["followed", "started", "ended"]


def test_once_hands_on_the_exit_code_of_its_run(own):
    scheduled(own)
    for file in own.glob("data/*.csv"):
        file.unlink()
    done = noria("schedule", "run", "--once", own)
    assert done.returncode == 3, done.stderr
    assert [outcome for kind, _, outcome in told(own) if kind == "ended"] == ["failed"]


def start(folder, clock):
    words = [sys.executable, "-c", "from noria.cli import main; main()", "schedule", "run", str(folder)]
    environment = {**os.environ, "NORIA_ACTOR": "ann", "NORIA_CLOCK": str(clock.path)}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "is due next" in until(process, "is due next")
    return process


def until(process, text):
    """What it says until it says this."""
    said = ""
    while text not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    return said


def wait_for(folder, count):
    """Until so many due times have come to their end."""
    deadline = time.monotonic() + 240
    while sum(kind == "ended" for kind, _, _ in told(folder)) < count:
        assert time.monotonic() < deadline, told(folder)
        time.sleep(0.1)


def test_it_is_followed_across_a_kill_and_days_without_power(own, tmp_path):
    scheduled(own)
    clock = ToldClock(tmp_path / "clock", start=datetime(2030, 1, 7, 4, 59, 59, 800_000, tzinfo=UTC))
    process = start(own, clock)
    while not told(own):  # it is followed from a moment before it is due
        time.sleep(0.05)
    clock.tell(datetime(2030, 1, 7, 5, tzinfo=UTC))
    wait_for(own, 1)
    process.kill()
    process.communicate()
    clock.tell(clock.now() + timedelta(days=3, hours=2))
    process = start(own, clock)
    wait_for(own, 3)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    process.communicate()
    assert time.monotonic() - began < 30
    assert process.returncode == 128 + signal.SIGTERM
    assert told(own)[1:] == [
        ("started", "2030-01-07T05:00", ""),
        ("ended", "2030-01-07T05:00", "run"),
        ("ended", "2030-01-09T05:00", "missed"),
        ("started", "2030-01-10T05:00", ""),
        ("ended", "2030-01-10T05:00", "nothing new"),
    ]


def test_a_second_one_is_refused_and_a_changed_schedule_is_read_again(own, tmp_path):
    scheduled(own)
    clock = ToldClock(tmp_path / "clock", start=datetime(2030, 1, 7, 4, 59, 59, 500_000, tzinfo=UTC))
    process = start(own, clock)
    try:
        second = noria("schedule", "run", own, NORIA_CLOCK=clock.path)
        assert second.returncode == 7
        assert "another process follows this schedule" in second.stderr
        file = own / "project.py"
        file.write_text(file.read_text().replace("0 6 * * *", "30 9 * * *"))
        assert "09:30" in until(process, "is due next")
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert process.returncode == 130
    finally:
        process.kill()
        process.communicate()
