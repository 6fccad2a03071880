"""The ledger: everything that happened, in one append-only, hash-chained table; lineage is a query over it."""

from noria.core import Clock, WallClock, backend_of
from noria.ledger.event import KINDS, Event, Ledger
from noria.ledger.lineage import Why, why
from noria.ledger.openlineage import export
from noria.ledger.references import endpoint_and_version, model_reference, table_and_version, table_reference

BACKENDS = {"sqlite": "noria.ledger.sqlite:SqliteLedger"}


def open_ledger(url: str, clock: Clock | None = None) -> Ledger:
    """Open the ledger at a URL, making it where it is not there yet.

    Parameters
    ----------
    url : str
        ``sqlite:///path/to/ledger.db``.
    clock : Clock, optional
        Where the events' times come from; by default the wall.
    """
    ledger: Ledger = backend_of(url, BACKENDS, group="noria.ledgers")(url, clock or WallClock())
    return ledger


__all__ = [
    "BACKENDS",
    "KINDS",
    "Event",
    "Ledger",
    "Why",
    "endpoint_and_version",
    "export",
    "model_reference",
    "open_ledger",
    "table_and_version",
    "table_reference",
    "why",
]
