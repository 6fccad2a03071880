"""The parsed form of a row expression: columns, literals and calls of functions; and how SQL text becomes it."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from noria.core import DeclarationError

if TYPE_CHECKING:
    from sqlglot import exp

Kind = Literal["null", "bool", "int", "float", "string", "date", "timestamp", "local", "interval"]
"""What a value is. ``timestamp`` is UTC; ``local`` is wall-clock time in a zone, good for extraction only."""

Value = None | bool | int | float | str | date | datetime | timedelta


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the row."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the text."""

    value: Value
    kind: Kind


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the table, its arguments, and what is fixed in the text (a field, a zone, a type, a pattern)."""

    function: str
    args: tuple[Node, ...]
    option: str = ""


Node = Column | Constant | Call


def columns_of(node: Node) -> Iterator[str]:
    """The columns that a tree reads, each as often as it stands there."""
    if isinstance(node, Column):
        yield node.name
    elif isinstance(node, Call):
        for arg in node.args:
            yield from columns_of(arg)


def kind_of(node: Node, schema: Mapping[str, Kind], refuse: Refusal) -> Kind:
    """The kind of a tree's value over columns of given kinds."""
    from noria.expressions.functions import FUNCTIONS

    if isinstance(node, Constant):
        return node.kind
    if isinstance(node, Column):
        if node.name not in schema:
            raise refuse.unknown("column", node.name, schema)
        return schema[node.name]
    kinds = tuple(kind_of(arg, schema, refuse) for arg in node.args)
    result = FUNCTIONS[node.function].kind(kinds, node.option)
    if result is None:
        shown = ", ".join(kinds)
        raise refuse.because(f"{node.function} does not take ({shown})", mend=FUNCTIONS[node.function].takes)
    return result


@dataclass(frozen=True, slots=True)
class Refusal:
    """Words an error about one expression."""

    text: str
    place: str

    def because(self, message: str, *, mend: str | None = None) -> DeclarationError:
        """An error about the whole expression."""
        return DeclarationError(f"row expression: {message}", place=self.place or None, value=self.text, mend=mend)

    def unknown(self, what: str, name: str, known: Mapping[str, Any]) -> DeclarationError:
        """An error about a name, with the nearest that is known."""
        near = difflib.get_close_matches(name, known, n=1)
        mend = f"did you mean '{near[0]}'?" if near else "one of " + ", ".join(sorted(known))
        return self.because(f"there is no {what} '{name}'", mend=mend)


