import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from noria.core import BusyError, DataError, NoriaError, ResourceError, TransientError
from noria.ledger import open_ledger
from noria.run import execute, execution, told

sys.path.insert(0, str(Path(__file__).parent))
import fake_life
from fake_life import counted, graph, live, step, workspace_in


def events(folder, **asked):
    with contextlib.closing(open_ledger(workspace_in(folder).ledger)) as ledger:
        assert ledger.verify() == []
        return list(ledger.events(**asked))


def kinds(folder):
    return Counter(event.kind for event in events(folder))


class Recorded:
    def __init__(self):
        self.seen = []

    def step(self, name, state, text):
        self.seen.append((name, state, text))

    def tick(self):
        pass


def test_a_graph_runs_once_and_a_second_run_does_nothing(tmp_path):
    first = live(tmp_path, graph(1))
    assert {name: outcome.facts["total"] for name, outcome in first.outcomes.items()} == {
        "a": 1,
        "b": 1,
        "c": 3,
        "d": 4,
        "e": 4,
        "f": 9,
    }
    assert set(first.executed) == set("abcdef")
    before = len(events(tmp_path))
    second = live(tmp_path, graph(1))
    assert second.executed == ()
    assert second.outcomes == first.outcomes
    assert len(events(tmp_path)) == before


def test_a_change_runs_only_what_hangs_on_it(tmp_path):
    live(tmp_path, graph(1))
    again = live(tmp_path, graph(2))
    assert set(again.executed) == set("acdef")
    assert again.outcomes["f"].facts["total"] == 11


def test_what_is_gone_is_made_again(tmp_path):
    first = live(tmp_path, graph(1))
    workspace = workspace_in(tmp_path)
    (workspace.root / first.outcomes["c"].outputs["total"].removeprefix("file:")).unlink()
    assert live(tmp_path, graph(1)).executed == ("c",)


def test_going_back_runs_nothing_but_what_was_written_over(tmp_path):
    def both(number):
        return [*graph(number), step("route", fake_life.in_place, "f", text=str(number))]

    live(tmp_path, both(1))
    live(tmp_path, both(2))
    assert live(tmp_path, both(1)).executed == ("route",)
    assert (workspace_in(tmp_path).root / "route").read_text() == "1"


def test_the_ledger_says_what_a_step_took_and_made(tmp_path):
    result = live(tmp_path, graph(1))
    [finished] = events(tmp_path, kind="step.finished", subject="c")
    body = finished.body
    assert finished.run == result.run
    assert finished.inputs == tuple(result.outcomes[name].outputs["total"] for name in "ab")
    assert finished.outputs == (result.outcomes["c"].outputs["total"],)
    assert body["tags"] == {"team": "tests", "part": "c"}
    assert body["meters"]["wall_seconds"] > 0
    assert body["meters"]["peak_bytes"] > 10 * 2**20
    assert body["reason"] == "first run"
    assert body["outcome"].keys() == {"outputs", "facts"}
    [started] = events(tmp_path, kind="run.started")
    assert [planned["step"] for planned in started.body["plan"]] == list("abcdef")
    assert started.body["declarations"].keys() >= {"question", "references", "tags", "spine"}
    assert started.body["versions"]["python"] == sys.version.split()[0]


def test_what_a_step_tells_stands_before_it_is_finished(tmp_path):
    live(tmp_path, graph(1))
    told = [(event.kind, event.body.get("step")) for event in events(tmp_path) if event.body.get("key")]
    position = told.index(("table.written", "c"))
    assert told[position : position + 2] == [("table.written", "c")] * 2
    assert kinds(tmp_path) == {"run.started": 1, "table.written": 12, "step.finished": 6, "run.finished": 1}


def test_meters_count_what_a_step_does(tmp_path):
    live(tmp_path, [step("work", fake_life.work)])
    [finished] = events(tmp_path, kind="step.finished")
    meters = finished.body["meters"]
    assert meters["cpu_seconds"] >= 0.3
    assert 200 * 2**20 < meters["peak_bytes"] < 400 * 2**20
    assert meters["written_bytes"] >= 200 * 2**20
    assert meters["stored_bytes"] == 0  # it left no file: only what stays is charged for a month


def test_an_error_of_a_step_is_the_error_of_the_run(tmp_path):
    steps = [step("bad", fake_life.refuse), step("after", fake_life.add, "bad", number=1), *graph(1)]
    with pytest.raises(DataError) as caught:
        live(tmp_path, steps)
    assert str(caught.value).splitlines()[1:] == ["  at:   number:1", "  got:  x", "  mend: a whole number"]
    [failed] = events(tmp_path, kind="step.failed")
    assert failed.subject == "bad"
    assert failed.body["exit"] == 3
    [ended] = events(tmp_path, kind="run.failed")
    assert ended.body["step"] == "bad"
    assert not events(tmp_path, kind="step.finished", subject="after")


