"""Text to tree. What is not a row expression is refused with the reason."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from noria.core import DeclarationError
from noria.expressions.functions import FUNCTIONS
from noria.expressions.numbers import INT_MAX, INT_MIN
from noria.expressions.tree import Call, Column, Constant, Node

if TYPE_CHECKING:
    from sqlglot import exp

DIALECT = "postgres"
"""The dialect that expressions are read in."""

_OPERATORS = {
    "Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "Mod": "%", "Pow": "POWER", "DPipe": "||", "And": "AND", "Or": "OR",
    "Not": "NOT", "EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=", "Between": "BETWEEN",
    "NullSafeNEQ": "IS DISTINCT FROM", "Like": "LIKE", "ILike": "ILIKE", "AtTimeZone": "AT TIME ZONE", "Neg": "NEGATE",
}  # fmt: skip
_CALLS = {
    "Abs": "ABS", "Round": "ROUND", "Floor": "FLOOR", "Ceil": "CEIL", "Sqrt": "SQRT", "Ln": "LN", "Exp": "EXP",
    "Greatest": "GREATEST", "Least": "LEAST", "Sign": "SIGN", "Lower": "LOWER", "Upper": "UPPER", "Length": "LENGTH",
    "Substring": "SUBSTR", "Concat": "CONCAT", "Replace": "REPLACE", "StartsWith": "STARTS_WITH",
    "EndsWith": "ENDS_WITH", "RegexpLike": "REGEXP_LIKE", "Coalesce": "COALESCE", "Nullif": "NULLIF",
}  # fmt: skip
_TYPES = {
    "BOOLEAN": "BOOL", "TINYINT": "INT", "SMALLINT": "INT", "INT": "INT", "BIGINT": "INT", "FLOAT": "FLOAT",
    "DOUBLE": "FLOAT", "TEXT": "STRING", "VARCHAR": "STRING", "DATE": "DATE", "TIMESTAMP": "TIMESTAMP",
    "TIMESTAMPTZ": "TIMESTAMP", "TIMESTAMPLTZ": "TIMESTAMP", "TIMESTAMPNTZ": "TIMESTAMP",
}  # fmt: skip
_UNITS = {
    "microsecond": 1, "millisecond": 10**3, "second": 10**6, "sec": 10**6, "s": 10**6, "minute": 60 * 10**6,
    "min": 60 * 10**6, "m": 60 * 10**6, "hour": 3600 * 10**6, "h": 3600 * 10**6, "day": 86400 * 10**6,
    "d": 86400 * 10**6, "week": 7 * 86400 * 10**6, "w": 7 * 86400 * 10**6,
}  # fmt: skip
_MARKS = {"safe", "typed", "coalesce", "ignore_nulls"}  # sqlglot's notes on a dialect's ways; ours are in the table
_DEPTH = 100


def read(text: str) -> Node:
    """Parse an expression.

    Raises
    ------
    DeclarationError
        It is not one; without a place.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    if re.match(r"\s*(select|with)\s", text, re.IGNORECASE):
        raise DeclarationError(
            "an expression has no queries; it sees one row of one source", mend="what stands after SELECT"
        )
    if not text.strip():
        raise DeclarationError("an expression is empty", mend="a row expression, such as 'arr_delay > 15'")
    try:
        parsed = sqlglot.parse_one(text, read=DIALECT, into=exp.Condition)
    except SqlglotError as error:
        details = getattr(error, "errors", None) or [{}]
        found, where = details[0].get("description", str(error)), details[0].get("col")
        raise DeclarationError(
            f"not a row expression: {found}" + (f" (at character {where})" if where else ""),
            mend="one SQL scalar expression; names that are SQL words or have spaces stand in double quotes",
        ) from None
    except RecursionError:
        raise DeclarationError("an expression is nested too deeply") from None
    return _node(parsed, 0)


def columns_of(node: Node) -> frozenset[str]:
    """The columns that a tree reads."""
    if isinstance(node, Column):
        return frozenset((node.name,))
    if isinstance(node, Call):
        return frozenset().union(*(columns_of(arg) for arg in node.args))
    return frozenset()


def _refuse(message: str, mend: str | None = None) -> DeclarationError:
    return DeclarationError(message, mend=mend)


def _node(node: exp.Expr, depth: int) -> Node:
    if depth > _DEPTH:
        raise _refuse(f"an expression is nested more than {_DEPTH} deep")
    name = type(node).__name__

    def sub(child: exp.Expr) -> Node:
        return _node(child, depth + 1)

    if name == "Paren":
        return sub(node.this)
    if special := _SPECIAL.get(name):
        return special(node, sub)
    if name in _OPERATORS or name in _CALLS:
        found: Node = Call(_OPERATORS.get(name) or _CALLS[name], tuple(sub(arg) for arg in _arguments(node)))
        if name == "Neg":
            found = _negative(found)
        return Call("NOT", (found,)) if node.args.get("negate") else found
    raise _why_not(node)


