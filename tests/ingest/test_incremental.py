"""Sources that are read on: each row is there once, late ones too, and a row takes the place of its elder."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.contracts import between
from noria.core import DataError, DeclarationError
from noria.declarations import Contract, Incremental
from noria.lake import open_lake


def total(facts):
    return facts["kept"] + facts["quarantined"] + facts["dropped"]


def test_what_is_new_is_appended_and_nothing_else_is_written(world, at):
    source = world.source("cursor", event_time="at", incremental=Incremental("at"))
    world.says([{"id": 1, "at": at(1), "n": 1}, {"id": 2, "at": at(2), "n": 2}])
    first = world.load(source)
    again = world.load(source)
    assert again.outputs == first.outputs
    assert again.facts["kept"] == first.facts["kept"] == 2
    world.says([{"id": 1, "at": at(1), "n": 1}], [{"id": 3, "at": at(3), "n": 3}])
    second = world.load(source)
    assert world.values(second, "id") == [1, 2, 3]
    assert world.values(second, "_row") == [1, 2, 3]
    assert second.facts["load"] == {
        "read": 1, "kept": 1, "quarantined": 0, "known": 0, "superseded": 0, "deleted": 0, "dropped": 0,
        "whole": False,
    }  # fmt: skip
    assert len(open_lake(world.workspace.lake).versions("data")) == 2


def test_a_row_committed_late_behind_the_cursor_arrives(world, at):
    """dlt#2269: the cursor had passed 2 when the row of 1.5 was committed."""
    source = world.source(event_time="at", incremental=Incremental("at", lookback="2h"))
    world.says([{"id": 1, "at": at(1), "n": 1}, {"id": 2, "at": at(2), "n": 2}])
    world.load(source)
    world.says([{"id": 1, "at": at(1), "n": 1}, {"id": 3, "at": at(1.5), "n": 9}, {"id": 2, "at": at(2), "n": 2}])
    outcome = world.load(source)
    assert sorted(world.values(outcome, "id")) == [1, 2, 3]
    assert outcome.facts["load"]["known"] == 2
    assert outcome.facts["late"] == {
        "rows": 1, "too_late": 0, "from": "2026-01-01T01:30:00+00:00", "to": "2026-01-01T01:30:00+00:00",
    }  # fmt: skip
    assert [event["kind"] for event in outcome.events] == ["contract.checked", "table.written", "data.late"]


def test_equal_rows_are_as_many_as_the_source_has(world, at):
    row = {"id": 1, "at": at(1), "n": 1}
    source = world.source(event_time="at", incremental=Incremental("at"))
    world.says([row, row])
    world.load(source)
    world.says([row, row, row])
    assert world.values(world.load(source), "id") == [1, 1, 1]


def test_updates_and_deletes_merge_by_key(world, at):
    how = Incremental("at", deleted="gone")
    source = world.source("cursor", event_time="at", incremental=how, contract=Contract(key="id"))
    world.says([{"id": i, "at": at(i), "n": i, "gone": False} for i in (1, 2, 3)])
    world.load(source)
    world.says([], [
        {"id": 1, "at": at(11), "n": 10, "gone": False}, {"id": 1, "at": at(10), "n": 9, "gone": False},
        {"id": 2, "at": at(12), "n": 2, "gone": True}, {"id": 4, "at": at(13), "n": 4, "gone": False},
    ])  # fmt: skip
    outcome = world.load(source)
    assert {row["id"]: row["n"] for row in world.rows(outcome)} == {1: 10, 3: 3, 4: 4}
    facts = outcome.facts
    assert (facts["read"], facts["kept"], facts["dropped"]) == (7, 3, 4)
    assert facts["read"] == total(facts)
    assert facts["load"]["superseded"] == 1
    assert facts["load"]["deleted"] == 1


def test_an_elder_version_that_comes_late_does_not_win(world, at):
    source = world.source(event_time="at", incremental=Incremental("at"), contract=Contract(key="id"))
    world.says([{"id": 1, "at": at(5), "n": 5}])
    world.load(source)
    world.says([{"id": 1, "at": at(5), "n": 5}, {"id": 1, "at": at(4), "n": 4}])
    assert world.values(world.load(source), "n") == [5]


def test_a_version_that_breaks_the_contract_waits_apart_until_a_better_one_comes(world, at):
    contract = Contract(key="id", rules=[between("n", 0, 50, on_fail="quarantine")])
    source = world.source("cursor", event_time="at", incremental=Incremental("at"), contract=contract)
    world.says([{"id": 1, "at": at(1), "n": 1}])
    world.load(source)
    world.says([], [{"id": 1, "at": at(2), "n": 99}])
    worse = world.load(source)
    assert (world.values(worse, "n"), world.values(worse, "n", "quarantine")) == ([1], [99])
    world.says([], [], [{"id": 1, "at": at(3), "n": 3}])
    better = world.load(source)
    assert (world.values(better, "n"), world.rows(better, "quarantine")) == ([3], [])
    assert better.facts["read"] == total(better.facts) == 3


def test_a_key_that_is_there_already_is_set_aside_where_rows_are_appended(world, at):
    how = Incremental("at", update="append")
    source = world.source("cursor", event_time="at", incremental=how, contract=Contract(key="id"))
    world.says([{"id": 1, "at": at(1), "n": 1}])
    world.load(source)
    world.says([], [{"id": 1, "at": at(2), "n": 2}, {"id": 2, "at": at(2), "n": 2}])
    outcome = world.load(source)
    assert (world.values(outcome, "id"), world.values(outcome, "id", "quarantine")) == ([1, 2], [1])
    assert outcome.facts["reasons"] == {"key (id)": 1}


