import contextlib
import json
from datetime import datetime

import pytest
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import error_message_run, schema_dataset
from openlineage.client.serde import Serde

from noria.ledger import export, open_ledger

SCHEMA = {"late": "bool", "scheduled": "timestamp"}


@pytest.fixture
def ledger(tmp_path):
    with contextlib.closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        outcome = {"outputs": {}, "facts": {"schema": SCHEMA}}
        meters = {"wall_seconds": 1.5}
        outputs = ("table:flights@0", "table:flights__quarantine@0")
        ledger.append("run.started", "project:flights", run="r1")
        ledger.append("step.finished", "ingest:flights", run="r1", outputs=outputs,
                      body={"key": "k1", "meters": meters, "outcome": outcome})  # fmt: skip
        ledger.append("step.failed", "train", run="r2", inputs=outputs, body={"key": "k2", "error": "no rows"})
        yield ledger


def typed(told):
    """An event as openlineage-python's own types, which check what they are given."""
    run, error = told["run"], told["run"].get("facets", {}).get("errorMessage")
    facets = {"errorMessage": without_urls(error_message_run.ErrorMessageRunFacet, error)} if error else {}
    outputs = []
    for one in told["outputs"]:
        schema = one.get("facets", {}).get("schema")
        if schema is not None:
            fields = [schema_dataset.SchemaDatasetFacetFields(**field) for field in schema["fields"]]
            schema = without_urls(schema_dataset.SchemaDatasetFacet, {**schema, "fields": fields})
        outputs.append(OutputDataset(one["namespace"], one["name"], facets={"schema": schema} if schema else {}))
    return RunEvent(
        eventTime=told["eventTime"],
        producer=told["producer"],
        run=Run(run["runId"], facets),
        job=Job(**told["job"]),
        eventType=RunState(told["eventType"]),
        inputs=[InputDataset(**one) for one in told["inputs"]],
        outputs=outputs,
    )


def without_urls(kind, facet):
    given = {name: value for name, value in facet.items() if not name.startswith("_")}
    return kind(**given, producer=facet["_producer"])


def without_empty(value):
    """What both forms say: a null and an empty collection say nothing."""
    if isinstance(value, dict):
        return {name: kept for name, item in value.items() if (kept := without_empty(item)) not in (None, {}, [])}
    return [without_empty(item) for item in value] if isinstance(value, list) else value


def test_openlineages_own_types_take_it_and_give_it_back(ledger):
    exported = export(ledger)
    assert len(exported) == 4
    for told in exported:
        again = json.loads(Serde.to_json(typed(told)))
        assert without_empty(again) == without_empty(told)


def test_a_step_begins_and_ends_under_one_id(ledger):
    began, ended, tried, failed = export(ledger)
    assert [event["eventType"] for event in (began, ended, tried, failed)] == ["START", "COMPLETE", "START", "FAIL"]
    assert began["run"]["runId"] == ended["run"]["runId"] != failed["run"]["runId"]
    times = [datetime.fromisoformat(event["eventTime"]) for event in (began, ended)]
    assert (times[1] - times[0]).total_seconds() == 1.5
    assert failed["run"]["facets"]["errorMessage"]["message"] == "no rows"


def test_tables_carry_their_columns(ledger):
    _, ended, *_ = export(ledger)
    table, quarantine = ended["outputs"]
    assert {one["name"]: one["type"] for one in table["facets"]["schema"]["fields"]} == SCHEMA
    assert "facets" not in quarantine


def test_one_run_alone(ledger):
    assert {event["job"]["name"] for event in export(ledger, run="r2")} == {"train"}
    assert export(ledger, run="r3") == []
