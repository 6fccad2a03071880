"""Rows of a source with types are checked and written while it is read: what comes of them is what came before."""

import pytest

from noria.contracts import between, unique
from noria.core import DataError, TransientError
from noria.declarations import Contract, Incremental, Source
from noria.ingest import load
from noria.ingest.spool import Spool
from noria.lake import open_lake
from noria.sources.formats import delimited

ONE = [{"id": i, "n": i * 1.5, "kind": "ab"[i % 2]} for i in range(1, 9)]
TWO = [{"id": i, "n": i * 1.5, "kind": "ab"[i % 2]} for i in range(9, 13)]


def files(world):
    """The files of the table, whether it names them or not."""
    return sorted(path.name for path in (world.folder / ".noria" / "lake" / "data").glob("*.parquet"))


@pytest.fixture
def spooled(monkeypatch):
    """How many batches waited before rows were checked."""
    found, add = [], Spool.add

    def counted(self, frame, *, hold=True):
        if self._folder.name in ("raw", "kept") and hold:
            found.append(self._folder.name)
        add(self, frame, hold=hold)

    monkeypatch.setattr(Spool, "add", counted)
    return found


def test_only_the_first_batch_waits(world, spooled):
    world.says(ONE, TWO, TWO)
    outcome = world.load(world.source(contract=Contract(rules=[between("n", 0, 12, on_fail="quarantine")])))
    assert spooled == ["raw"]
    assert world.values(outcome, "id") == [1, 2, 3, 4, 5, 6, 7, 8]
    assert world.values(outcome, "_row", "quarantine") == list(range(9, 17))
    assert {name: outcome.facts[name] for name in ("read", "kept", "quarantined")} == {
        "read": 16, "kept": 8, "quarantined": 8,
    }  # fmt: skip


@pytest.mark.parametrize("rules", [(), (between("n", 0, 12, on_fail="quarantine"), unique("kind", on_fail="warn")),
                                   (unique("kind", on_fail="quarantine"),)])  # fmt: skip
def test_it_is_what_the_same_rows_are_when_all_wait(a_world, tmp_path, monkeypatch, rules):
    found = []
    for name in ("straight", "waiting"):
        (tmp_path / name).mkdir()
        world = a_world(tmp_path / name)
        world.says(ONE, TWO, ONE)
        outcome = world.load(world.source(contract=Contract(key="id", rules=rules)))
        state = open_lake(world.workspace.lake).state("data")
        told = {name: state[name] for name in ("content", "kinds", "sketches", "rows", "position", "aside", "facts")}
        told["facts"].pop("made_of")
        found.append((world.rows(outcome), world.rows(outcome, "quarantine"), told))
        monkeypatch.setattr(load, "_tells", lambda load, layouts: False)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "odd",
    [
        [{"id": 13, "n": 1, "kind": "a"}],
        [{"id": 13, "n": 1.0, "kind": "a", "new": 1}],
        [{"id": 13, "n": 1.0}],
        [{"id": "x", "n": 1.0, "kind": "a"}],
        [{"id": 13, "n": None, "kind": "a"}],
    ],
)
def test_a_batch_of_another_form_makes_all_wait(a_world, tmp_path, monkeypatch, odd):
    said = []
    for name in ("straight", "waiting"):
        (tmp_path / name).mkdir()
        world = a_world(tmp_path / name)
        world.says(ONE, TWO, odd)
        try:
            outcome = world.load(world.source(contract=Contract(rules=[between("n", 0, 100)])))
            said.append((world.rows(outcome), outcome.facts["schema"], outcome.facts["load"], outcome.events))
            assert len(files(world)) == 1
        except DataError as error:
            said.append(str(error))
            assert files(world) == []
        monkeypatch.setattr(load, "_tells", lambda load, layouts: False)
    assert str(said[0]) == str(said[1])


def test_nothing_new_leaves_no_version_and_no_file(world):
    source = world.source(contract=Contract(key="id"))
    world.says(ONE, TWO)
    first = world.load(source)
    there = files(world)
    world.says([*ONE, *TWO])  # in other batches
    assert world.load(source).outputs == first.outputs
    assert files(world) == there