def test_what_runs_beside_a_failure_is_kept(tmp_path):
    steps = [step("slow", fake_life.add, number=1, seconds=0.5), step("bad", fake_life.refuse)]
    with pytest.raises(DataError):
        live(tmp_path, steps)
    live(tmp_path, steps[:1])
    assert counted(workspace_in(tmp_path), "began") == 1


@pytest.mark.parametrize(("times", "well"), [(2, True), (3, False)])
def test_only_outside_faults_are_tried_again_and_not_for_ever(tmp_path, times, well):
    seen = Recorded()
    with contextlib.nullcontext() if well else pytest.raises(TransientError):
        live(tmp_path, [step("net", fake_life.stumble, times=times)], progress=seen)
    assert counted(workspace_in(tmp_path), "stumbled") == 3
    assert [state for _, state, _ in seen.seen] == [
        "started",
        "retrying",
        "started",
        "retrying",
        "started",
        "finished" if well else "failed",
    ]


def test_an_error_that_nobody_foresaw_leaves_a_traceback_in_a_file(tmp_path):
    with pytest.raises(NoriaError) as caught:
        live(tmp_path, [step("x:y", fake_life.crash)])
    assert caught.value.exit_code == 1
    assert caught.value.value == "ZeroDivisionError: boom"
    assert "in crash\n" in Path(caught.value.place).read_text()
    assert (workspace_in(tmp_path).root / "logs" / "x-y.log").read_text() == "said before the crash\n"


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGKILL, ResourceError), (signal.SIGUSR1, NoriaError)])
def test_a_step_that_is_killed_is_named_with_the_signal(tmp_path, number, kind):
    with pytest.raises(kind) as caught:
        live(tmp_path, [step("doomed", fake_life.die, number=number)])
    assert "step doomed" in caught.value.message
    assert caught.value.value == number.name


def test_what_is_no_outcome_is_refused(tmp_path):
    with pytest.raises(NoriaError, match="does not know") as caught:
        live(tmp_path, [step("x", fake_life.three)])
    assert caught.value.value == "TypeError: step x returned a int, not an Outcome"


@pytest.mark.parametrize("which", ["disk", "memory", "permission", "wrapped"])
def test_a_machine_that_lacks_something_is_a_resource_error(tmp_path, which):
    with pytest.raises(ResourceError):
        live(tmp_path, [step("x", fake_life.fault, which=which)])


def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    with pytest.raises(ResourceError, match="disk is full"):
        live(tmp_path, [step("x", fake_life.fill)])
    assert not list(workspace_in(tmp_path).artifacts.glob("*"))


def test_two_runs_at_once(tmp_path):
    (tmp_path / "number").write_text("1")
    first = start(tmp_path, 0.3)
    while not counted(workspace_in(tmp_path), "began"):
        time.sleep(0.01)
    with pytest.raises(BusyError) as caught, workspace_in(tmp_path).lock("second"):
        pass
    assert f"process {first.pid} (fake)" in caught.value.value
    second = start(tmp_path, 0.3)
    assert first.wait() == 0
    second.wait()
    live(tmp_path, graph(1, 0.3))
    assert kinds(tmp_path)["step.finished"] == 6


def start(folder, seconds):
    return subprocess.Popen([sys.executable, fake_life.__file__, str(folder), str(seconds)], start_new_session=True)


