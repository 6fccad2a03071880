"""Contracts: what rows must be, checked in one pass. A kind of rule is one file in ``rules`` and one line here."""

from noria.contracts.check import Checked, Verdict, check, rules_of, type_reason, typed
from noria.contracts.condition import RowRule, Subject
from noria.contracts.rules.between import Between, between
from noria.contracts.rules.expression import ExpressionRule, expression
from noria.contracts.rules.matches import Matches, matches
from noria.contracts.rules.not_null import NotNull, not_null
from noria.contracts.rules.one_of import OneOf, one_of
from noria.contracts.rules.refers import Refers, refers
from noria.contracts.rules.unique import Unique, unique

__all__ = [
    "Between",
    "Checked",
    "ExpressionRule",
    "Matches",
    "NotNull",
    "OneOf",
    "Refers",
    "RowRule",
    "Subject",
    "Unique",
    "Verdict",
    "between",
    "check",
    "expression",
    "matches",
    "not_null",
    "one_of",
    "refers",
    "rules_of",
    "type_reason",
    "typed",
    "unique",
]
