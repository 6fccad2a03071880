"""What an expression is made of, before and after its kinds are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from noria.expressions.function import Overload

Kind = Literal["null", "bool", "int", "float", "string", "date", "timestamp", "interval"]

Type = Literal["null", "bool", "int", "float", "string", "date", "timestamp", "interval", "local"]
"""A kind, or ``local``: a wall-clock time, which exists only inside an expression."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is read."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal; intervals are whole microseconds."""

    type: Type
    value: Any


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator, by its name in the table, on its arguments."""

    name: str
    args: tuple[Node, ...]


Node: TypeAlias = Column | Constant | Call


@dataclass(frozen=True, slots=True)
class Read:
    """A column of a known kind."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Apply:
    """One overload of a function: on arguments of exactly its kinds, and on the literals that it asks for."""

    overload: Overload
    args: tuple[Typed, ...]
    literals: tuple[Any, ...] = ()

    @property
    def type(self) -> Type:
        """What it gives."""
        return self.overload.gives


Typed: TypeAlias = Read | Constant | Apply
