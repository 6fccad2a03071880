"""What is answered to good and bad requests."""

import json

import numpy as np
import pytest

INFER, ROWS = "/v2/models/late/infer", "/v1/late"


def tensor(name, data, shape=None, datatype="FP32"):
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data}


def matrices(numbers, categories):
    return {"inputs": [tensor("numbers", numbers, [len(numbers) // 2, 2]),
                       tensor("categories", categories, [len(categories), 1], "BYTES")]}  # fmt: skip


def named(**changes):
    given = {"a": tensor("a", [0.5]), "b": tensor("b", [1.0]), "carrier": tensor("carrier", ["UA"], None, "BYTES")}
    return {"inputs": [one for one in (given | changes).values() if one]}


def sigmoid(value):
    return float(1 / (1 + np.exp(-value)))


def test_matrices_and_named_tensors_give_the_same_answer(ask, version):
    status, first = ask("POST", INFER, matrices([0.5, 1.0], ["UA"]))
    assert status == 200
    assert first["model_version"] == version
    assert first["outputs"][0] | {"data": None} == {
        "name": "probability",
        "datatype": "FP64",
        "shape": [1],
        "data": None,
    }
    assert first["outputs"][0]["data"] == pytest.approx([sigmoid(2.0)], rel=1e-6)
    _, second = ask("POST", INFER, named())
    assert second["outputs"] == first["outputs"]


def test_nested_data_and_many_rows(ask):
    body = {
        "inputs": [
            tensor("numbers", [[0.5, 1.0], [0, 0]], [2, 2]),
            tensor("categories", [["UA"], [None]], [2, 1], "BYTES"),
        ]
    }
    _, told = ask("POST", INFER, {**body, "id": "mine"})
    assert told["outputs"][0]["data"] == pytest.approx([sigmoid(2.0), 0.5], rel=1e-6)
    assert [one["id"] for one in ask.logged()] == ["mine/0", "mine/1"]


def test_null_is_a_missing_number(ask):
    _, told = ask("POST", INFER, matrices([None, 1.0], [""]))
    assert told["outputs"][0]["data"] == [None]  # this model has no answer for it
    assert ask.logged()[0]["features"] == {"a": None, "b": 1.0, "carrier": None}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not an inference request"),
        (b"[" * 100_000, "not an inference request"),
        (b'{"inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "data": ' + b"[" * 100_000, "not an inference"),
        (b'{"inputs": [], "x": 1}', "not an inference request"),
        (b"\xff", "not an inference request"),
        ({"inputs": []}, "inputs with a shape"),
        ({"inputs": [tensor("a", [1.0])] * 2}, "given twice"),
        (named(a=tensor("a", [1.0], [2])), "shape"),
        (named(a=tensor("a", [1.0, 2.0], [1])), "2 values"),
        (named(a=None), "missing"),
        (named(a=tensor("a", ["1"])), "the data of 'a'"),
        (named(a=tensor("a", [1.0], None, "BYTES")), "datatype of 'a'"),
        (named(carrier=tensor("carrier", ["UA"])), "datatype of 'carrier'"),
        (named(carrier=tensor("carrier", [1], None, "BYTES")), "the data of 'carrier'"),
        (named(c=tensor("c", [1.0])), "no feature 'c'"),
        (named(a=tensor("a", [1e300])), "Expected `float` <= 3.4"),
        (named(a=tensor("a", [], [0])), "at least one row"),
        (named(a=tensor("a", [1.0], [-1])), "at least one row"),
        (matrices([0.5, 1.0, 2.0, 3.0], ["UA"]), "shape of 'categories'"),
        ({**named(), "id": "x" * 129}, "an id has at most"),
        ({**named(), "parameters": {"binary_data_output": True}}, "no parameters"),
        ({**named(), "outputs": [{"name": "label"}]}, "the only output"),
    ],
)
def test_a_bad_inference_is_refused_in_a_sentence(ask, body, says):
    status, told = ask("POST", INFER, body)
    assert status == 400
    assert says in told["error"]
    assert told["id"]
    assert ask.logged() == []


def test_a_number_of_400_digits_is_refused(ask):
    status, told = ask("POST", INFER, json.dumps(named(a=tensor("a", [7]))).replace("[7]", f"[{10**400}]").encode())
    assert (status, "out of range" in told["error"].lower()) == (400, True)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e39", "-1e39", "1e999", "0x1", "01", "True"])
