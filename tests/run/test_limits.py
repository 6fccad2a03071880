import contextlib
import sys
import time
from pathlib import Path

import pytest

from noria.core import DeclarationError, ResourceError, TransientError
from noria.declarations import Limits
from noria.ledger import open_ledger
from noria.plan import plan_steps
from noria.run import refuse_unknown_limits

sys.path.insert(0, str(Path(__file__).parent))
import fake_life
from fake_life import PROJECT, counted, live, step, workspace_in


def limited(**limits):
    return PROJECT.replace(limits=Limits(**{"pause": "1ms", **limits}))


def told(folder, kind):
    with contextlib.closing(open_ledger(workspace_in(folder).ledger)) as ledger:
        return {event.subject: event.body for event in ledger.events(kind=kind)}


def test_a_step_over_its_time_is_ended_and_says_the_limit(tmp_path):
    began = time.monotonic()
    with pytest.raises(ResourceError) as caught:
        live(
            tmp_path,
            [step("slow", fake_life.add, number=1, seconds=60)],
            project=limited(steps={"slow": Limits(time="300ms")}),
        )
    assert time.monotonic() - began < 10
    assert caught.value.message == "step slow took longer than it may and was ended"
    assert caught.value.value == "its limit is 300ms"
    assert "steps={'slow': nr.Limits(time=…)}" in caught.value.mend
    body = told(tmp_path, "step.failed")["slow"]
    assert "300ms" in body["error"]
    assert body["meters"]["wall_seconds"] >= 0.3
    assert body["tries"] == 1
    assert counted(workspace_in(tmp_path), "ended") == 0


def test_a_step_that_does_not_listen_is_ended_too(tmp_path, monkeypatch):
    monkeypatch.setattr("noria.child._SECONDS_TO_STOP", 0.3)
    with pytest.raises(ResourceError, match="took longer"):
        live(tmp_path, [step("fake_life.deaf", fake_life.deaf)], project=limited(time="200ms"))


def test_what_is_within_its_limits_runs(tmp_path):
    live(tmp_path, fake_life.graph(1), project=limited(time="1m", memory="4GB"))
    assert len(told(tmp_path, "step.finished")) == 6


def test_a_step_over_its_memory_is_ended(tmp_path):
    project = limited(steps={"b*": Limits(memory="200MB")})
    with pytest.raises(ResourceError) as caught:
        live(tmp_path, [step("big", fake_life.swallow, megabytes=300)], project=project)
    assert caught.value.message == "step big holds more memory than it may and was ended"
    assert caught.value.value == "its limit is 200 MB"


@pytest.mark.parametrize(("tries", "well"), [(5, True), (1, False)])
def test_tries_are_declared(tmp_path, tries, well):
    steps = [step("net", fake_life.stumble, times=4)]
    with contextlib.nullcontext() if well else pytest.raises(TransientError):
        live(tmp_path, steps, project=limited(steps={"net": Limits(tries=tries)}))
    assert counted(workspace_in(tmp_path), "stumbled") == tries


@pytest.mark.parametrize(("declared", "asked", "most"), [(1, None, 1), (4, None, 4), (4, 2, 2)])
def test_so_many_run_at_once_as_is_declared_or_asked(tmp_path, declared, asked, most):
    names = [f"s{number}" for number in range(4)]
    steps = [step(name, fake_life.add, number=n, seconds=0.3) for n, name in enumerate(names)]
    live(tmp_path, steps, project=limited(jobs=declared), jobs=asked)
    times = [body["times"] for body in told(tmp_path, "step.finished").values()]
    assert max(sum(one["began"] <= other["began"] < one["ended"] for one in times) for other in times) == most


def test_what_a_step_waited_for_is_told(tmp_path):
    steps = [
        step("a", fake_life.add, number=1, seconds=0.4),
        step("b", fake_life.add, number=2, seconds=0.4),
        step("c", fake_life.add, "a", "b", number=1),
    ]
    live(tmp_path, steps, project=limited(jobs=1))
    bodies = told(tmp_path, "step.finished")
    assert bodies["a"]["queued"] < 0.2
    assert 0.4 <= bodies["b"]["queued"] < 10  # b waited for the only place
    assert bodies["c"]["queued"] < 0.2
    assert bodies["c"]["times"]["ready"] >= bodies["b"]["times"]["ended"] - 0.01
    assert bodies["c"]["after"] == ["a", "b"]


def test_a_limit_of_no_step_is_refused(tmp_path):
    workspace = workspace_in(tmp_path)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        plan = plan_steps(
            limited(steps={"trian": Limits(time="1m")}), [step("train", fake_life.nothing)], workspace, ledger
        )
        with pytest.raises(DeclarationError, match="no step has this name") as caught:
            refuse_unknown_limits(plan)
        assert caught.value.mend == "did you mean 'train'?"
        refuse_unknown_limits(plan_steps(PROJECT, [], workspace, ledger))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"jobs": 0}, "greater"),
        ({"tries": 0}, "greater"),
        ({"time": "0s"}, "greater"),
        ({"memory": "4 gigs"}, "a size is a number and one of"),
        ({"memory": 0}, "greater"),
        ({"pause": "soon"}, "a duration is"),
        ({"steps": {"train": Limits(jobs=2)}}, "has no jobs"),
        ({"steps": {"train": Limits(steps={"x": Limits()})}}, "has no jobs"),
        ({"step": {}}, "did you mean 'steps'"),
    ],
)
def test_limits_that_cannot_be_are_refused(fields, said):
    with pytest.raises(DeclarationError) as caught:
        Limits(**fields)
    assert said in str(caught.value)


def test_the_last_limit_that_says_something_counts():
    limits = Limits(time="1h", steps={"ingest:*": Limits(time="2h", tries=7), "ingest:a": Limits(time="3h")})
    assert (limits.of("ingest:a").time, limits.of("ingest:a").tries) == (3 * 3600 * 10**6, 7)
    assert limits.of("train") == Limits(time="1h")
