import contextlib

import pytest

from noria.core import DeclarationError, IntegrityError
from noria.ledger import endpoint_and_version, model_reference, open_ledger, table_and_version, why

OLD, NEW = "aaaa00000001", "aabb00000002"


@pytest.fixture
def ledger(tmp_path):
    with contextlib.closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        for number, version in enumerate((OLD, NEW)):
            life(ledger, version, f"r{number}", number)
        yield ledger


def life(ledger, version, run, number):
    """The events of a run as the rooms write them: run, ingest, train, evaluate, package, gates."""
    table, training, model = (
        f"table:flights@{number}",
        f"file:artifacts/s{number}/set",
        f"file:artifacts/m{number}/model",
    )
    package, graph = f"file:packages/{version}", f"digest-{number}"
    subject = model_reference("late", version)
    body = {"commit": f"c{number}", "dirty": number == 1, "declarations": {"spine": "abc"}}
    ledger.append("run.started", "project:flights", run=run, actor="ann", body=body)

    def finished(step, inputs, outputs, cost, **facts):
        body = {"key": f"{step}-{number}", "cost": cost, "currency": "EUR", "outcome": {"outputs": {}, "facts": facts}}
        ledger.append("step.finished", step, run=run, inputs=inputs, outputs=outputs, body=body)

    finished("ingest:flights", (), (table, f"table:flights__quarantine@{number}"), 1.0)
    finished("materialise", (table,), (), 100.0)
    finished("training-set", (table,), (training,), 2.0)
    finished("train", (training,), (model,), 4.0, model=graph)
    ledger.append("sealed.opened", f"candidate:{graph}", run=run, inputs=(model,), body={"model": graph, "rows": 9})
    finished("evaluate", (training, model), (f"file:artifacts/e{number}",), 8.0)
    inputs = (training, model, f"file:artifacts/e{number}")
    ledger.append("version.packaged", subject, run=run, actor="ann", inputs=inputs, outputs=(package,),
                  body={"version": version, "name": "late", "key": f"package-{number}"})  # fmt: skip
    finished("package", inputs, (package,), 16.0)
    ledger.append("gate.passed", "gate:Latency", run=run, inputs=(subject,), body={"gate": "Latency", "text": "fast"})
    weights = {version: 1.0} if version == OLD else {OLD: 0.9, NEW: 0.1}
    ledger.append("version.promoted", subject, run=run, body={"weights": weights})


def test_a_reference_is_read_as_it_was_made():
    assert endpoint_and_version(model_reference("late", NEW)) == ("late", NEW)
    for other in ("model:late", "table:late@3", "model:@x", "model:late@"):
        assert endpoint_and_version(other) is None


def test_a_table_is_read_from_its_reference_and_nothing_else_is_one():
    assert table_and_version("table:flights@3") == ("flights", 3)
    assert table_and_version("table:a@b__quarantine@12") == ("a@b__quarantine", 12)
    for other in ("model:late@3", "table:late", "table:@3", "table:late@", "table:late@x", "flights@3", ""):
        with pytest.raises(IntegrityError, match="no reference of a table"):
            table_and_version(other)


def test_an_endpoint_is_the_version_that_was_promoted_last(ledger):
    found = why(ledger, "late")
    assert (found.endpoint, found.version, found.facts["share"]) == ("late", NEW, 0.1)
    assert why(ledger, OLD).facts["share"] == 0.9


@pytest.mark.parametrize("asked", [OLD, OLD[:4], f"model:late@{OLD}"])
def test_a_version_is_found_by_its_beginning_and_its_reference(ledger, asked):
    assert why(ledger, asked).version == OLD


def test_data_steps_and_cost_are_those_of_the_version(ledger):
    found = why(ledger, OLD)
    assert found.tables == ("table:flights@0",)
    steps = ["ingest:flights", "training-set", "train", "evaluate", "package"]
    assert [step.subject for step in found.steps] == steps
    assert {step.run for step in found.steps} == {"r0"}
    assert found.facts["cost"] == 31.0
    assert found.facts["currency"] == "EUR"


def test_facts_are_of_the_run_that_made_it(ledger):
    facts = why(ledger, NEW).facts
    assert (facts["commit"], facts["dirty"], facts["actor"], facts["run"]) == ("c1", True, "ann", "r1")
    assert facts["declarations"] == {"spine": "abc"}


def test_evidence_is_of_the_version_alone(ledger):
    ledger.append("approval.given", model_reference("late", NEW), actor="bob", body={"version": NEW, "role": "x"})
    ledger.append("version.retired", model_reference("late", OLD), body={"version": OLD})
    found = {version: why(ledger, version).decisions for version in (OLD, NEW)}
    kinds = ["sealed.opened", "version.packaged", "gate.passed", "version.promoted"]
    assert [event.kind for event in found[OLD]] == [*kinds, "version.retired"]
    assert [event.kind for event in found[NEW]] == [*kinds, "approval.given"]
    assert {event.body["model"] for event in found[OLD] if event.kind == "sealed.opened"} == {"digest-0"}


def test_a_step_that_was_done_again_later_does_not_count(ledger):
    body = {"key": "train-0", "cost": 1000.0, "currency": "EUR", "outcome": {"outputs": {}, "facts": {}}}
    ledger.append("step.finished", "train", run="r9", outputs=("file:artifacts/m0/model",), body=body)
    assert why(ledger, OLD).facts["cost"] == 31.0


def test_a_prediction_leads_to_its_version(ledger):
    logged = {f"p{number}": {"id": f"p{number}", "version": OLD if number < 5 else NEW} for number in range(9)}

    def prediction(wanted):
        return logged.get(wanted, {})

    found = why(ledger, "p3", prediction=prediction)
    assert (found.version, found.prediction) == (OLD, logged["p3"])
    assert why(ledger, "p7", prediction=prediction).version == NEW
    assert why(ledger, NEW, prediction=prediction).prediction == {}
    for unknown in ("p", "p99"):
        with pytest.raises(DeclarationError, match="nothing of that name"):
            why(ledger, unknown, prediction=prediction)


def test_a_prediction_of_a_version_that_the_ledger_lacks_is_still_told(ledger):
    found = why(ledger, "p1", prediction=lambda wanted: {"id": wanted, "version": "gone", "probability": 0.5})
    assert (found.version, found.steps, found.facts) == ("gone", (), {})


def test_an_unknown_name_lists_the_versions(ledger):
    with pytest.raises(DeclarationError) as caught:
        why(ledger, "nothing")
    assert OLD in caught.value.mend
    assert NEW in caught.value.mend


def test_a_beginning_of_two_versions_is_refused(ledger):
    life(ledger, "aaaa00000003", "r2", 2)
    with pytest.raises(DeclarationError, match="more than one version begins so"):
        why(ledger, "aaaa")


def test_an_empty_ledger_says_what_to_do(tmp_path):
    ledger = open_ledger(f"sqlite:///{tmp_path}/empty.db")
    with contextlib.closing(ledger), pytest.raises(DeclarationError) as caught:
        why(ledger, "late")
    assert "noria run makes one" in caught.value.mend