def _arguments(node: exp.Expr) -> Iterable[exp.Expr]:
    """The arguments in order; anything else that was said is refused, never ignored."""
    for key in node.arg_types:
        value = node.args.get(key)
        if isinstance(value, list):
            yield from value
        elif value is not None and not isinstance(value, (bool, str)):
            yield value
        elif value and key not in _MARKS and key != "negate":
            raise _refuse(f"this form of {node.sql(dialect=DIALECT)} is not understood")


def _negative(call: Node) -> Node:
    value = call.args[0] if isinstance(call, Call) else None
    if isinstance(value, Constant) and value.type in ("int", "float", "interval"):
        return Constant(value.type, -value.value)
    return call


def _column(node: exp.Expr, sub: Callable[[Any], Node]) -> Node:
    if type(node.this).__name__ == "Star":
        raise _why_not(node.this)
    if node.args.get("table") is not None:
        raise _refuse(
            f"'{node.sql(dialect=DIALECT)}': columns stand without a table",
            mend=f"write {node.this.sql(dialect=DIALECT)}",
        )
    return Column(node.name)


def _literal(node: exp.Expr, sub: Callable[[Any], Node]) -> Node:
    if node.is_string:
        return Constant("string", node.this)
    text = str(node.this)
    if text.isdigit():
        return Constant("int", int(text))  # its range is checked once its sign is known
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _refuse(f"the number {text} is too large")
    return Constant("float", number)


def _is(node: exp.Expr, sub: Callable[[Any], Node]) -> Node:
    what = type(node.expression).__name__
    if what not in ("Null", "Boolean"):
        raise _refuse(f"'{node.sql(dialect=DIALECT)}' is not understood", mend="IS [NOT] NULL, TRUE or FALSE")
    name = "IS NULL" if what == "Null" else "IS TRUE" if node.expression.this else "IS FALSE"
    found = Call(name, (sub(node.this),))
    return Call("NOT", (found,)) if node.args.get("negate") else found


def _in(node: exp.Expr, sub: Callable[[Any], Node]) -> Node:
    if node.args.get("query") is not None:
        raise _why_not(node.args["query"])
    items = node.expressions
    if not items or node.args.get("unnest") is not None or node.args.get("field") is not None:
        raise _refuse("IN needs a list of literals", mend="origin IN ('EWR', 'JFK')")
    found = Call("IN", (sub(node.this), *(sub(item) for item in items)))
    return Call("NOT", (found,)) if node.args.get("negate") else found


def _case(node: exp.Expr, sub: Callable[[Any], Node]) -> Node:
    default = node.args.get("default")
    args: list[Node] = [Constant("null", None) if default is None else sub(default)]
    for branch in node.args["ifs"]:
        condition = sub(branch.this)
        args += [condition if node.this is None else Call("=", (sub(node.this), condition)), sub(branch.args["true"])]
    return Call("CASE", tuple(args))


def _cast(node: exp.Expr, sub: Callable[[Any], Node]) -> Node:
    to = node.args["to"]
    kind = _TYPES.get(to.this.name if hasattr(to.this, "name") else str(to.this))
    if kind is None or to.expressions or node.args.get("format"):
        raise _refuse(
            f"cannot cast to {to.sql(dialect=DIALECT)}", mend="one of bool, int, float, text, date, timestamp"
        )
    return Call(f"CAST AS {kind}", (sub(node.this),))


def _extract(node: exp.Expr, sub: Callable[[Any], Node]) -> Node:
    return Call(_with_part("EXTRACT", node.name), (sub(node.expression),))


def _trunc(node: exp.Expr, sub: Callable[[Any], Node]) -> Node:
    if node.args.get("zone") is not None:
        raise _refuse("DATE_TRUNC takes no time zone: it truncates in UTC")
    return Call(_with_part("DATE_TRUNC", node.args["unit"].name), (sub(node.this),))


def _with_part(function: str, part: str) -> str:
    name = f"{function}({part.upper()})"
    if name not in FUNCTIONS:
        parts = [known[len(function) + 1 : -1].lower() for known in FUNCTIONS if known.startswith(f"{function}(")]
        raise _refuse(f"{function} does not know '{part.lower()}'", mend=_meant(part.lower(), parts))
    return name


