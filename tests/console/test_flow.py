import contextlib

import pytest

from noria.console import Stage, flow_of
from noria.console.flow import bottleneck, flow_table, longest, stages_of
from noria.ledger import open_ledger


def finished(facts=None, after=(), began=0.0, ended=1.0, queued=0.0, **more):
    return {
        "key": "0" * 32,
        "after": list(after),
        "queued": queued,
        "times": {"ready": began - queued, "began": began, "ended": ended},
        "meters": {"wall_seconds": ended - began, "read_bytes": 10, "written_bytes": 20},
        "outcome": {"outputs": {}, "facts": facts or {}},
        **more,
    }


@pytest.fixture
def ledger(tmp_path):
    with contextlib.closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db")) as opened:
        yield opened


def life(ledger, run="r1", end="run.finished"):
    ledger.append("run.started", "project:p", run=run, body={})
    ledger.append("step.finished", "ingest:a", run=run, body=finished({"read": 100, "kept": 90}, ended=2.0))
    ledger.append("step.finished", "ingest:b", run=run, body=finished({"read": 7, "kept": 7}, ended=1.0))
    ledger.append("alarm.raised", "ingest:a", run=run, body={"text": "few rows", "step": "ingest:a"})
    made = finished({"rows": 97}, ["ingest:a", "ingest:b"], 2.0, 3.0, queued=0.5)
    ledger.append("step.finished", "set", run=run, body=made)
    trained = finished({"rows": {"train": 60, "validate": 20}}, ["set"], 3.0, 13.0)
    ledger.append("step.finished", "train", run=run, body=trained)
    ledger.append("step.finished", "evaluate", run=run, body=finished({"rows": 17}, ["set", "train"], 13.0, 14.0))
    if end:
        ledger.append(end, "project:p", run=run, body={"error": "x is gone"} if end == "run.failed" else {})


def test_rows_bytes_and_times_of_each_step(ledger):
    life(ledger)
    flow = flow_of(ledger)
    assert (flow.run, flow.state) == ("r1", "finished")
    rows = {stage.name: (stage.rows_in, stage.rows_out) for stage in flow.stages}
    assert rows == {"ingest:a": (100, 90), "ingest:b": (7, 7), "set": (97, 97), "train": (97, 80), "evaluate": (97, 17)}
    made = flow.stages[2]
    assert (made.read, made.written, made.seconds, made.queued) == (10, 20, 1.0, 0.5)
    assert flow.stages[0].alarms == ("few rows",)


def test_the_longest_chain_and_its_bottleneck_are_named(ledger):
    life(ledger)
    flow = flow_of(ledger)
    assert [stage.name for stage in flow.stages if stage.longest] == ["ingest:a", "set", "train", "evaluate"]
    assert flow.bottleneck == (
        "train, 10.0 s of 14.5 s (69.0%), in the longest chain of steps: ingest:a → set → train → evaluate"
    )


def test_waiting_for_a_core_can_be_the_bottleneck():
    stages = longest([Stage("a", seconds=1.0), Stage("b", ("a",), seconds=1.0, queued=5.0)])
    assert bottleneck(stages).startswith("waiting for a free core, 5.00 s of 7.00 s (71.4%)")


def test_a_failed_run_says_where_and_why(ledger):
    ledger.append("run.started", "project:p", run="r", body={})
    times = {"ready": 0, "began": 0, "ended": 2}
    failed = {"key": "0", "error": "no such column", "exit": 3, "queued": 0.1, "times": times}
    ledger.append("step.failed", "ingest:a", run="r", body=failed)
    ledger.append("run.failed", "project:p", run="r", body={"error": "no such column", "step": "ingest:a"})
    flow = flow_of(ledger)
    assert flow.state == "failed"
    assert [(stage.name, stage.error, stage.seconds) for stage in flow.stages] == [("ingest:a", "no such column", 2.0)]


def test_the_last_run_unless_another_is_named(ledger):
    assert flow_of(ledger) is None
    life(ledger)
    life(ledger, run="r2", end="run.failed")
    assert flow_of(ledger).run == "r2"
    assert flow_of(ledger).error == "x is gone"
    assert flow_of(ledger, "r1").state == "finished"
    assert flow_of(ledger, "r3") is None
    life(ledger, run="r4", end="")
    assert flow_of(ledger).state == "running"


def test_steps_of_older_ledgers_have_no_times(ledger):
    ledger.append("run.started", "project:p", run="r", body={})
    old = {"key": "0", "meters": {"wall_seconds": 3.0}, "outcome": {"outputs": {}, "facts": {}}}
    ledger.append("step.finished", "train", run="r", body=old)
    [stage] = flow_of(ledger).stages
    assert (stage.seconds, stage.queued, stage.rows_in, stage.after) == (3.0, 0.0, None, ())


def test_a_step_that_was_tried_again_counts_as_it_ended_last(ledger):
    ledger.append("run.started", "project:p", run="r", body={})
    ledger.append("step.failed", "a", run="r", body={"key": "0", "error": "away"})
    ledger.append("step.finished", "a", run="r", body=finished())
    [stage] = flow_of(ledger).stages
    assert stage.error == ""


def test_the_report_has_the_same_figures(ledger):
    life(ledger)
    table = flow_table(ledger.events())
    assert table["text"].startswith("5 steps. Bottleneck: train, 10.0 s")
    assert table["rows"][0]["rows_in"] == "100"
    assert table["alarms"] == ["few rows"]
    assert flow_table([]) == {"text": "No step has run yet.", "rows": [], "alarms": []}


def test_alarms_of_a_rehearsal_are_not_the_run_s(ledger):
    ledger.append("step.finished", "rehearse", run="r", body=finished())
    ledger.append("alarm.raised", "rehearsal:late@2025-01-01", run="r", body={"text": "drift", "step": "rehearse"})
    [stage] = stages_of(ledger.events())
    assert stage.alarms == ()


def test_of_a_source_that_is_read_on_only_what_came_this_time_went_through(ledger):
    read = finished({"read": 1000, "kept": 990, "load": {"read": 5, "kept": 4}})
    ledger.append("step.finished", "ingest:a", run="r", body=read)
    ledger.append("step.finished", "set", run="r", body=finished({"rows": 980}, ["ingest:a"], 1.0, 2.0))
    rows = [(stage.rows_in, stage.rows_out) for stage in stages_of(ledger.events())]
    assert rows == [(5, 4), (990, 980)]  # what reads a table reads all of it
