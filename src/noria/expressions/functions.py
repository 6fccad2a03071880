"""The one table of functions: what there is, on which kinds, and how each compiler says it."""

from __future__ import annotations

from noria.expressions.casts import CASTS
from noria.expressions.function import Table
from noria.expressions.logic import LOGIC
from noria.expressions.numbers import NUMBERS
from noria.expressions.strings import STRINGS
from noria.expressions.times import TIMES


def _joined(*tables: Table) -> Table:
    names = sorted({name for table in tables for name in table})
    return {name: tuple(overload for table in tables for overload in table.get(name, ())) for name in names}


FUNCTIONS: Table = _joined(LOGIC, NUMBERS, STRINGS, TIMES, CASTS)
"""Every function and operator by name; where several overloads fit, the one with the fewest conversions is taken."""