@pytest.mark.parametrize("update", ["append", "merge"])
def test_a_changed_contract_meets_the_rows_that_are_there(world, at, update):
    how = Incremental("at", update=update)
    wide = Contract(key="id", rules=[between("n", 0, 50, on_fail="quarantine")])
    world.says([{"id": i, "at": at(i), "n": n} for i, n in enumerate((10, 60, 30))])
    world.load(world.source("cursor", event_time="at", incremental=how, contract=wide))
    narrow = Contract(key="id", rules=[between("n", 20, 100, on_fail="quarantine")])
    source = world.source("cursor", event_time="at", incremental=how, contract=narrow)
    world.says([], [{"id": 9, "at": at(9), "n": 40}])
    outcome = world.load(source)
    assert (world.values(outcome, "n"), world.values(outcome, "n", "quarantine")) == ([60, 30, 40], [10])
    assert outcome.facts["read"] == total(outcome.facts) == 4
    assert world.load(source).outputs == outcome.outputs


def test_another_declaration_reads_from_the_beginning(world, at):
    world.says([{"id": 1, "at": at(1), "n": 1}], [{"id": 2, "at": at(2), "n": 2}])
    how = Incremental("at")
    world.load(world.source("cursor", event_time="at", incremental=how))
    outcome = world.load(world.source("cursor", event_time="at", incremental=how, columns={"twice": "n * 2"}))
    assert world.values(outcome, "twice") == [2, 4]
    assert world.values(outcome, "_row") == [1, 2]


def test_what_cannot_tell_what_is_new_is_refused(world):
    world.says([{"id": 1}])
    with pytest.raises(DeclarationError, match="cannot tell what is new"):
        world.load(world.source(incremental=Incremental()))


@pytest.mark.parametrize("writes", [0, 1, 2])
@pytest.mark.parametrize("update", ["append", "merge"])
def test_a_death_at_any_write_leaves_each_row_there_once(world, at, monkeypatch, writes, update):
    """The load dies after some of its commits, and rows come before the next try."""
    contract = Contract(key="id", rules=[between("n", 0, 50, on_fail="quarantine")])
    source = world.source("cursor", event_time="at", incremental=Incremental("at", update=update), contract=contract)
    world.says([{"id": 1, "at": at(1), "n": 1}, {"id": 2, "at": at(2), "n": 99}])
    world.load(source)
    batches = [[], [{"id": 3, "at": at(3), "n": 3}, {"id": 4, "at": at(4), "n": 98}]]
    world.says(*batches)
    kind, left = type(open_lake(world.workspace.lake)), [writes]
    write = kind.write

    def dying(self, *args, **named):
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return write(self, *args, **named)

    monkeypatch.setattr(kind, "write", dying)
    if writes < 2:
        with pytest.raises(KeyboardInterrupt):
            world.load(source)
    else:
        world.load(source)  # it died after the last commit, before the ledger was told
    monkeypatch.setattr(kind, "write", write)
    world.says(*batches, [{"id": 5, "at": at(5), "n": 5}])
    outcome = world.load(source)
    assert (world.values(outcome, "id"), sorted(world.values(outcome, "id", "quarantine"))) == ([1, 3, 5], [2, 4])
    assert outcome.facts["read"] == total(outcome.facts) == 5


rows = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 9)), max_size=6)


@settings(max_examples=25, deadline=None)
@given(loads=st.lists(rows, min_size=1, max_size=4))
def test_merged_load_by_load_is_merged_at_once(tmp_path_factory, a_world, loads):
    """Whatever the loads, what is there is the newest version of each key, and every row that was read is counted."""
    world = a_world(tmp_path_factory.mktemp("world"))
    how, contract = Incremental("n", update="merge"), Contract(key="id")
    source = world.source("cursor", incremental=how, contract=contract)
    said, newest = [[{"id": 0, "n": 0}]], {0: 0}
    for load in [[], *loads]:
        said = said if not load else [*said, [{"id": key, "n": value} for key, value in load]]
        world.says(*said)
        outcome = world.load(source)
        for key, value in load:
            newest[key] = max(value, newest.get(key, -1))
        assert {row["id"]: row["n"] for row in world.rows(outcome)} == newest
        assert outcome.facts["kept"] == len(newest)
        assert outcome.facts["read"] == total(outcome.facts)


def test_no_row_at_all_is_an_error_at_first_and_nothing_later(world, at):
    source = world.source("cursor", event_time="at", incremental=Incremental("at"))
    world.says()
    with pytest.raises(DataError, match="no row"):
        world.load(source)


@pytest.mark.parametrize("update", ["append", "merge"])
def test_a_new_column_joins_rows_that_are_there(world, at, update):
    how = Incremental("at", lookback="9h", update=update)
    source = world.source(event_time="at", incremental=how, contract=Contract(key="id"))
    first = {"id": 1, "at": at(1), "n": 1}
    world.says([first])
    world.load(source)
    world.says([{**first, "note": None}, {"id": 2, "at": at(2), "n": 2, "note": "new"}])
    outcome = world.load(source)
    assert world.values(outcome, "note") == [None, "new"]
    assert outcome.facts["load"]["known"] == 1


def test_where_nothing_came_nothing_is_said_to_have_come(world, at):
    source = world.source("cursor", event_time="at", incremental=Incremental("at"))
    world.says([{"id": 1, "at": at(1), "n": 1}])
    world.load(source)
    facts = world.load(source).facts
    assert (facts["kept"], facts["load"]["read"], facts["late"]["rows"]) == (1, 0, 0)
