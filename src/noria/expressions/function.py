"""One row of the table of functions: what it takes, what it gives, and how each compiler says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from noria.expressions.tree import Type


@dataclass(frozen=True, slots=True)
class Fixed:
    """A parameter that must be a literal of this kind, so that it can be prepared once."""

    type: Type


Parameter: TypeAlias = Type | Fixed | None
"""A kind, a literal of a kind, or None for any kind at all."""

Form: TypeAlias = str | Callable[..., str]
"""A template, or a function of the arguments' SQL."""

Sql: TypeAlias = Form | Mapping[str, Form]
"""A form, or one for each dialect (``""`` for the others); a dialect without one cannot do it."""


@dataclass(frozen=True, slots=True)
class Overload:
    """A function on arguments of certain kinds.

    Attributes
    ----------
    takes : tuple
        The parameters, in order; literals come last.
    gives : str
        The kind of the result.
    python : callable
        On values. Where there are literals: a function of the literals that gives a function on the other values.
    polars : callable
        On Polars expressions, then literals.
    sql : str, mapping or callable
        On the SQL of all arguments.
    strict : bool
        Null if any argument is null: `python` is then called on values only.
    repeat : int
        How many of the last parameters may come again.
    prepare : callable, optional
        Of the literals: checks them (``ValueError`` says what is wrong) and gives what the compilers get.
    exact : bool
        No argument is converted: it is of the kind, or null.
    """

    takes: tuple[Parameter, ...]
    gives: Type
    python: Callable[..., Any]
    polars: Callable[..., Any]
    sql: Sql
    strict: bool = True
    repeat: int = 0
    prepare: Callable[..., tuple[Any, ...]] | None = None
    exact: bool = False

    def parameters(self, count: int) -> tuple[Parameter, ...] | None:
        """The parameters for so many arguments, None where they do not fit."""
        more = count - len(self.takes)
        if more == 0:
            return self.takes
        if more < 0 or not self.repeat or more % self.repeat:
            return None
        return self.takes + self.takes[-self.repeat :] * (more // self.repeat)


Table: TypeAlias = dict[str, tuple[Overload, ...]]
