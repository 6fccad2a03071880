"""The ledger's steps as OpenLineage run events: JSON that OpenLineage's own clients and servers take.

The form: https://openlineage.io/spec/2-0-2/OpenLineage.json.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from noria.ledger.event import Event, Ledger
from noria.ledger.references import is_data

_PRODUCER = "https://github.com/noria/noria"
_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_NAMESPACE = uuid.UUID("6e6f7269-612d-4c65-8467-65722d6c696e")
_STATES = {"step.finished": "COMPLETE", "step.failed": "FAIL"}


def export(ledger: Ledger, *, run: str | None = None, namespace: str = "noria") -> list[dict[str, Any]]:
    """Run events of all steps, or of one run's, in order: for each step that it began, and how it ended.

    Parameters
    ----------
    ledger : Ledger
        Where they are read from.
    run : str, optional
        Only this run's.
    namespace : str
        Of jobs and datasets.
    """
    return [
        told
        for event in ledger.events(kind="step.*", run=run)
        if event.kind in _STATES
        for told in (_began(event, namespace), _ended(event, namespace))
    ]


def _began(event: Event, namespace: str) -> dict[str, Any]:
    """The ledger is told of a step when it ends, and how long it took."""
    seconds = event.body.get("meters", {}).get("wall_seconds", 0.0)
    return {
        "eventType": "START",
        "eventTime": (event.at - timedelta(seconds=seconds)).isoformat(),
        "run": {"runId": _run_id(event)},
        "job": {"namespace": namespace, "name": event.subject},
        "inputs": [{"namespace": namespace, "name": name} for name in event.inputs],
        "outputs": [],
        "producer": _PRODUCER,
        "schemaURL": _SCHEMA,
    }


def _ended(event: Event, namespace: str) -> dict[str, Any]:
    outputs = [_output(event, name, namespace) for name in event.outputs]
    state = _STATES[event.kind]
    told = {**_began(event, namespace), "eventType": state, "eventTime": event.at.isoformat(), "outputs": outputs}
    if state == "FAIL":
        facet = {
            **_facet("1-0-1", "ErrorMessageRunFacet"),
            "message": event.body["error"],
            "programmingLanguage": "python",
        }
        told["run"] = {"runId": _run_id(event), "facets": {"errorMessage": facet}}
    return told


def _run_id(event: Event) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{event.run}/{event.subject}/{event.body.get('key', '')}"))


def _facet(version: str, name: str) -> dict[str, str]:
    schema = f"https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}"
    return {"_producer": _PRODUCER, "_schemaURL": schema}


def _output(event: Event, name: str, namespace: str) -> dict[str, Any]:
    facts = event.body.get("outcome", {}).get("facts", {})
    dataset: dict[str, Any] = {"namespace": namespace, "name": name}
    schema = facts.get("schema")
    if is_data(name) and isinstance(schema, dict):
        fields = [{"name": column, "type": kind} for column, kind in schema.items()]
        dataset["facets"] = {"schema": {**_facet("1-2-0", "SchemaDatasetFacet"), "fields": fields}}
    return dataset