@functools.lru_cache(maxsize=4096)
def tree_of(text: str, place: str) -> Node:
    """Parse the text of a row expression (PostgreSQL's syntax)."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    refuse = Refusal(text, place)
    try:
        parsed = sqlglot.parse(text, dialect="postgres")
    except (SqlglotError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else "too deep"
        raise refuse.because("this is not SQL", mend=first) from None
    if len(parsed) != 1 or parsed[0] is None:
        raise refuse.because("exactly one expression is needed")
    try:
        return _Reader(refuse).node(parsed[0])
    except RecursionError:
        raise refuse.because("too deeply nested") from None


_CASTS = {
    "BOOLEAN": "bool", "SMALLINT": "int", "INT": "int", "BIGINT": "int", "FLOAT": "float", "DOUBLE": "float", "DECIMAL": "float",
    "TEXT": "string", "VARCHAR": "string", "CHAR": "string", "DATE": "date", "TIMESTAMP": "timestamp", "TIMESTAMPTZ": "timestamp",
}  # fmt: skip
_UNITS = {
    "MICROSECOND": 1, "MILLISECOND": 1_000, "SECOND": 10**6, "MINUTE": 60 * 10**6, "HOUR": 3600 * 10**6, "DAY": 86400 * 10**6,
    "WEEK": 7 * 86400 * 10**6,
}  # fmt: skip


class _Reader:
    """Turns sqlglot's tree into ours; what is not a scalar function of one row is refused."""

    def __init__(self, refuse: Refusal):
        self.refuse = refuse

    def node(self, e: exp.Expression) -> Node:
        from sqlglot import exp

        from noria.expressions.functions import BY_SQLGLOT

        if isinstance(e, exp.Paren):
            return self.node(e.this)
        if isinstance(e, exp.Column):
            if e.args.get("table") is not None:
                raise self.refuse.because("a column has one name", mend=f'quote it: "{e.sql()}"')
            return Column(e.name)
        if isinstance(e, exp.Literal | exp.Boolean | exp.Null | exp.Interval):
            return self.constant(e)
        special = getattr(self, f"_{type(e).__name__.lower()}", None)
        if special is not None:
            found = special(e)
            assert isinstance(found, Column | Constant | Call)
            return found
        name = BY_SQLGLOT.get(type(e).__name__)
        if name is not None:
            return Call(name, tuple(self.node(arg) for arg in _arguments(e)))
        raise self.unsupported(e)

    def unsupported(self, e: exp.Expression) -> DeclarationError:
        from sqlglot import exp

        from noria.expressions.functions import FUNCTIONS

        if isinstance(e, exp.AggFunc):
            return self.refuse.because(
                f"'{e.sql_name().lower()}' looks at many rows; a row expression sees one",
                mend="declare an aggregate in a FeatureView",
            )
        if isinstance(e, exp.Query | exp.Subquery | exp.Window):
            return self.refuse.because("a row expression sees one row: no SELECT and no window")
        if isinstance(e, exp.Anonymous):
            return self.refuse.unknown("function", e.name.lower(), FUNCTIONS)
        return self.refuse.because(f"'{e.sql(dialect='postgres')}' is not a scalar expression that Noria knows")

    def constant(self, e: exp.Expression) -> Constant:
        from sqlglot import exp

        if isinstance(e, exp.Null):
            return Constant(None, "null")
        if isinstance(e, exp.Boolean):
            return Constant(bool(e.this), "bool")
        if isinstance(e, exp.Interval):
            return self.interval(e)
        if e.is_string:
            return Constant(e.name, "string")
        try:
            number = int(e.name)
        except ValueError:
            number_float = float(e.name)
            if number_float in (float("inf"), float("-inf")):
                raise self.refuse.because("a number is too large", mend="at most 1.8e308") from None
            return Constant(number_float, "float")
        if not -(2**63) <= number < 2**63:
            raise self.refuse.because("a whole number is too large", mend="integers have 64 bits; write it with a point")
        return Constant(number, "int")

    def interval(self, e: exp.Expression) -> Constant:
        unit = e.args["unit"].name.upper().removesuffix("S") if e.args.get("unit") is not None else ""
        if unit not in _UNITS:
            raise self.refuse.because(f"no interval unit '{unit or e.sql()}'", mend="one of " + ", ".join(_UNITS))
        try:
            count = float(e.this.name)
        except ValueError:
            raise self.refuse.because("an interval is a number and a unit", mend="INTERVAL '90 minutes'") from None
        return Constant(timedelta(microseconds=round(count * _UNITS[unit])), "interval")

    def _cast(self, e: exp.Expression) -> Node:
        target = _CASTS.get(str(e.args["to"].this.name))
        if target is None:
            raise self.refuse.because(f"no type '{e.args['to'].sql()}'", mend="bool, int, float, text, date, timestamp")
        inner = self.node(e.this)
        if isinstance(inner, Constant) and inner.kind == "string" and target in ("date", "timestamp"):
            return self.moment(str(inner.value), target)
        return Call("cast", (inner,), target)

    _trycast = _cast

    def moment(self, text: str, target: str) -> Constant:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise self.refuse.because(f"'{text}' is no {target}", mend="2013-12-01 or 2013-12-01T10:00:00Z") from None
        if target == "date":
            return Constant(found.date(), "date")
        return Constant(found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC), "timestamp")

    def _extract(self, e: exp.Expression) -> Node:
        from noria.expressions.functions import FIELDS

        field = e.this.name.lower()
        if field not in FIELDS:
            raise self.refuse.unknown("field", field, FIELDS)
        return Call("extract", (self.node(e.expression),), field)

    def _timestamptrunc(self, e: exp.Expression) -> Node:
        unit = e.args["unit"].name.lower()
        if unit not in ("minute", "hour", "day", "week", "month", "quarter", "year"):
            raise self.refuse.because(f"DATE_TRUNC has no unit '{unit}'", mend="minute, hour, day, week, month, quarter or year")
        return Call("date_trunc", (self.node(e.this),), unit)

    _datetrunc = _timestamptrunc

    def _attimezone(self, e: exp.Expression) -> Node:
        from zoneinfo import ZoneInfo

        zone = e.args["zone"].name
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise self.refuse.because(f"no time zone '{zone}'", mend="a name such as 'America/New_York'") from None
        return Call("at time zone", (self.node(e.this),), zone)

    def _is(self, e: exp.Expression) -> Node:
        from sqlglot import exp

        inner = self.node(e.this)
        if isinstance(e.expression, exp.Null):
            found: Node = Call("is null", (inner,))
        elif isinstance(e.expression, exp.Boolean):
            truth = Call("=", (inner, Constant(bool(e.expression.this), "bool")))
            found = Call("coalesce", (truth, Constant(False, "bool")))
        else:
            raise self.refuse.because("IS goes with NULL, TRUE or FALSE")
        return Call("not", (found,)) if e.args.get("negate") else found

    def _between(self, e: exp.Expression) -> Node:
        value = self.node(e.this)
        low, high = self.node(e.args["low"]), self.node(e.args["high"])
        return Call("and", (Call(">=", (value, low)), Call("<=", (value, high))))

    def _in(self, e: exp.Expression) -> Node:
        if not e.expressions:
            raise self.refuse.because("IN needs a list of values", mend="x IN (1, 2)")
        value = self.node(e.this)
        tests = [Call("=", (value, self.node(item))) for item in e.expressions]
        return functools.reduce(lambda left, right: Call("or", (left, right)), tests)

    def _like(self, e: exp.Expression) -> Node:
        return self.pattern("like", e)

    def _ilike(self, e: exp.Expression) -> Node:
        return self.pattern("ilike", e)

    def _regexplike(self, e: exp.Expression) -> Node:
        return self.pattern("regexp_like", e)

    def pattern(self, function: str, e: exp.Expression) -> Node:
        pattern = self.node(e.expression)
        if not (isinstance(pattern, Constant) and pattern.kind == "string"):
            raise self.refuse.because(f"the pattern of {function} must stand in the text")
        return Call(function, (self.node(e.this),), str(pattern.value))

    def _case(self, e: exp.Expression) -> Node:
        subject = self.node(e.this) if e.this is not None else None
        parts: list[Node] = []
        for branch in e.args["ifs"]:
            test = self.node(branch.this)
            parts += [test if subject is None else Call("=", (subject, test)), self.node(branch.args["true"])]
        default = e.args.get("default")
        return Call("case", (*parts, self.node(default) if default is not None else Constant(None, "null")))

    def _if(self, e: exp.Expression) -> Node:
        default = e.args.get("false")
        other = self.node(default) if default is not None else Constant(None, "null")
        return Call("case", (self.node(e.this), self.node(e.args["true"]), other))

    def _neg(self, e: exp.Expression) -> Node:
        inner = self.node(e.this)
        if isinstance(inner, Constant) and isinstance(inner.value, int | float) and not isinstance(inner.value, bool):
            return Constant(-inner.value, inner.kind)
        return Call("-", (inner,))


def _arguments(e: exp.Expression) -> list[exp.Expression]:
    from sqlglot import exp

    found: list[exp.Expression] = []
    for value in e.args.values():
        if isinstance(value, exp.Expression):
            found.append(value)
        elif isinstance(value, list):
            found += [item for item in value if isinstance(item, exp.Expression)]
    return found
