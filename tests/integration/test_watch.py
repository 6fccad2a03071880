"""``noria run --watch`` as people use it: files come, change, break and are mended, and it is ended at any moment."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

QUICK = 20.0
"""Seconds within which something new has to be read: far less than it would take by looking alone."""


class Watching:
    """A process that watches, and what it has said so far."""

    def __init__(self, folder, *words, **environment):
        command = [
            sys.executable,
            "-u",
            "-c",
            "from noria.cli import main; main()",
            "run",
            str(folder),
            "--watch",
            *words,
        ]
        self.said = ""
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "NORIA_ACTOR": "ann", **environment},
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.said += line

    def until(self, pattern, seconds=QUICK):
        """Wait until it has said this since the last time; what it said before."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.said)):
            assert time.monotonic() < deadline, self.said
            assert self.process.poll() is None, self.said
            time.sleep(0.05)
        before, self.said = self.said[: found.end()], self.said[found.end() :]
        return before

    def end(self, number):
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(20)
        return self.process.returncode, time.monotonic() - began


@pytest.fixture
def watching(project_file):
    started = []

    def watch(*words, **environment):
        started.append(Watching(project_file.parent, "--until", "ingest:parcels", *words, **environment))
        return started[-1]

    yield watch
    for one in started:
        one.process.kill()
        one.process.wait()


@pytest.fixture
def parcels(project_file):
    [file] = [file for file in project_file.parent.rglob("*.csv") if "parcels" in file.name]
    return file


def add_row(file):
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, lines[-1]]) + "\n")


def test_what_is_new_in_a_file_is_read_at_once(watching, parcels):
    watch = watching("--every", "1h")
    watch.until("Ctrl-C ends it", 60)
    for rows in (6901, 6902):
        add_row(parcels)
        watch.until(rf"parcels: {rows:,} read")
        watch.until("Ctrl-C ends it")
    time.sleep(2)
    assert watch.said.strip() == ""  # nothing is new, nothing is said
    code, seconds = watch.end(signal.SIGINT)
    assert code == 130
    assert seconds < 3


def test_a_file_that_is_being_written_is_read_when_it_is_whole(watching, parcels):
    watch = watching("--every", "1h")
    watch.until("Ctrl-C ends it", 60)
    lines = parcels.read_text().splitlines()
    with open(parcels, "a") as file:
        for _ in range(15):  # longer than a file is waited for to be quiet, a row at a time
            file.write(lines[-1] + "\n")
            file.flush()
            time.sleep(0.1)
    said = watch.until("parcels: 6,915 read")
    assert said.count("rows read") == 1, said


def test_what_is_broken_is_said_once_and_read_when_it_is_mended(watching, project_file):
    watch = watching("--every", "1s")
    watch.until("Ctrl-C ends it", 60)
    whole = project_file.read_text()
    project_file.write_text(whole + "\nthis is no Python\n")
    watch.until("cannot be imported")
    time.sleep(2)
    assert "cannot be imported" not in watch.said
    project_file.write_text(whole.replace('"parcels"', '"parcels"', 1) + "\n")
    add_row(next(file for file in project_file.parent.rglob("*.csv") if "parcels" in file.name))
    watch.until("parcels: 6,901 read")


def test_a_step_that_fails_is_not_run_again_before_something_changes(watching, parcels):
    watch = watching("--every", "1s")
    watch.until("Ctrl-C ends it", 60)
    whole = parcels.read_text()
    parcels.write_text(whole.replace("weight_kg", "weight", 1))
    watch.until("noria: ")
    time.sleep(2.5)
    assert "started" not in watch.said
    parcels.write_text(whole + whole.splitlines()[-1] + "\n")
    watch.until("parcels: 6,901 read")


def test_without_the_library_it_looks(watching, parcels, tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'watchfiles' else find(name, *more)\n"
    )
    watch = watching("--every", "1s", PYTHONPATH=str(hidden))
    assert "pip install -e '.[watch]'" in watch.until("Ctrl-C ends it", 60)
    add_row(parcels)
    watch.until("parcels: 6,901 read")
    code, seconds = watch.end(signal.SIGTERM)
    assert code in (143, 130)
    assert seconds < 3


def test_it_is_ended_in_the_middle_of_a_step(watching, project_file):
    watch = watching("--every", "1h")
    watch.until("started", 60)
    code, seconds = watch.end(signal.SIGTERM)
    assert code in (143, 130)
    assert seconds < 8
    assert not list((project_file.parent / ".noria" / "pending").glob("*"))


@pytest.mark.parametrize("words", [["--every", "often"], ["--every", "1ms"], ["--every", "30"]])
def test_what_is_no_duration_is_refused(watching, words):
    watch = watching(*words)
    assert watch.process.wait(30) == 2


def test_every_without_watch_is_refused(project_file):
    command = [
        sys.executable,
        "-c",
        "from noria.cli import main; main()",
        "run",
        str(Path(project_file)),
        "--every",
        "5s",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "with --watch" in done.stderr