def test_what_json_has_no_number_for_is_refused(ask, value):
    body = json.dumps(named(a=tensor("a", [7]))).replace("[7]", f"[{value}]").encode()
    assert ask("POST", INFER, body)[0] == 400
    assert ask("POST", ROWS, f'{{"rows": [{{"a": {value}}}]}}'.encode())[0] == (200 if value in FINITE else 400)


FINITE = ("1e39", "-1e39")
"""Numbers of JSON that float32 has not: in named columns it is for the features to say what becomes of them."""


def test_too_many_rows_are_refused(ask):
    assert ask("POST", INFER, named(a=tensor("a", [1.0] * 1001)))[0] == 413
    assert ask("POST", ROWS, {"rows": [{"a": 1}] * 1001})[0] == 413


def test_rows_are_answered_in_order_and_logged_with_request_and_features(ask, version):
    status, told = ask("POST", ROWS, {"rows": [{"a": 0.5, "b": 1.0, "carrier": "UA"}, {"a": 0.0}]})
    assert status == 200
    first, second = told["predictions"]
    assert (first["version"], second["probability"]) == (version, 0.5)
    assert first["probability"] == pytest.approx(sigmoid(2.0), rel=1e-6)
    logged = ask.logged()
    assert [one["id"] for one in logged] == [first["id"], second["id"]]
    assert logged[0] == {
        "id": first["id"], "at": ask.clock.micros(), "version": version, "probability": first["probability"],
        "request": {"a": 0.5, "b": 1.0, "carrier": "UA"}, "features": {"a": 0.5, "b": 1.0, "carrier": "UA"},
    }  # fmt: skip
    assert logged[1]["features"] == {"a": 0.0, "b": 0.0, "carrier": None}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"rows": []}, "at least one row"),
        ({"rows": [{"a": {"deep": 1}}]}, "not a request of rows"),
        ({"rows": [{"a": 1}], "now": 1}, "not a request of rows"),
        ({"rows": [{"b": 1}]}, "the request lacks a column: a"),
        (b'{"rows": ' + b"[" * 100_000, "not a request of rows"),
    ],
)
def test_bad_rows_are_refused_in_a_sentence(ask, body, says):
    status, told = ask("POST", ROWS, body)
    assert status == 400
    assert says in told["error"]


def test_features_that_cannot_be_fetched_are_a_503_that_shows_nothing(ask, caplog):
    ask.features.broken = True
    status, told = ask("POST", ROWS, {"rows": [{"a": 1}]})
    assert status == 503
    assert ask.headers["retry-after"] == "1"
    assert "secret" not in str(told)
    assert "/secret/path" in caplog.text
    assert ask.application.metrics.failures["features"] == 1
    assert ask("POST", INFER, named())[0] == 200


def test_an_inner_fault_is_a_500_that_shows_nothing(ask, caplog, monkeypatch):
    monkeypatch.setattr(ask.clock, "micros", lambda: 1 / 0)
    status, told = ask("POST", INFER, named())
    assert status == 500
    assert "division" not in str(told)
    assert told["id"] in caplog.text


def test_metadata_ready_and_metrics(ask, version):
    assert ask("GET", "/v2")[1]["name"] == "noria"
    assert ask("GET", "/v2/health/live")[1] == {"live": True}
    assert ask("GET", "/v2/health/ready")[1]["ready"] is True
    model = ask("GET", "/v2/models/late")[1]
    assert model["versions"] == [version]
    assert [one["parameters"]["features"] for one in model["inputs"]] == [["a", "b"], ["carrier"]]
    assert ask("GET", "/")[1]["shares"] == {version: 1.0}
    ask("POST", INFER, named())
    status, text = ask("GET", "/metrics", raw=True)
    assert status == 200
    assert f'noria_predictions_total{{version="{version}"}} 1.0'.encode() in text
    assert b'noria_requests_total{route="/v2/models/late/infer",status="200"} 1.0' in text
    assert b'noria_request_seconds_count{route="/v2/models/late/infer"} 1.0' in text
    ask.application.draining = True
    assert ask("GET", "/v2/health/ready")[0] == 503


def test_a_version_is_asked_by_name(ask, version):
    path = f"/v2/models/late/versions/{version}"
    assert ask("GET", path)[0] == ask("GET", f"{path}/ready")[0] == ask("POST", f"{path}/infer", named())[0] == 200
    for wrong in ("0" * 12, "{version}", "", ".."):
        assert ask("GET", f"/v2/models/late/versions/{wrong}")[0] == 404
