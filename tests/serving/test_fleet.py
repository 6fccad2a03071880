"""Which version answers, and what happens when one cannot be loaded."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core import GateError, IntegrityError
from noria.serving import Routes, read_routes, write_routes
from noria.serving.fleet import Fleet


def test_routes_come_back_as_they_were_written(tmp_path):
    with pytest.raises(GateError):
        read_routes(tmp_path)
    write_routes(tmp_path / "late", Routes({"a1": 0.9, "b2": 0.1}))
    assert read_routes(tmp_path / "late") == Routes({"a1": 0.9, "b2": 0.1})
    assert [path.name for path in (tmp_path / "late").iterdir()] == ["routes.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2, "weights": {"a": 1}}',
        '{"format": 1, "weights": {"a": "x"}}',
        '{"format": 1, "weights": {"../a": 1}}',
        '{"format": 1, "weights": [1]}',
    ],
)
def test_damaged_routes_are_an_integrity_error(tmp_path, text):
    (tmp_path / "routes.json").write_text(text, encoding="utf-8")
    with pytest.raises(IntegrityError):
        read_routes(tmp_path)


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=4), st.lists(st.binary(min_size=4), min_size=1, max_size=50))
def test_a_seed_always_goes_the_same_way(weights, seeds):
    shares = {f"v{place}": weight / sum(weights) for place, weight in enumerate(weights)}
    fleet = Fleet({version: version for version in shares}, shares)
    assert [fleet.pick(seed) for seed in seeds] == [fleet.pick(seed) for seed in seeds]


def test_shares_are_kept():
    fleet = Fleet({"old": "old", "new": "new"}, {"old": 0.9, "new": 0.1})
    picked = [fleet.pick(f"request-{place}".encode()) for place in range(10_000)]
    assert 900 < picked.count("new") < 1100


def test_a_larger_share_moves_requests_one_way_only():
    def picks(new):
        fleet = Fleet({"old": "old", "new": "new"}, {"old": 1 - new, "new": new})
        return {place for place in range(1000) if fleet.pick(str(place).encode()) == "new"}

    assert picks(0.1) < picks(0.5)


def test_rows_are_split_answered_in_order_and_repeatably(asked_with, version, another_version):
    ask = asked_with(Routes({version: 0.5, another_version(-2.0): 0.5}))
    rows = {"rows": [{"a": place / 100} for place in range(100)]}
    first, second = (ask("POST", "/v1/late", rows)[1]["predictions"] for _ in range(2))
    assert [one["version"] for one in first] == [one["version"] for one in second]
    assert 30 < [one["version"] for one in first].count(version) < 70
    for place, one in enumerate(first):
        assert (one["probability"] >= 0.5) == (one["version"] == version or place == 0)
    logged = {one["id"]: one["request"]["a"] for one in ask.logged()}
    assert [logged[one["id"]] for one in [*first, *second]] == [row["a"] for row in rows["rows"]] * 2


def test_a_request_with_an_id_goes_by_its_id(asked_with, version, another_version):
    ask = asked_with(Routes({version: 0.5, another_version(-2.0): 0.5}))
    answers = {ask("POST", "/v1/late", {"rows": [{"a": 0.01 * n}], "id": "same"})[1]["predictions"][0]["version"]
               for n in range(20)}  # fmt: skip
    assert len(answers) == 1


def test_a_version_that_cannot_be_loaded(asked_with, version, another_version, workspace):
    ask = asked_with(Routes({version: 1.0}))
    broken = another_version(3.0)
    [folder] = workspace.packages.glob(f"{broken}*")
    model = folder / "model.onnx"
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    routes = Routes({version: 0.9, broken: 0.1})
    with pytest.raises(IntegrityError):
        ask.load(routes, known=dict(ask.application.fleet.versions))
    fleet, [error] = ask.load(routes, partly=True)
    assert dict(fleet.shares) == {version: 1.0}
    assert "not the one that was signed" in error.message
    with pytest.raises(IntegrityError):
        ask.load(Routes({broken: 1.0}), partly=True)
    with pytest.raises(IntegrityError, match="no package"):
        ask.load(Routes({"0" * 12: 1.0}))


def test_a_loaded_version_is_not_read_again(asked_with, version, workspace):
    ask = asked_with(Routes({version: 1.0}))
    before = ask.application.fleet.versions[version]
    [folder] = workspace.packages.glob(f"{version}*")
    (folder / "model.onnx").unlink()
    fleet, _ = ask.load(Routes({version: 1.0}), known={version: before})
    assert fleet.versions[version] is before


def test_a_version_whose_store_is_gone_answers_what_brings_its_features(asked_with, version, monkeypatch):
    ask = asked_with(Routes({version: 1.0}))
    loaded = ask.application.fleet.versions[version]
    ask.application.fleet = Fleet({version: replace(loaded, features=None)}, {version: 1.0})
    assert ask("POST", "/v1/late", {"rows": [{"a": 1}]})[0] == 503
    inputs = [{"name": "numbers", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]},
              {"name": "categories", "shape": [1, 1], "datatype": "BYTES", "data": ["UA"]}]  # fmt: skip
    assert ask("POST", "/v2/models/late/infer", json.dumps({"inputs": inputs}).encode())[0] == 200
