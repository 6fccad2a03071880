"""What other tools get wrong with the data that they load: each test is named after the issue that tells it."""

import gc
import json
import sqlite3
from pathlib import Path

import polars as pl
import pytest
from tests.ingest.conftest import SPLIT

import noria as nr
from noria import features
from noria.core import DataError, ResourceError
from noria.declarations import Contract, Endpoint, FeatureView, Incremental, Project, Search, Spine
from noria.lake import open_lake
from noria.lake.delta import log
from noria.steps import StepContext


def total(facts):
    return facts["kept"] + facts["quarantined"] + facts["dropped"]


def test_dlt_2269_a_row_that_is_committed_late_behind_the_cursor_arrives(world):
    """Two writers: the one with the smaller cursor commits after the cursor has passed it."""
    file = world.folder / "shop.db"
    with sqlite3.connect(file) as database:
        database.execute("create table orders (id integer, seen integer)")
        database.executemany("insert into orders values (?, ?)", [(1, 10), (2, 30)])
    how = Incremental("seen", lookback=15)
    source = world.source().replace(origin=nr.sql(f"sqlite:///{file}", table="orders"), incremental=how)
    assert world.values(world.load(source), "id") == [1, 2]
    with sqlite3.connect(file) as database:
        database.executemany("insert into orders values (?, ?)", [(3, 20), (4, 40)])
    outcome = world.load(source)
    assert sorted(world.values(outcome, "id")) == [1, 2, 3, 4]
    assert outcome.facts["load"]["known"] == 1
    assert outcome.facts["read"] == total(outcome.facts) == 4


def test_dlt_1772_a_frozen_schema_names_the_row_that_does_not_fit(world):
    source = world.source("cursor", incremental=Incremental())
    source = source.replace(origin=source.origin.replace(way="files"))
    world.says([{"id": 1, "n": 1}])
    world.load(source)
    world.says([{"id": 1, "n": 1}], [{"id": 2, "n": 2}], [{"id": 3, "n": 3}, {"id": 4, "n": "many"}])
    with pytest.raises(DataError) as caught:
        world.load(source)
    assert "the column 'n' was int" in caught.value.message
    assert caught.value.value == "batch 3, row 2: many"
    assert "evolution=" in caught.value.mend


@pytest.mark.parametrize("update", ["append", "merge"])
def test_dlt_4052_rows_are_not_there_twice_when_the_state_cannot_be_written(world, at, monkeypatch, update):
    """There rows were loaded, the state was not, and the next load brought them again. Here they are one commit."""
    source = world.source(
        "cursor", event_time="at", incremental=Incremental("at", update=update), contract=Contract(key="id")
    )
    batches = [[{"id": 1, "at": at(1), "n": 1}], [{"id": 2, "at": at(2), "n": 2}]]
    world.says(batches[0])
    first = world.load(source)
    world.says(*batches)

    def full(state):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(log, "with_state", full)
        with pytest.raises(ResourceError, match="disk is full"):
            world.load(source)
    lake = open_lake(world.workspace.lake)
    assert [one.version for one in lake.versions("data")] == [0]
    assert world.values(first, "id") == lake.read("data").collect()["id"].to_list()
    outcome = world.load(source)
    assert world.values(outcome, "id") == [1, 2]
    assert outcome.facts["read"] == 2


RULES = [
    nr.between("n", 0, 5), nr.not_null("n"), nr.unique("id"), nr.expression("n < 3"), nr.monotonic("id"),
    nr.aggregate("SUM(n) < 3"), nr.matches("word", "^a"), nr.duplicates("id"), nr.outliers("id", "z", width=0.1),
]  # fmt: skip


def rows_that_are_wrong():
    words = pl.Series(["a", "b"]).gather(pl.int_range(3000, eager=True) % 2)
    numbers = pl.int_range(3000, eager=True)
    return pl.DataFrame({"id": numbers % 2999, "n": (numbers % 7).replace(3, None), "word": words})


def test_pandera_1776_no_check_is_passed_over_on_a_lazy_frame(tmp_path):
    """There only the schema of a lazy frame was looked at, and data that was wrong passed."""
    frame = rows_that_are_wrong()
    frame.write_parquet(tmp_path / "rows.parquet")
    contract = Contract(rules=RULES)
    eager = nr.check(frame, contract)
    assert all(verdict.failed for verdict in eager.verdicts if verdict.on_fail == "fail")
    for lazy in (frame.lazy(), pl.scan_parquet(tmp_path / "rows.parquet"), frame.lazy().filter(pl.col("id") >= 0)):
        report = nr.check(lazy, contract)
        assert [(one.rule, one.failed) for one in report.verdicts] == [(one.rule, one.failed) for one in eager.verdicts]
        assert not report.passed


