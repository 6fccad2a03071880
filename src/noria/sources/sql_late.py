"""Rows that were committed behind the cursor, found by the transaction that wrote them (PostgreSQL).

A cursor such as ``updated_at`` is set when a row is written, and seen when its transaction is committed: a transaction
that was open at the last read commits rows that lie behind the cursor by now. PostgreSQL stamps each row with the
transaction that wrote it (``xmin``), and tells which were over at a moment. So a row is new when its transaction is
not one that the last read saw:

- it began after the last read (its number is the ``next`` of then or more), or
- it is not older than the oldest that was open then, and the last read saw no row of it.

The second needs the numbers whose rows were seen, as a row written below a savepoint bears a number of its own, which
no snapshot lists. They are few while transactions are short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noria.core import DeclarationError

if TYPE_CHECKING:
    from noria.sources.connector import Ask, State
    from noria.sources.sql_database import Database
    from noria.sources.sql_source import Sql

_MOST = 20_000
"""The most numbers that are kept in a state."""
_ROUND = 1 << 32
"""Numbers on rows have 32 bits, and begin again."""


@dataclass(frozen=True, slots=True)
class Late:
    """What tells late rows: a condition since the last read, and what the next read needs to know of this one."""

    condition: str | None
    oldest: int
    next: int
    seen: tuple[int, ...]


def seen_of(late: Late) -> Mapping[str, Any]:
    """What goes into the state."""
    return {"oldest": late.oldest, "next": late.next, "seen": list(late.seen)}


def late_of(origin: Sql, table: str, database: Database, ask: Ask, since: State | None) -> Late | None:
    """How late rows are told; None where the database does not say who wrote a row."""
    from noria.sources.postgresql import PostgreSQL

    if origin.late is False or origin.table is None or not isinstance(database, PostgreSQL):
        return None
    values = database.values
    ((kind,),) = values(f"SELECT relkind::text FROM pg_class WHERE oid = {database.text(table)}::regclass")
    if kind not in ("r", "p"):
        if origin.late:
            raise DeclarationError("late=True is for tables", place=origin.place, mend="lookback=… for a view")
        return None
    ((snapshot,),) = values("SELECT pg_current_snapshot()::text")
    oldest, following = (int(part) for part in snapshot.split(":")[:2])
    seen: tuple[int, ...] = ()
    if oldest < following:
        found = values(
            f"SELECT DISTINCT xmin::text::int8 FROM {table} WHERE {_between(oldest, following)} LIMIT {_MOST + 1}"
        )
        seen = tuple(sorted(number for (number,) in found))
    if len(seen) > _MOST:
        ask.say("a transaction has been open for very long: only lookback finds rows that are committed late")
        return Late(_condition(since, following), following, following, ())
    return Late(_condition(since, following), oldest, following, seen)


def _condition(since: State | None, following: int) -> str | None:
    if since is None or "next" not in since or following < since["next"]:
        return None  # another server than last time: its numbers say nothing
    parts = [_between(since["next"], following)]
    if since["oldest"] < since["next"]:
        known = ", ".join(str(int(number)) for number in since["seen"])
        other = f" AND xmin::text::int8 NOT IN ({known})" if known else ""
        parts.append(f"({_between(since['oldest'], since['next'])}{other})")
    return " OR ".join(parts)


def _between(low: int, high: int) -> str:
    """That a row's number lies from one to below another, where both may have gone round."""
    return f"((xmin::text::int8 - {int(low) % _ROUND} + {_ROUND}) % {_ROUND} < {int(high) - int(low)})"
