"""Exchange: contracts as other people's tools read them, and back."""

from noria.contracts.exchange.compare import contract_differences
from noria.contracts.exchange.dbt import to_dbt
from noria.contracts.exchange.json_schema import to_json_schema
from noria.contracts.exchange.odcs import from_odcs, read_odcs, to_odcs
from noria.contracts.exchange.python import contract_source, rule_source, text

__all__ = [
    "contract_differences",
    "contract_source",
    "from_odcs",
    "read_odcs",
    "rule_source",
    "text",
    "to_dbt",
    "to_json_schema",
    "to_odcs",
]
