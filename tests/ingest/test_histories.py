"""Random histories of a source that is read on, beside a naive oracle: what is there is what anybody would expect."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria import ingest
from noria.contracts import between
from noria.core import TransientError
from noria.declarations import Contract, Incremental
from noria.ingest import by_key
from noria.lake import open_lake
from noria.steps import StepContext

GOOD, WIDE = (0, 5), (-3, 9)


class Oracle:
    """A table and its quarantine as two dictionaries: of each key the newest row that holds, and one after it that does
    not."""

    def __init__(self):
        self.kept, self.aside, self.bounds = {}, {}, GOOD

    def load(self, rows):
        newest = {}
        for key, value in rows:
            newest[key] = value
        for key, value in newest.items():
            if self.kept.get(key) == value:
                self.aside.pop(key, None)
            elif self.aside.get(key) != value:
                self._put(key, value)

    def _put(self, key, value):
        if self.bounds[0] <= value <= self.bounds[1]:
            self.kept[key] = value
            self.aside.pop(key, None)
        else:
            self.aside[key] = value

    def rule(self, bounds):
        self.bounds = bounds
        kept, aside, self.kept, self.aside = self.kept, self.aside, {}, {}
        for one in (kept, aside):
            for key, value in one.items():
                self._put(key, value)


actions = st.lists(
    st.one_of(
        st.tuples(st.just("rows"), st.lists(st.tuples(st.integers(1, 3), st.integers(-4, 10)), min_size=1, max_size=3)),
        st.tuples(st.sampled_from(["quiet", "deaf", "dies", "retried", "narrow", "wide"]), st.just([])),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(history=actions, at_once=st.sampled_from([1, by_key.MOST_AT_ONCE]))
def test_whatever_happens_what_is_there_is_what_the_oracle_says(tmp_path_factory, a_world, a_log, history, at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_key, "PARTS", 3)
        patch.setattr(by_key, "MOST_AT_ONCE", at_once)
        is_what_the_oracle_says(a_world(tmp_path_factory.mktemp("history")), a_log, history)


def is_what_the_oracle_says(world, a_log, history):
    oracle, said, bounds = Oracle(), [[{"id": 0, "n": 0}]], GOOD

    def source():
        contract = Contract(key="id", rules=[between("n", *bounds, on_fail="quarantine")])
        how = Incremental(update="merge")
        return world.source("log", incremental=how, contract=contract).replace(origin=a_log(str(world.script)))

    def load(key=None):
        world.number += 1
        step = ingest.steps(world.project(source()), world.folder, world.workspace)[0]
        return step.function(StepContext(world.workspace, key or f"key{world.number}", {}, clock=world.clock))

    world.says(*said)
    oracle.load([(0, 0)])
    outcome = load()
    for action, rows in history:
        if action == "rows":
            said.append([{"id": key, "n": value} for key, value in rows])
            world.says(*said)
            oracle.load(rows)
        elif action in ("narrow", "wide"):
            bounds = GOOD if action == "narrow" else WIDE
            if bounds != oracle.bounds:
                oracle.rule(bounds)
        elif action == "deaf":
            Path(f"{world.script}.deaf").touch()
        elif action in ("dies", "retried"):
            more = [(1, 7), (2, 1)]
            with pytest.MonkeyPatch.context() as patch:
                kind = type(open_lake(world.workspace.lake))
                write = kind.write

                def dying(self, table, *args, write=write, **named):
                    if not table.endswith("__quarantine"):
                        raise TransientError("the disk is away")
                    return write(self, table, *args, **named)

                patch.setattr(kind, "write", dying)
                fresh = (3, 100 + len(said))  # so that there is something to write
                said.append([{"id": fresh[0], "n": fresh[1]}])
                world.says(*said)
                oracle.load([fresh])
                with pytest.raises(TransientError):
                    load("same")
            if action == "retried":
                said.append([{"id": key, "n": value} for key, value in more])
                world.says(*said)
                oracle.load(more)
                load("same")
                continue
        outcome = load()
    outcome = load()
    assert {row["id"]: row["n"] for row in world.rows(outcome)} == oracle.kept
    assert {row["id"]: row["n"] for row in world.rows(outcome, "quarantine")} == oracle.aside
    facts = outcome.facts
    assert facts["read"] == facts["kept"] + facts["quarantined"] + facts["dropped"]
    assert (facts["kept"], facts["quarantined"]) == (len(oracle.kept), len(oracle.aside))
    assert sum(facts["reasons"].values()) == len(oracle.aside)


def test_two_loads_from_one_state_do_not_both_count(world, at, monkeypatch):
    source = world.source("cursor", event_time="at", incremental=Incremental("at"))
    world.says([{"id": 1, "at": at(1)}])
    world.load(source)
    world.says([{"id": 1, "at": at(1)}], [{"id": 9, "at": at(9)}])
    steps = [ingest.steps(world.project(source), world.folder, world.workspace)[0] for _ in range(2)]
    kind = type(open_lake(world.workspace.lake))
    write, second = kind.write, []

    def overtaken(self, *args, **named):
        if not second:
            second.append("begun")
            steps[1].function(StepContext(world.workspace, "second", {}, clock=world.clock))
        return write(self, *args, **named)

    monkeypatch.setattr(kind, "write", overtaken)
    with pytest.raises(TransientError, match="another writer was first"):
        steps[0].function(StepContext(world.workspace, "first", {}, clock=world.clock))
    assert world.values(world.load(source), "id") == [1, 9]


def test_a_file_that_was_taken_away_takes_no_row_with_it(tmp_path, a_world):
    """Files that were read are often moved out of the way."""
    from noria.declarations import Source
    from noria.ledger import open_ledger
    from noria.plan import plan_steps
    from noria.run import execute

    (tmp_path / "world").mkdir()
    world = a_world(tmp_path / "world")
    data = world.folder / "data"
    data.mkdir()
    project = world.project(Source("data", "data/*.csv", incremental=Incremental()))

    def run():
        with contextlib.closing(open_ledger(world.workspace.ledger)) as ledger:
            plan = plan_steps(project, ingest.steps(project, world.folder, world.workspace), world.workspace, ledger)
            return execute(plan, world.workspace, ledger)

    (data / "a.csv").write_text("id\n1\n")
    run()
    (data / "b.csv").write_text("id\n2\n")
    assert world.values(run().outcomes["ingest:data"], "id") == [1, 2]
    (data / "b.csv").rename(world.folder / "b.csv")
    assert world.values(run().outcomes["ingest:data"], "id") == [1, 2]
    (data / "c.csv").write_text("id\n3\n")
    assert world.values(run().outcomes["ingest:data"], "id") == [1, 2, 3]
    assert run().executed == ()


def test_a_row_of_another_file_is_another_row(world, tmp_path):
    from noria.declarations import Source

    data = tmp_path / "data"
    data.mkdir()
    source = Source("data", str(data / "*.csv"), incremental=Incremental())
    (data / "a.csv").write_text("n\n1\n")
    (data / "b.csv").write_text("n\n1\n")
    world.load(source)
    (data / "b.csv").write_text("n\n1\n1\n2\n")
    assert sorted(world.values(world.load(source), "n")) == [1, 1, 1, 2]


@pytest.mark.parametrize("update", ["append", "merge"])
def test_a_type_may_grow_wider_where_rows_are_added(world, update):
    from noria.declarations import Evolution

    contract = Contract(key="id") if update == "merge" else Contract()
    source = world.source("cursor", incremental=Incremental("id", update=update), contract=contract,
                          evolution=Evolution(type="add"))  # fmt: skip
    world.says([{"id": 1, "x": 1}])
    world.load(source)
    world.says([], [{"id": 2, "x": 2.5}])
    assert sorted(world.values(world.load(source), "x")) == [1.0, 2.5]


def test_a_changed_contract_says_nothing_new_of_when_rows_came(world, at):
    def source(most):
        contract = Contract(rules=[between("n", 0, most, on_fail="quarantine")])
        return world.source("cursor", event_time="at", incremental=Incremental("id"), lateness="1h",
                            on_late="quarantine", contract=contract)  # fmt: skip

    world.says([{"id": 1, "at": at(-50), "n": 1}, {"id": 2, "at": at(0), "n": 5}])
    world.load(source(9))
    outcome = world.load(source(4), hours=100)
    assert (world.values(outcome, "id"), world.values(outcome, "id", "quarantine")) == ([1], [2])


def test_a_time_that_breaks_the_contract_is_not_how_far_the_source_is(world, at):
    rule = between("n", 0, 9, on_fail="quarantine")
    source = world.source("cursor", event_time="at", incremental=Incremental("id"), contract=Contract(rules=[rule]))
    world.says([{"id": 1, "at": at(1), "n": 1}, {"id": 2, "at": at(600_000), "n": 99}])
    world.load(source)
    world.says([], [{"id": 3, "at": at(2), "n": 3}])
    assert world.load(source).facts["late"]["rows"] == 0
