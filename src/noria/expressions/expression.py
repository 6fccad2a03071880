"""Expression: what users write, parsed once; and its compilers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from noria.core import DeclarationError
from noria.expressions.tree import Kind, Node, Typed

if TYPE_CHECKING:
    import polars as pl

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Expression:
    """A row expression, made by `parse`. Equal and hashed by its text; pickled as its text.

    Attributes
    ----------
    text : str
        As it was written.
    columns : frozenset of str
        What it reads.
    place : str
        Where it was written, for errors.
    """

    text: str
    columns: frozenset[str] = field(compare=False)
    place: str = field(compare=False, repr=False)
    _tree: Node = field(compare=False, repr=False)

    def kind(self, schema: Mapping[str, Kind]) -> Kind:
        """The kind of its result on rows of this schema.

        Raises
        ------
        DeclarationError
            An unknown column, or arguments that a function does not take.

        Examples
        --------
        >>> parse("arr_delay > 15").kind({"arr_delay": "int"})
        'bool'
        """
        found = self._checked(schema).type
        assert found != "local"
        return found

    def _checked(self, schema: Mapping[str, Kind]) -> Typed:
        from noria.expressions.check import check

        typed = self._telling(lambda: check(self._tree, schema))
        if typed.type == "local":
            raise DeclarationError(
                "a local wall-clock time cannot be kept: only EXTRACT and CAST(… AS date) read it",
                place=self.place or None, value=self.text,
                mend="EXTRACT(HOUR FROM … AT TIME ZONE …), or leave the time in UTC",
            )  # fmt: skip
        return typed

    def _telling(self, do: Callable[[], _T]) -> _T:
        return _telling(do, self.text, self.place)

    def __reduce__(self) -> tuple[Callable[..., Expression], tuple[str, str]]:
        return _restore, (self.text, self.place)


def _telling(do: Callable[[], _T], text: str, place: str) -> _T:
    """Add to an error which expression it is about, and where that was written."""
    try:
        return do()
    except DeclarationError as error:
        message = f"{error.message} ({error.value})" if error.value is not None else error.message
        raise DeclarationError(message, place=place or None, value=text, mend=error.mend) from None


def _restore(text: str, place: str) -> Expression:
    return parse(text, place=place)


def parse(text: str, *, place: str = "") -> Expression:
    """Parse a SQL scalar expression (PostgreSQL's way of writing); parsed texts are kept.

    Parameters
    ----------
    text : str
        The expression.
    place : str
        Where it was written, for errors.

    Raises
    ------
    DeclarationError
        It is not a row expression; the error says why.

    Examples
    --------
    >>> sorted(parse("time_hour + minute * INTERVAL '1 minute'").columns)
    ['minute', 'time_hour']
    """
    from noria.expressions.syntax import columns_of

    tree = _telling(lambda: _parsed(text), text, place)
    return Expression(text, columns_of(tree), place, tree)


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> Node:
    from noria.expressions.syntax import read

    return read(text)


def to_polars(expression: Expression, schema: Mapping[str, Kind]) -> pl.Expr:
    """Compile to Polars. Without a column it has one row, as any Polars literal.

    Raises
    ------
    DeclarationError
        As `Expression.kind`.

    Examples
    --------
    >>> import polars as pl
    >>> late = to_polars(parse("arr_delay > 15"), {"arr_delay": "int"})
    >>> pl.DataFrame({"arr_delay": [3, 40, None]}).select(late.alias("late"))["late"].to_list()
    [False, True, None]
    """
    from noria.expressions.compile_polars import compile_polars

    typed = expression._checked(schema)
    return expression._telling(lambda: compile_polars(typed))


def to_sql(expression: Expression, schema: Mapping[str, Kind], dialect: str) -> str:
    """Compile to the SQL of ``"duckdb"``, ``"spark"`` or ``"flink"``.

    Timestamps are UTC without a zone; intervals are BIGINT microseconds.

    Raises
    ------
    DeclarationError
        As `Expression.kind`; or the dialect is unknown or cannot do it.

    Examples
    --------
    >>> to_sql(parse("lower(origin) = 'jfk'"), {"origin": "string"}, "duckdb")
    '(LOWER(CAST("origin" AS STRING)) = \\'jfk\\')'
    """
    from noria.expressions.compile_sql import compile_sql

    typed = expression._checked(schema)
    return expression._telling(lambda: compile_sql(typed, dialect))


def to_python(expression: Expression, schema: Mapping[str, Kind]) -> Callable[[Mapping[str, Any]], Any]:
    """Compile to a function of one row.

    Values are None, bool, int, float, str, `datetime.date`, `datetime.datetime` (with a zone; results in UTC) and
    `datetime.timedelta`. A row must hold every column that is read (KeyError), with a value of its kind (DataError).

    Raises
    ------
    DeclarationError
        As `Expression.kind`.

    Examples
    --------
    >>> late = to_python(parse("arr_delay > 15"), {"arr_delay": "int"})
    >>> late({"arr_delay": 40}), late({"arr_delay": None})
    (True, None)
    """
    from noria.expressions.compile_python import compile_python

    return compile_python(expression._checked(schema))
