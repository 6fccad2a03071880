import contextlib
import sys
from functools import partial
from pathlib import Path

import grimp
import pytest

from noria.cli.graph import whole_plan
from noria.core import DeclarationError, keys
from noria.declarations import Contract, Source, load_project
from noria.ledger import open_ledger
from noria.plan import compile_plan, in_order, plan_steps
from noria.steps import Outcome, Step
from noria.workspace import workspace_of

sys.path.insert(0, str(Path(__file__).parent.parent / "run"))
from fake_life import PROJECT, add, in_place, live, nothing, workspace_in


def step(name, *inputs, **fields):
    return Step(name, nothing, fields.pop("declaration", name), inputs, **fields)


def reasons(folder, steps):
    workspace = workspace_in(folder)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        return {planned.step.name: planned.reason for planned in plan_steps(PROJECT, steps, workspace, ledger).steps}


def test_inputs_come_first_and_otherwise_the_order_is_kept():
    steps = [step("c", "b"), step("x"), step("b", "a"), step("a"), step("y")]
    assert [ordered.name for ordered in in_order(steps)] == ["x", "a", "b", "c", "y"]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([step("a"), step("a")], "same name"),
        ([step("a", "b")], "reads a step that is not there"),
        ([step("a", "b"), step("b", "a")], "wait for each other"),
    ],
)
def test_a_graph_that_cannot_be_is_refused(steps, said):
    with pytest.raises(DeclarationError, match=said):
        in_order(steps)


def test_what_is_done_is_read_and_no_step(tmp_path):
    steps = [Step("sum", partial(add, number=1), "sum", ("before",))]
    with pytest.raises(DeclarationError, match="reads a step that is not there"):
        live(tmp_path, steps)
    done = {"before": Outcome({"total": "file:x"}, {"total": 4})}
    result = live(tmp_path, steps, done=done)
    assert result.executed == ("sum",)
    assert result.outcomes["sum"].facts == {"total": 5}
    assert result.outcomes["before"] == done["before"]
    assert live(tmp_path, steps, done=done).executed == ()
    assert live(tmp_path, steps, done={"before": Outcome({"total": "file:y"}, {"total": 6})}).executed == ("sum",)


def test_a_first_run_and_a_run_with_nothing_new(tmp_path):
    steps = [step("a"), step("b", "a")]
    assert reasons(tmp_path, steps) == {"a": "first run", "b": "first run"}
    live(tmp_path, steps)
    assert reasons(tmp_path, steps) == {"a": "", "b": ""}


def test_new_data_are_named_and_what_hangs_on_them_runs(tmp_path):
    def steps(fingerprint):
        return [step("ingest:a", fingerprint=fingerprint, reads="3 files"), step("b", "ingest:a"), step("c")]

    live(tmp_path, steps("1"))
    assert reasons(tmp_path, steps("2")) == {"ingest:a": "new data: 3 files", "b": "because ingest:a runs", "c": ""}


def source(**fields):
    return Source("a", "a.csv", **fields)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (source(), source(contract=Contract(key="k")), "contract changed: contract.key"),
        (source(event_time="t"), source(event_time="t", lag="1s"), "declaration changed: lag 0 → 1000000"),
        (source(), source(lag="1s", event_time="t", columns={"a": "b"}), "declaration changed"),
        ({"trials": 1}, {"trials": 2}, "declaration changed: trials 1 → 2"),
    ],
)
def test_a_changed_declaration_names_the_field(tmp_path, before, after, said):
    live(tmp_path, [step("a", declaration=before)])
    assert reasons(tmp_path, [step("a", declaration=after)]) == {"a": said}


def test_the_code_of_a_step_is_all_that_the_import_graph_says(made_project, tmp_path, monkeypatch):
    graph = grimp.build_graph("noria", exclude_type_checking_imports=True, cache_dir=None)
    monkeypatch.setenv("NORIA_WORKSPACE", str(tmp_path))
    workspace = workspace_of(made_project)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        steps = [one.step for one in whole_plan(load_project(made_project), workspace, ledger).steps]
    assert len(steps) == 13
    for step in steps:
        module = step.function.func.__module__
        reached = {name.split(".")[1] for name in graph.find_upstream_modules(module) if "." in name}
        counted = set(keys._reached(module.split(".")[1]))
        assert reached <= counted, step.name
        assert not counted & {"cli", "testing"}, step.name


def test_changed_code_is_said(tmp_path):
    live(tmp_path, [step("a")])
    assert reasons(tmp_path, [Step("a", in_place, "a")]) == {"a": "code changed"}


def test_planning_writes_nothing(tmp_path):
    live(tmp_path, [step("a")])
    before = sorted(path for path in tmp_path.rglob("*"))
    reasons(tmp_path, [step("a", declaration="other")])
    assert [path for path in sorted(tmp_path.rglob("*")) if "ledger.db-" not in path.name] == [
        path for path in before if "ledger.db-" not in path.name
    ]


def test_a_workspace_is_one_projects(tmp_path):
    workspace = workspace_in(tmp_path)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        ledger.append("run.started", "project:other", run="r")
        with pytest.raises(DeclarationError, match="another project's") as caught:
            compile_plan(PROJECT, workspace, ledger)
    assert "other, not fake" in str(caught.value)