def test_a_kill_at_any_moment_loses_and_doubles_nothing(tmp_path):
    chance = random.Random(3)
    kills = 0
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "number").write_text(str(number))
        while (process := start(folder, 0.1)).poll() is None:
            try:
                process.wait(chance.uniform(0.1, 1.2))
            except subprocess.TimeoutExpired:
                # Only the parent, or all of them at once.
                (os.killpg if chance.random() < 0.5 else os.kill)(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
                continue
            break
        assert process.returncode == 0
        assert live(folder, graph(number, 0.1)).executed == ()
        told = Counter((event.kind, event.subject) for event in events(folder) if not event.kind.startswith("run."))
        assert set(told.values()) == {1}
        assert len(told) == 12 + 6
        assert not list((workspace_in(folder).root / "pending").glob("*"))
    assert kills > 3


def test_a_kill_between_the_commit_and_the_ledger_repeats_no_step(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    workspace = workspace_in(tmp_path)
    whole = told.tell

    def half(ledger, pending):
        event = pending["events"][0]
        body = {**event["body"], "step": pending["step"], "key": pending["body"]["key"], "n": 0}
        ledger.append(event["kind"], event["subject"], run=pending["run"], body=body)
        raise Killed

    monkeypatch.setattr(execution, "tell", half)
    with pytest.raises(Killed):
        live(tmp_path, graph(1)[:1])
    monkeypatch.setattr(execution, "tell", whole)
    assert live(tmp_path, graph(1)[:1]).executed == ()
    assert counted(workspace, "began") == 1
    assert [(event.kind, event.body.get("n")) for event in events(tmp_path) if event.body.get("key")] == [
        ("table.written", 0),
        ("table.written", 1),
        ("step.finished", None),
    ]


def test_children_end_with_their_parent(tmp_path):
    (tmp_path / "number").write_text("1")
    process = start(tmp_path, 30)
    while counted(workspace_in(tmp_path), "began") < min(2, os.cpu_count()):
        time.sleep(0.01)
    process.kill()
    process.wait()
    with workspace_in(tmp_path).lock("after", wait=5.0):  # a child that lives on would hold it
        pass


def test_ctrl_c_stops_the_children_and_keeps_what_is_finished(tmp_path):
    (tmp_path / "number").write_text("1")
    process = start(tmp_path, 0.5)
    while counted(workspace_in(tmp_path), "ended") < 1:
        time.sleep(0.01)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) != 0
    assert kinds(tmp_path)["step.finished"] >= 1
    assert kinds(tmp_path)["run.failed"] == 1
    live(tmp_path, graph(1, 0.5))
    assert kinds(tmp_path)["step.finished"] == 6


def test_scratch_outlives_a_kill_and_not_its_step(tmp_path):
    with pytest.raises(ResourceError):
        live(tmp_path, [step("x", fake_life.second_time)])
    assert live(tmp_path, [step("x", fake_life.second_time)]).outcomes["x"].facts == {"went_on": True}
    assert not workspace_in(tmp_path).scratch.exists()


def test_a_run_of_nothing_opens_nothing(tmp_path):
    from noria.plan import Plan

    assert execute(Plan(fake_life.PROJECT, ()), workspace_in(tmp_path), None).run == ""


def test_facts_that_are_no_json_are_refused(tmp_path):
    with pytest.raises(NoriaError, match="does not know"):
        live(tmp_path, [step("x", fake_life.nan)])


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"kind": "table.wirtten", "subject": "x"}, "no such kind of event: 'table.wirtten'"),
        ({"kind": "step.finished", "subject": "x"}, "only a run tells step.finished"),
        ({"kind": "table.written", "subject": 3}, "about nothing"),
        ({"kind": "table.written"}, "about nothing"),
        ({"kind": "table.written", "subject": "x", "body": [1]}, "no JSON object"),
        ({"kind": "table.written", "subject": "x", "body": {1: 2}}, "no JSON object"),
        ({"kind": "table.written", "subject": "x", "outputs": "abc"}, "is no text"),
        ({"kind": "table.written", "subject": "x", "at": "now"}, "unknown part: at"),
        ({"kind": "table.written", "subject": "x", "body": {"x": float("nan")}}, "not JSON compliant"),
    ],
)
def test_an_event_that_the_ledger_would_not_take_ends_its_step_and_blocks_nothing(tmp_path, event, said):
    with pytest.raises(NoriaError, match="does not know") as caught:
        live(tmp_path, [step("x", fake_life.tell, event=event)])
    assert said in str(caught.value.value)
    assert kinds(tmp_path) == {"run.started": 1, "step.failed": 1, "run.failed": 1}
    assert live(tmp_path, [step("x", fake_life.nothing)]).executed == ("x",)


def _with_kind(pending):
    pending["events"][1]["kind"] = "table.forgotten"


def _without_key(pending):
    del pending["body"]["key"]


@pytest.mark.parametrize("damage", [_with_kind, _without_key, "", "[]", '{"events": 1}', b"\xff\xfe"])
def test_an_outcome_that_cannot_be_told_is_said_once_and_its_step_runs_again(tmp_path, monkeypatch, capsys, damage):
    class Killed(BaseException):
        pass

    def killed(ledger, pending):
        raise Killed

    monkeypatch.setattr(execution, "tell", killed)
    with pytest.raises(Killed):
        live(tmp_path, graph(1)[:1])
    monkeypatch.undo()
    [left] = (workspace_in(tmp_path).root / "pending").glob("*.json")
    if callable(damage):
        pending = json.loads(left.read_text())
        damage(pending)
        damage = json.dumps(pending)
    left.write_bytes(damage if isinstance(damage, bytes) else damage.encode())
    assert live(tmp_path, graph(1)[:1]).executed == ("a",)
    said = capsys.readouterr().out
    assert "does not count as finished" in said
    assert "mend: nothing: the step runs again" in said
    [aside] = (workspace_in(tmp_path).root / "crashes").glob("*.json")
    assert str(aside) in said
    assert not left.exists()
    assert kinds(tmp_path)["table.written"] == 2
    live(tmp_path, graph(1)[:1])
    assert capsys.readouterr().out == ""


def test_a_parent_with_threads_starts_new_interpreters(tmp_path):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(print).result()
        assert live(tmp_path, graph(1)).outcomes["f"].facts["total"] == 9
