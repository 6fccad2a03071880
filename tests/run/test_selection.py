import contextlib
import sys
from pathlib import Path

import pytest

from noria.core import DeclarationError
from noria.ledger import open_ledger
from noria.plan import plan_steps
from noria.run import execute, select

sys.path.insert(0, str(Path(__file__).parent))
from fake_life import PROJECT, graph, workspace_in


def run(folder, number=1, **selection):
    workspace = workspace_in(folder)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        plan = select(plan_steps(PROJECT, graph(number), workspace, ledger), **selection)
        return set(execute(plan, workspace, ledger).executed)


def test_until_runs_a_step_and_what_it_waits_for(tmp_path):
    assert run(tmp_path, until=["c"]) == {"a", "b", "c"}
    assert run(tmp_path) == {"d", "e", "f"}


def test_only_runs_a_step_whose_inputs_are_there(tmp_path):
    run(tmp_path, until=["c"])
    assert run(tmp_path, only=["d"]) == {"d"}
    assert run(tmp_path, only=["d"]) == set()
    assert run(tmp_path) == {"e", "f"}


def test_only_refuses_what_waits_for_others(tmp_path):
    with pytest.raises(DeclarationError) as caught:
        run(tmp_path, only=["c"])
    assert caught.value.value == "a, b"
    assert "--until c" in caught.value.mend
    assert run(tmp_path, only=["a", "b", "c"]) == {"a", "b", "c"}


def test_only_and_until_together(tmp_path):
    assert run(tmp_path, only=["a"], until=["b"]) == {"a", "b"}
    assert run(tmp_path, only=["c"], until=["c"]) == {"c"}


def test_a_step_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DeclarationError, match="no such step") as caught:
        run(tmp_path, until=["g"])
    assert "a, b, c, d, e, f" in caught.value.mend or "did you mean" in caught.value.mend


def test_a_part_of_a_run_leaves_alone_what_unfinished_steps_keep(tmp_path):
    kept = workspace_in(tmp_path).scratch / ("0" * 32)
    kept.mkdir(parents=True)
    workspace = workspace_in(tmp_path)
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        plan = plan_steps(PROJECT, graph(1), workspace, ledger)
        execute(select(plan, until=["c"]), workspace, ledger, whole=False)
        assert kept.exists()
        execute(plan_steps(PROJECT, graph(1), workspace, ledger), workspace, ledger)
        assert not kept.exists()
