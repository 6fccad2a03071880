"""Contracts: what rows must be, checked in one pass. A kind of rule is one file in ``rules`` and one line here."""

from noria.contracts.among import RowsRule, Watch
from noria.contracts.check import Checked, check
from noria.contracts.checker import Checker, rules_of
from noria.contracts.condition import ContractRule, RowRule, Subject
from noria.contracts.exchange import (
    contract_differences,
    contract_source,
    from_odcs,
    read_odcs,
    rule_source,
    text,
    to_dbt,
    to_json_schema,
    to_odcs,
)
from noria.contracts.facts import Fact
from noria.contracts.profile import (
    MOST_COLUMNS,
    ColumnProfile,
    Difference,
    Profile,
    Profiler,
    Proposal,
    Suspicion,
    differences,
    inferred,
    kinds_declared,
    profile_of,
    propose,
    suspected,
)
from noria.contracts.report import Report
from noria.contracts.rules.aggregate import AggregateRule, aggregate
from noria.contracts.rules.between import Between, between
from noria.contracts.rules.date_format import DateFormat, date_format
from noria.contracts.rules.distribution import Distribution, distribution
from noria.contracts.rules.duplicates import Duplicates, duplicates
from noria.contracts.rules.expression import ExpressionRule, expression
from noria.contracts.rules.freshness import Freshness, freshness
from noria.contracts.rules.length import Length, length
from noria.contracts.rules.matches import Matches, matches
from noria.contracts.rules.monotonic import Monotonic, monotonic
from noria.contracts.rules.no_gaps import NoGaps, no_gaps
from noria.contracts.rules.not_null import NotNull, not_null
from noria.contracts.rules.one_of import OneOf, one_of
from noria.contracts.rules.outliers import Outliers, outliers
from noria.contracts.rules.private import Private, private
from noria.contracts.rules.refers import Refers, refers
from noria.contracts.rules.unique import Unique, unique
from noria.contracts.rules.volume import Volume, volume
from noria.contracts.sorting import Split
from noria.contracts.table import Finding, Measure, Moment, TableRule, Totals
from noria.contracts.typed import type_reason, typed
from noria.contracts.verdict import Verdict
from noria.contracts.wants import Want

__all__ = [
    "MOST_COLUMNS",
    "AggregateRule",
    "Between",
    "Checked",
    "Checker",
    "ColumnProfile",
    "ContractRule",
    "DateFormat",
    "Difference",
    "Distribution",
    "Duplicates",
    "ExpressionRule",
    "Fact",
    "Finding",
    "Freshness",
    "Length",
    "Matches",
    "Measure",
    "Moment",
    "Monotonic",
    "NoGaps",
    "NotNull",
    "OneOf",
    "Outliers",
    "Private",
    "Profile",
    "Profiler",
    "Proposal",
    "Refers",
    "Report",
    "RowRule",
    "RowsRule",
    "Split",
    "Subject",
    "Suspicion",
    "TableRule",
    "Totals",
    "Unique",
    "Verdict",
    "Volume",
    "Want",
    "Watch",
    "aggregate",
    "between",
    "check",
    "contract_differences",
    "contract_source",
    "date_format",
    "differences",
    "distribution",
    "duplicates",
    "expression",
    "freshness",
    "from_odcs",
    "inferred",
    "kinds_declared",
    "length",
    "matches",
    "monotonic",
    "no_gaps",
    "not_null",
    "one_of",
    "outliers",
    "private",
    "profile_of",
    "propose",
    "read_odcs",
    "refers",
    "rule_source",
    "rules_of",
    "suspected",
    "text",
    "to_dbt",
    "to_json_schema",
    "to_odcs",
    "type_reason",
    "typed",
    "unique",
    "volume",
]