def _trim(node: exp.Expr, sub: Callable[[Any], Node]) -> Node:
    if node.expression is not None or node.args.get("collation"):
        raise _refuse("TRIM takes away spaces only", mend="TRIM(column)")
    name = {"": "TRIM", "BOTH": "TRIM", "LEADING": "LTRIM", "TRAILING": "RTRIM"}[node.args.get("position") or ""]
    return Call(name, (sub(node.this),))


def _interval(node: exp.Expr, sub: Callable[[Any], Node]) -> Node:
    if node.this is None or type(node.this).__name__ != "Literal":
        raise _refuse("an INTERVAL is a literal", mend="minutes * INTERVAL '1 minute'")
    unit = node.args.get("unit")
    return Constant("interval", micros_of_text(f"{node.this.name} {unit.name if unit is not None else ''}"))


def micros_of_text(text: str) -> int:
    """The microseconds of ``1 day 2 hours``."""
    text = text.strip().lower()
    parts = re.findall(r"([+-]?[0-9]+(?:\.[0-9]+)?)\s*([a-z]+)\s*", text)
    if not parts or re.sub(r"[+-]?[0-9]+(?:\.[0-9]+)?\s*[a-z]+\s*", "", text):
        raise _refuse(f"INTERVAL '{text}' is not understood", mend="such as INTERVAL '90 minutes' or '1 day 2 hours'")
    total = Decimal(0)
    for number, unit in parts:
        name = unit if unit in _UNITS else unit.removesuffix("s")
        if name in ("month", "year", "quarter", "decade", "mon", "y"):
            raise _refuse(f"an interval of '{number} {unit}' has no fixed length", mend="use days or weeks")
        if name not in _UNITS:
            raise _refuse(f"an interval does not know '{unit}'", mend=_meant(unit, list(_UNITS)))
        total += Decimal(number) * _UNITS[name]
    if total != int(total) or not INT_MIN <= total <= INT_MAX:
        raise _refuse(f"INTERVAL '{text}' is not a whole number of microseconds in 64 bits")
    return int(total)


def _meant(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{near[0]}'?" if near else "one of " + ", ".join(sorted(known))


def _why_not(node: exp.Expr) -> DeclarationError:
    from sqlglot import exp

    name, text = type(node).__name__, node.sql(dialect=DIALECT)
    if isinstance(node, exp.Window):
        return _refuse(
            f"'{text}': a window function looks at other rows; an expression sees one row",
            mend="an aggregate of a FeatureView",
        )
    if isinstance(node, exp.AggFunc):
        return _refuse(
            f"'{text}': an aggregate looks at many rows; an expression sees one row",
            mend="an aggregate of a FeatureView",
        )
    if isinstance(node, (exp.Query, exp.Exists, exp.SubqueryPredicate)):
        return _refuse(f"'{text}': an expression has no subqueries; it sees one row of one source")
    if name in (
        "CurrentTimestamp",
        "CurrentDate",
        "CurrentTime",
        "Rand",
        "Randn",
        "Uuid",
        "Localtime",
        "Localtimestamp",
    ):
        return _refuse(f"'{text}' gives another answer each time; an expression depends on its row only")
    if isinstance(node, exp.Escape):
        return _refuse("LIKE has no ESCAPE: a backslash escapes", mend=r"LIKE '10\%'")
    if isinstance(node, exp.If):
        return _refuse("IF is not a function here", mend="CASE WHEN … THEN … ELSE … END")
    if isinstance(node, (exp.Anonymous, exp.Func)):
        called = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        known = [known.lower() for known in FUNCTIONS if re.fullmatch(r"[A-Z_]+", known) and known not in _NOT_CALLED]
        return _refuse(f"unknown function '{called.lower()}'", mend=_meant(called.lower(), known))
    return _refuse(f"'{text}' is not a row expression", mend="columns, literals, operators and functions of one row")


_NOT_CALLED = {"AND", "OR", "NOT", "IN", "BETWEEN", "CASE", "LIKE", "ILIKE", "NEGATE"}
_SPECIAL: dict[str, Callable[[Any, Callable[[Any], Node]], Node]] = {
    "Column": _column,
    "Literal": _literal,
    "Null": lambda node, sub: Constant("null", None),
    "Boolean": lambda node, sub: Constant("bool", bool(node.this)),
    "Is": _is,
    "In": _in,
    "Case": _case,
    "Cast": _cast,
    "TryCast": _cast,
    "Extract": _extract,
    "TimestampTrunc": _trunc,
    "DateTrunc": _trunc,
    "Trim": _trim,
    "Interval": _interval,
}
