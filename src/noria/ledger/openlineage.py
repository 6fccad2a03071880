"""The ledger's steps as OpenLineage run events: JSON that OpenLineage's own clients and servers take.

The form: https://openlineage.io/spec/2-0-2/OpenLineage.json.
"""

from __future__ import annotations

import uuid
from typing import Any

from noria.ledger.event import Event, Ledger

_PRODUCER = "https://github.com/noria/noria"
_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_NAMESPACE = uuid.UUID("6e6f7269-612d-4c65-8467-65722d6c696e")
_STATES = {"step.finished": "COMPLETE", "step.failed": "FAIL"}


def export(ledger: Ledger, *, run: str | None = None, namespace: str = "noria") -> list[dict[str, Any]]:
    """Run events of all steps, or of one run's, in order.

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
        _run_event(event, state, namespace)
        for event in ledger.events(kind="step.*", run=run)
        if (state := _STATES.get(event.kind)) is not None
    ]


def _run_event(event: Event, state: str, namespace: str) -> dict[str, Any]:
    return {
        "eventType": state,
        "eventTime": event.at.isoformat(),
        "run": {"runId": str(uuid.uuid5(_NAMESPACE, f"{event.run}/{event.subject}/{event.body.get('key', '')}"))},
        "job": {"namespace": namespace, "name": event.subject},
        "inputs": [{"namespace": namespace, "name": name} for name in event.inputs],
        "outputs": [_output(event, name, namespace) for name in event.outputs],
        "producer": _PRODUCER,
        "schemaURL": _SCHEMA,
    }


def _output(event: Event, name: str, namespace: str) -> dict[str, Any]:
    facts = event.body.get("outcome", {}).get("facts", {})
    dataset: dict[str, Any] = {"namespace": namespace, "name": name}
    schema = facts.get("schema")
    if name.startswith("table:") and "__quarantine" not in name and isinstance(schema, dict):
        dataset["facets"] = {"schema": {
            "_producer": _PRODUCER, "_schemaURL": "https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json",
            "fields": [{"name": column, "type": kind} for column, kind in schema.items()],
        }}  # fmt: skip
    return dataset
