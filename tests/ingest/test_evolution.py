"""A source that is not as it was at first sight: each way has a policy, and each is told."""

import pytest

from noria.core import DataError
from noria.declarations import Contract, Evolution, Incremental

FIRST = [{"id": i, "place": f"NYC-{i:03}", "temp": 10.0 + i, "kind": "ab"[i % 2]} for i in range(20)]


def changed(rows, **columns):
    return [{**{k: v for k, v in row.items() if k not in columns}, **{k: f(row) for k, f in columns.items() if f}}
            for row in rows]  # fmt: skip


@pytest.fixture
def loaded(world):
    """A source at first sight; then what a test says of it."""

    def load(rows, **fields):
        source = world.source(contract=Contract(key="id"), **fields)
        if world.number == 0:
            world.says(FIRST, version="1")
            world.load(source)
        world.says(rows, version="1")
        return world.load(source)

    return load


def told(outcome):
    changes = [event["body"] for event in outcome.events if event["kind"] == "source.changed"]
    return [(change["what"], change["column"]) for change in changes]


def test_a_new_column_is_added_ignored_or_refused(world, loaded):
    more = changed(FIRST, wind=lambda row: 3)
    outcome = loaded(more)
    assert told(outcome) == [("new", "wind")]
    assert outcome.facts["schema"]["wind"] == "int"
    assert "rain" not in loaded(changed(more, rain=lambda row: 1), evolution=Evolution(new="ignore")).facts["schema"]
    with pytest.raises(DataError, match=r"'rain' .int. is new") as caught:
        loaded(changed(more, rain=lambda row: 1), evolution=Evolution(new="fail"))
    assert 'Evolution(new="add")' in caught.value.mend


def test_a_lost_column_is_refused_or_null_from_now_on(world, loaded):
    fewer = changed(FIRST, temp=None)
    with pytest.raises(DataError, match="'temp' is not there any more") as caught:
        loaded(fewer)
    assert 'map={"temp"' in caught.value.mend
    outcome = loaded(fewer, evolution=Evolution(lost="ignore"))
    assert told(outcome) == [("lost", "temp")]
    assert set(world.values(outcome, "temp")) == {None}


def test_a_renamed_column_is_guessed_by_its_content(world, loaded):
    renamed = changed(FIRST, temp=None, temperature=lambda row: row["temp"])
    with pytest.raises(DataError, match="'temp' seems to be called 'temperature' now") as caught:
        loaded(renamed)
    assert 'map={"temp": ["temp", "temperature"]}' in caught.value.mend
    outcome = loaded(renamed, evolution=Evolution(renamed="map"))
    assert told(outcome) == [("renamed", "temp")]
    assert world.values(outcome, "temp") == [row["temp"] for row in FIRST]
    assert "temperature" not in outcome.facts["schema"]


def test_what_is_not_alike_is_not_taken_for_renamed(world, loaded):
    with pytest.raises(DataError, match="is not there any more; new: other"):
        loaded(changed(FIRST, temp=None, other=lambda row: 1000.0 * row["id"]))


def test_a_map_keeps_both_versions_working(world, loaded):
    ways = {"temp": ["temp", "celsius", "(fahrenheit - 32) / 1.8"]}
    source = world.source(contract=Contract(key="id"), map=ways)
    world.says(FIRST[:5], changed(FIRST[5:10], temp=None, celsius=lambda row: row["temp"]),
               changed(FIRST[10:], temp=None, fahrenheit=lambda row: row["temp"] * 1.8 + 32))  # fmt: skip
    outcome = world.load(source)
    assert world.values(outcome, "temp") == pytest.approx([row["temp"] for row in FIRST])
    assert set(outcome.facts["schema"]) == {"_row", "id", "place", "kind", "temp"}


def test_another_type_is_refused_with_the_row_set_aside_or_widened(world, loaded):
    odd = changed(FIRST, id=lambda row: "x7" if row["id"] == 7 else str(row["id"]))
    with pytest.raises(DataError, match="'id' was int and has values of string now") as caught:
        loaded(odd)
    assert caught.value.value == "batch 1, row 8: x7"
    outcome = loaded(odd, evolution=Evolution(type="quarantine"))
    assert (outcome.facts["kept"], outcome.facts["quarantined"]) == (19, 1)
    assert "id is no int: x7" in world.values(outcome, "_reasons", "quarantine")[0]
    wider = loaded(odd, evolution=Evolution(type="add"))
    assert wider.facts["schema"]["id"] == "string"


def test_a_whole_number_may_stand_among_numbers_and_a_null_anywhere(world, loaded):
    outcome = loaded(changed(FIRST, temp=lambda row: int(row["temp"]), kind=lambda row: None))
    assert outcome.facts["schema"]["temp"] == "float"
    assert told(outcome) == []


def test_a_change_of_unit_is_told(world, loaded):
    fahrenheit = changed(FIRST, temp=lambda row: row["temp"] * 1.8 + 32)
    outcome = loaded(fahrenheit)
    assert told(outcome) == [("unit", "temp")]
    assert "times 1.8 plus 32" in outcome.events[-1]["body"]["text"]
    with pytest.raises(DataError, match="has its unit changed"):
        loaded(changed(FIRST, temp=lambda row: (row["temp"] * 1.8 + 32) * 60), evolution=Evolution(unit="fail"))


def test_a_new_category_is_told(world, loaded):
    outcome = loaded(changed(FIRST, kind=lambda row: "c" if row["id"] == 3 else row["kind"]))
    assert told(outcome) == [("category", "kind")]
    with pytest.raises(DataError, match="never had: d"):
        loaded(changed(FIRST, kind=lambda row: "d"), evolution=Evolution(category="fail"))
    assert told(loaded(changed(FIRST, kind=lambda row: "e"), evolution=Evolution(category="ignore"))) == []


def test_another_api_version_is_refused_or_told(world, loaded):
    loaded(FIRST)
    world.says(changed(FIRST, id=lambda row: row["id"] + 100), version="2")
    with pytest.raises(DataError, match="answers in version 2, not 1"):
        world.load(world.source(contract=Contract(key="id")))
    outcome = world.load(world.source(contract=Contract(key="id"), evolution=Evolution(version="warn")))
    assert told(outcome) == [("version", "")]


def test_a_failed_load_leaves_all_as_it_was(world, loaded):
    before = loaded(FIRST)
    with pytest.raises(DataError):
        loaded(changed(FIRST, temp=None))
    assert loaded(FIRST).outputs == before.outputs


def test_what_json_leaves_out_is_null_and_not_lost(world):
    source = world.source("cursor", sparse=True, incremental=Incremental("id"))
    world.says([{"id": 1, "a": 1}], [{"id": 2, "b": 2}])
    world.load(source)
    world.says([], [], [{"id": 3, "a": 3}])
    outcome = world.load(source)
    assert [(row["id"], row["a"], row["b"]) for row in world.rows(outcome)] == [
        (1, 1, None),
        (2, None, 2),
        (3, 3, None),
    ]
    assert told(outcome) == []
    world.says([], [], [], [{"id": 4, "c": 4}])
    assert told(world.load(source)) == [("new", "c")]