def test_pointblank_407_more_rules_do_not_run_the_plan_again():
    """There each step ran the lazy plan anew, and all of them again when one more was added."""
    runs = []

    def counted(frame):
        runs.append(len(frame))
        return frame

    def times_run(rules):
        runs.clear()
        lazy = frame.lazy().map_batches(counted, schema=frame.schema)
        report = nr.check(lazy, Contract(rules=rules))
        return report.passed, sum(runs) / len(frame)

    frame = rows_that_are_wrong().head(2999).select("id", pl.col("n").fill_null(0), pl.lit("a").alias("word"))
    holding = [nr.between("n", 0, 9), nr.not_null("n"), nr.unique("id"), nr.expression("n < 7"), nr.monotonic("id"),
               nr.aggregate("SUM(n) > 3"), nr.matches("word", "^a"), nr.duplicates(), nr.outliers("id")]  # fmt: skip
    assert times_run(holding[:1]) == times_run(holding) == times_run(holding * 5) == (True, 1)
    frame = rows_that_are_wrong()
    assert times_run(RULES) == times_run(RULES * 5) == (False, 2), "the second time it is to show some of the rows"


def memory_used():
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


@pytest.mark.parametrize("update", ["append", "merge"])
def test_dlt_2928_gx_4774_memory_and_state_do_not_grow_with_the_run(world, at, update):
    """Loads of one size, one after the other in one process: the thirtieth holds what the tenth held."""
    contract = Contract(key="id", rules=[
        nr.between("n", 0, 18, on_fail="quarantine"), nr.one_of("word", ["a", "b"], on_fail="quarantine"),
        nr.volume(on_fail="warn"), nr.distribution("n", on_fail="warn"), nr.unique("id", on_fail="warn"),
    ])  # fmt: skip
    source = world.source("cursor", event_time="at", incremental=Incremental("at", update=update), contract=contract)
    sizes, used = [], []
    for load in range(30):
        first = load * 500
        rows = [{"id": i, "n": i % 20, "word": "ab"[i % 2], "at": at(i / 10)} for i in range(first, first + 500)]
        world.says(*[[]] * load, rows)
        outcome = world.load(source)
        state = open_lake(world.workspace.lake).state("data")
        # The volume of 400 loads is remembered, and no more.
        remembered = {rule: memory for rule, memory in state.pop("memory").items() if rule != nr.volume().text}
        sizes.append(len(json.dumps([state, remembered])))
        used.append(memory_used())
    assert outcome.facts["read"] == total(outcome.facts) == 15_000
    assert len(outcome.facts["verdicts"]) == len(contract.rules) + 1
    assert sizes[-1] < 1.1 * sizes[5]
    assert used[-1] < used[9] + 30


def test_feast_4133_a_row_that_comes_late_repairs_the_training_set_and_is_told(world, at):
    """There late data lay in the offline store, and what was made before did not say that it would differ."""
    source = world.source(
        "cursor", event_time="at", incremental=Incremental("at", lookback="100d"), known_before=["who", "at"]
    )
    view = FeatureView("who", source, keys="who", aggregates=[nr.count(windows=["7d"])])
    spine = Spine(source, time="at - INTERVAL '1 hour'", label="n > 1", known="at")
    project = Project(
        "small", spine=spine, features=[view], endpoint=Endpoint("e"), search=Search("binary", split=SPLIT)
    )

    def made(outcome):
        (step,) = (one for one in features.steps(project) if one.name == "training-set")
        name = f"ingest:{source.name}"
        key = f"set{world.number}"
        return step.function(StepContext(world.workspace, key, {name: outcome}, clock=world.clock))

    rows = [{"id": i, "who": "a", "n": i % 3, "at": at(24 * i)} for i in range(6)]
    world.says(rows)
    first = made(world.load(source))
    assert not first.events
    world.says(rows, [{"id": 99, "who": "a", "n": 2, "at": at(40)}])
    outcome = world.load(source)
    assert [event["kind"] for event in outcome.events][-1] == "data.late"
    second = made(outcome)
    (event,) = second.events
    assert (event["kind"], event["subject"]) == ("data.repaired", first.outputs["set"])
    assert (event["body"]["added"], event["body"]["gone"]) == (1, 0)
    assert event["body"]["differ"] == 4, "those after it, within a week"
    assert event["body"]["features"] == {"who_count_7d": {"rows": 4, "most": 1.0}}
    assert not made(outcome).events, "nothing came since"
