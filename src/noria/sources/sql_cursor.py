"""The cursor of a source: its greatest value as text that keeps its type, and where reading goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from noria.declarations import Incremental, Source

if TYPE_CHECKING:
    import polars as pl

    from noria.sources.connector import State


@dataclass(frozen=True, slots=True)
class Cursor:
    """A column that grows, and what its values are.

    Examples
    --------
    >>> Cursor("at", "timestamp").text(datetime(2024, 5, 1, tzinfo=UTC))
    '2024-05-01T00:00:00.000000+00:00'
    >>> Cursor("id", "int").restored({"cursor": "7", "type": "int"})
    7
    """

    name: str
    type: str

    def text(self, value: Any) -> str:
        """A value as text that gives the same value back."""
        return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else str(value)

    def restored(self, state: State) -> Any:
        """The value in a state."""
        text = state["cursor"]
        kinds: dict[str, Callable[[str], Any]] = {
            "int": int, "float": float, "string": str, "timestamp": datetime.fromisoformat, "date": date.fromisoformat,
        }  # fmt: skip
        return kinds[self.type](text)

    def greater(self, known: Any, values: pl.Series) -> Any:
        """The greater of what is known and the greatest of some more."""
        found = values.max()
        if isinstance(found, datetime) and found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        return found if known is None or (found is not None and found > known) else known


def cursor_of(source: Source, name: str, dtype: pl.DataType, state: State | None) -> Cursor:
    """The cursor of a column of a type; where that is not known yet, of that of the last read.

    Raises
    ------
    DeclarationError
        Values of that type have no order that is the database's own, or the lookback is of another kind.
    """
    import polars as pl

    assert source.incremental is not None
    if dtype.is_integer():
        kind = "int"
    elif dtype.is_float():
        kind = "float"
    elif isinstance(dtype, pl.Datetime):
        kind = "timestamp"
    elif dtype == pl.Date:
        kind = "date"
    elif dtype == pl.String:
        kind = "string"
    elif dtype == pl.Null:  # the database does not tell types without values
        kind = state["type"] if state is not None else ""
    else:
        raise source.incremental.refuse("this column cannot be a cursor", field="cursor", value=f"{name}: {dtype}",
                                        mend="a number, a time, a day or a text")  # fmt: skip
    if state is not None and state["type"] != kind:
        raise source.incremental.refuse("the cursor is of another type than it was", field="cursor",
                                        value=f"{name}: {kind}, it was {state['type']}",
                                        mend="another source name: it is then read anew")  # fmt: skip
    if kind == "string" and source.incremental.lookback:
        raise source.incremental.refuse("one cannot look back from a text", field="lookback", value=name,
                                        mend="no lookback, or a cursor that is a number or a time")  # fmt: skip
    return Cursor(name, kind)


def floor_of(cursor: Cursor, state: State, incremental: Incremental) -> Any:
    """The least value that is read again.

    Examples
    --------
    >>> floor_of(Cursor("id", "int"), {"cursor": "100", "type": "int"}, Incremental("id", lookback=10))
    90
    """
    value, back = cursor.restored(state), incremental.lookback
    if cursor.type == "timestamp":
        return max(value - timedelta(microseconds=back), datetime(1, 1, 1, tzinfo=UTC)) if back else value
    if cursor.type == "date":
        return value - timedelta(days=-(-back // 86_400_000_000)) if back else value
    if cursor.type == "int":
        return value - int(-(-back // 1)) if back else value
    return value - back if back else value