@pytest.mark.parametrize("wrong", ["rule", "down", "count"])
def test_what_ends_badly_leaves_all_as_it_was(world, wrong):
    rows = (1, 100) if wrong != "count" else (100, 200)
    source = world.source(contract=Contract(rules=[between("n", 0, 1000)], rows=(1, 100)), tries=1)
    world.says(ONE)
    first = world.load(source)
    there = files(world)
    more = [{"id": 9, "n": -1.0, "kind": "a"}] if wrong == "rule" else TWO
    world.says(ONE, more, stays=1 if wrong == "down" else 2)
    source = source.replace(contract=source.contract.replace(rows=rows))
    with pytest.raises(TransientError if wrong == "down" else DataError):
        world.load(source)
    assert files(world) == there
    assert world.values(first, "id") == [row["id"] for row in ONE]
    if wrong == "down":
        patient = world.load(source.replace(contract=source.contract.replace(max_age="10h")))
        assert patient.outputs == first.outputs
        assert [event["kind"] for event in patient.events] == ["alarm.raised"]


@pytest.mark.parametrize("update", ["append", "merge"])
def test_a_first_load_of_one_that_grows_goes_straight_and_the_next_goes_on(world, spooled, update):
    source = world.source("log", incremental=Incremental(update=update), contract=Contract(key="id"))
    world.says(ONE, TWO)
    world.load(source)
    assert spooled == ["raw"]
    world.says(ONE, TWO, [{"id": 13, "n": 0.5, "kind": "a"}])
    assert world.values(world.load(source), "id") == list(range(1, 14))


@pytest.fixture
def csv(a_world, tmp_path, monkeypatch, spooled):
    """Loads a CSV in blocks of a few rows, straight and with all rows waiting: what came of each, how many waited."""
    monkeypatch.setattr(delimited, "_BLOCK", 64)

    def load_both(values, **said):
        found, waited = [], []
        with monkeypatch.context() as patch:
            for name in ("straight", "waiting"):
                (tmp_path / name).mkdir()
                world = a_world(tmp_path / name)
                (world.folder / "data.csv").write_text("n,at\n" + "".join(f"{value},{AT}\n" for value in values))
                spooled.clear()
                outcome = world.load(Source("data", "data.csv", **said))
                waited.append(spooled.count("raw"))
                state = open_lake(world.workspace.lake).state("data")
                told = [state[name] for name in ("content", "kinds", "sketches", "rows", "aside")]
                # As texts, in which nan is itself.
                found.append(repr((world.rows(outcome), world.rows(outcome, "quarantine"), told)))
                patch.setattr(load, "_tells", lambda load, layouts: False)
        assert found[0] == found[1]
        return found[0], waited

    return load_both


AT = "2026-01-02 03:04:05"
WHOLE = [str(number) for number in range(40)]


def test_texts_without_types_go_straight(csv):
    _, (straight, waiting) = csv([*WHOLE, "", *WHOLE])
    assert straight == 1
    assert waiting > 10


@pytest.mark.parametrize("odd", ["2.5", "x", "nan", "007", "9" * 20, "true", "2026-01-02"])
def test_a_text_of_another_kind_makes_all_wait(csv, odd):
    _, (straight, waiting) = csv([*WHOLE, odd, *WHOLE])
    assert straight == 1 + waiting


@pytest.mark.parametrize("first", ["nan", ""])
def test_what_first_values_do_not_tell_is_waited_for(csv, first):
    _, (straight, waiting) = csv([*[first] * 9, *[str(number / 4) for number in range(40)]])
    assert 1 < straight < waiting


def test_columns_that_a_contract_types_are_not_guessed(csv):
    contract = Contract(types={"n": "int", "at": "timestamp"})
    came, (straight, _) = csv(["x", "y", *"123456789" * 3, "z"], contract=contract)
    assert straight == 1
    assert came.count("n is no int") == 3
