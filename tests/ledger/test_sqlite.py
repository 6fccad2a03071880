import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noria.core import DeclarationError, IntegrityError, ResourceError
from noria.ledger import open_ledger
from noria.testing.ledgers import LedgerSuite

FIELDS = ("at", "kind", "subject", "actor", "run", "inputs", "outputs", "body", "previous", "digest")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
slow = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class TestSqlite(LedgerSuite):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A ledger of 30 events, some of them longer than a page; nobody writes into it."""
    folder = tmp_path_factory.mktemp("ledger")
    chance = random.Random(3)
    ledger = open_ledger(f"sqlite:///{folder}/ledger.db")
    for number in range(30):
        ledger.append(
            "step.finished",
            f"step-{number}",
            run=f"run-{number}",
            actor=f"ann-{number}",
            inputs=(f"table:in-{number}@3",),
            outputs=(f"table:out-{number}@4",),
            body={"number": number, "text": "ü" * chance.choice([5, 300, 6000])},
        )
    assert ledger.verify() == []
    ledger.close()
    return folder / "ledger.db"


@pytest.fixture
def copy(written, tmp_path):
    for file in (written, written.with_name("ledger.db.head")):
        shutil.copy(file, tmp_path)
    return tmp_path / "ledger.db"


def faults_of(path):
    """What verify, or the opening, finds."""
    try:
        ledger = open_ledger(f"sqlite:///{path}")
    except IntegrityError as error:
        return [str(error)]
    try:
        return ledger.verify()
    finally:
        ledger.close()


def flipped(path, at, mask=1):
    data = bytearray(path.read_bytes())
    data[at] ^= mask
    path.write_bytes(data)


def altered(path, *statements):
    """Change the file as somebody who knows SQLite would, and put the triggers back."""
    with sqlite3.connect(path) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
        for _, sql in triggers:
            db.execute(sql)
    db.close()


def test_nothing_is_wrong_with_a_copy(copy):
    assert faults_of(copy) == []


@slow
@given(st.lists(st.tuples(st.text(), st.text(), st.dictionaries(st.text(), json_values, max_size=4)), max_size=12))
def test_a_chain_of_any_events_verifies_and_comes_back(tmp_path_factory, events):
    ledger = open_ledger(f"sqlite:///{tmp_path_factory.mktemp('any')}/ledger.db")
    told = [ledger.append("run.started", subject, actor=actor or "x", body=body) for subject, actor, body in events]
    assert list(ledger.events()) == told
    assert ledger.verify() == []
    ledger.close()


def test_a_chain_that_was_opened_again_and_again_verifies(tmp_path):
    chance = random.Random(5)
    for _ in range(12):
        ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
        for _ in range(chance.randrange(12)):
            ledger.append("run.started", "x", body={"x": "y" * int(chance.expovariate(1 / 2000))})
        assert ledger.verify() == []
        ledger.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_bit_anywhere_is_found(written, copy, data):
    shutil.copy(written, copy)
    size = written.stat().st_size
    position = st.integers(0, size - 1) | st.integers(0, 99) | st.integers(100, 8191)
    flipped(copy, data.draw(position), 1 << data.draw(st.integers(0, 7)))
    assert faults_of(copy)


@pytest.mark.parametrize("field", FIELDS)
def test_a_changed_field_is_found_and_its_event_named(written, copy, field):
    with sqlite3.connect(written) as db:
        rows = db.execute(f"SELECT seq, {field} FROM events WHERE seq IN (1, 7, 30)").fetchall()
    whole = written.read_bytes()
    for seq, value in rows:
        text = value.encode() or b"run-1"
        # Other events hold the same text: what is looked for begins where this event's own subject stands.
        near = whole.find(f"step-{seq - 1}ann".encode())
        at = whole.find(text, max(near - 60, 0)) if field in ("at", "kind", "subject") else whole.find(text[:40], near)
        if field == "previous" and not value:
            continue
        assert at > 0, field
        shutil.copy(written, copy)
        flipped(copy, at + min(len(text), 40) // 2)
        assert any(f"event {seq} " in fault for fault in faults_of(copy)), (seq, faults_of(copy))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM events WHERE seq > 28", "events 29 to 30 are missing at the end"),
        ("DELETE FROM events WHERE seq = 3", "event 3 is missing before event 4"),
        ("DELETE FROM events WHERE seq < 4", "events 1 to 3 are missing before event 4"),
        ("UPDATE events SET actor = 'bob' WHERE seq = 9", "event 9 (step.finished, step-8) was changed"),
        ("UPDATE events SET kind = x'73746570' WHERE seq = 9", "event 9 (step, step-8) was changed"),
        ("INSERT INTO events SELECT 31, at, kind, subject, actor, run, inputs, outputs, body, previous, digest "
         "FROM events WHERE seq = 2", "event 31 (step.finished, step-1) was changed"),
    ],
)  # fmt: skip
def test_what_a_user_of_sqlite_does_is_found(copy, statement, said):
    altered(copy, statement)
    assert any(fault.startswith(said) for fault in faults_of(copy)), faults_of(copy)


def test_swapped_rows_are_found_and_named(copy):
    altered(
        copy,
        "UPDATE events SET seq = 99 WHERE seq = 4",
        "UPDATE events SET seq = 4 WHERE seq = 5",
        "UPDATE events SET seq = 5 WHERE seq = 99",
    )
    found = faults_of(copy)
    assert "event 4 (step.finished, step-4) was changed" in found
    assert "event 5 (step.finished, step-3) was changed" in found


def test_an_event_that_was_forged_with_a_right_digest_breaks_the_chain(copy, tmp_path):
    other = open_ledger(f"sqlite:///{tmp_path}/other.db")
    forged = [other.append("step.finished", "forged") for _ in range(2)][1]
    other.close()
    altered(copy, "DELETE FROM events WHERE seq = 2")
    altered(copy, f"ATTACH '{tmp_path}/other.db' AS o", "INSERT INTO events SELECT * FROM o.events WHERE seq = 2")
    found = faults_of(copy)
    assert f"event 2 (step.finished, {forged.subject}) does not follow the event before it" in found


def test_a_file_that_is_cut_is_found(written, copy):
    data = written.read_bytes()
    for size in (0, 50, 511, 4096, len(data) - 4096, len(data) - 1):
        copy.write_bytes(data[:size])
        assert faults_of(copy), size


def test_a_file_with_something_after_its_end_is_found(copy):
    with open(copy, "ab") as file:
        file.write(b"x" * 4096)
    assert faults_of(copy)


@pytest.mark.parametrize("events", [2, 30, 40])
def test_another_ledger_in_its_place_is_found(copy, tmp_path, events):
    copy.unlink()
    other = open_ledger(f"sqlite:///{tmp_path}/other.db")
    for number in range(events):
        other.append("step.finished", f"step-{number}")
    other.close()
    shutil.move(tmp_path / "other.db", copy)
    assert faults_of(copy)


def test_a_ledger_that_was_removed_is_not_begun_anew(copy):
    copy.unlink()
    with pytest.raises(IntegrityError, match="the ledger is gone, with 30 events"):
        open_ledger(f"sqlite:///{copy}")


def test_a_missing_or_broken_head_is_said(copy):
    head = copy.with_name("ledger.db.head")
    head.write_text("{")
    assert faults_of(copy) == ["the head file cannot be read: events at the end may have been removed"]
    head.unlink()
    assert faults_of(copy) == ["the head file cannot be read: events at the end may have been removed"]


def test_a_write_ahead_log_is_said(copy):
    with sqlite3.connect(copy) as db:
        db.execute("PRAGMA journal_mode = WAL")
    db.close()
    assert "the file was put into WAL mode: events may lie outside it" in faults_of(copy)


def test_it_only_grows(copy):
    with sqlite3.connect(copy) as db:
        for statement in ("DELETE FROM events", "UPDATE events SET actor = 'bob'"):
            with pytest.raises(sqlite3.IntegrityError, match="the ledger only grows"):
                db.execute(statement)
    db.close()


def test_verify_beside_writers_finds_nothing_wrong(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    open_ledger(url).close()
    code = (
        "import sys; from noria.ledger import open_ledger; ledger = open_ledger(sys.argv[1])\n"
        "for number in range(150): ledger.append('step.finished', 'x', body={'x': 'y' * (number * 61 % 5000)})"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(2)]
    ledger = open_ledger(url)
    while any(writer.poll() is None for writer in writers):
        assert ledger.verify() == []
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [event.seq for event in ledger.events()] == list(range(1, 301))
    ledger.close()


def test_a_kill_in_an_append_loses_nothing_that_was_acknowledged(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    code = (
        "import sys; from noria.ledger import open_ledger; ledger = open_ledger(sys.argv[1])\n"
        "while True: print(ledger.append('step.finished', 'x', body={'x': 'y' * 3000}).digest, flush=True)"
    )
    chance, acknowledged = random.Random(7), []
    for _ in range(8):
        writer = subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
        acknowledged.append(writer.stdout.readline().strip())
        time.sleep(chance.uniform(0, 0.05))
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += [line.strip() for line in writer.stdout if len(line) == 65]
        writer.wait()
        writer.stdout.close()
    ledger = open_ledger(url)
    events = list(ledger.events())
    assert set(acknowledged) <= {event.digest for event in events}
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert ledger.verify() == []
    ledger.close()


def test_no_secret_of_a_url_is_kept(tmp_path):
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    url = "postgresql://ann:s3cret@db/shop"
    event = ledger.append("run.started", url, inputs=(url,), outputs=(url,), body={"a": [url], "b": f"at {url}!"})
    ledger.close()
    assert event.body == {"a": ["postgresql://***@db/shop"], "b": "at postgresql://***@db/shop!"}
    assert b"s3cret" not in (tmp_path / "ledger.db").read_bytes()


def test_names_that_are_no_utf8_are_kept(tmp_path):
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    name = os.fsdecode(b"caf\xe9.csv")
    event = ledger.append("run.failed", name, actor=name, body={"error": name})
    assert next(ledger.events()) == event
    assert event.body["error"] == name
    assert ledger.verify() == []
    ledger.close()


@pytest.mark.parametrize("url", ["sqlite://relative.db", "sqlit:///x.db"])
def test_a_wrong_url_is_refused(url):
    with pytest.raises(DeclarationError):
        open_ledger(url)


def test_what_is_no_ledger_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE other (x)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(IntegrityError, match="not a ledger"):
        open_ledger(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_a_resource_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError):
        open_ledger(f"sqlite:///{tmp_path}/file/ledger.db")


def test_what_this_machine_lacks_is_no_fault_of_the_ledger(copy, tmp_path):
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(ResourceError, match="the ledger cannot be used"):
        open_ledger(f"sqlite:///{tmp_path}/folder.db")
    code = (
        "import resource, signal, sys; from noria.ledger import open_ledger; ledger = open_ledger(sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "size = int(sys.argv[2]); resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
        "ledger.append('step.finished', 'x', body={'x': 'y' * 100_000})"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{copy}", str(copy.stat().st_size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "ResourceError: the ledger cannot be used" in done.stderr
    assert faults_of(copy) == []


def test_the_head_never_leads(written):
    head = json.loads(written.with_name("ledger.db.head").read_bytes())
    assert head["count"] == 30


@pytest.mark.parametrize("name", ["C#", "who?", "%41", "a b", "größe 𝔘", "a&b=c;d", "[x]"])
def test_the_ledger_lies_where_its_url_says_whatever_the_folder_is_called(tmp_path, name):
    folder = tmp_path / name
    with contextlib.closing(open_ledger(f"sqlite:///{folder}/ledger.db")) as ledger:
        ledger.append("run.started", "project:x")
        assert ledger.verify() == []
    assert sorted(path.name for path in folder.iterdir()) == ["ledger.db", "ledger.db.head"]
    assert list(tmp_path.iterdir()) == [folder]
