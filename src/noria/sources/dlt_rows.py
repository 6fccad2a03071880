"""What dlt extracts as frames: rows one by one, lists of them, or tables."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

from noria.core import DataError
from noria.sources.rest_rows import Row, frame_of

if TYPE_CHECKING:
    import polars as pl


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def frames(items: Iterable[Any], most: int) -> Iterator[pl.DataFrame]:
    """Items as frames of a bounded number of rows; a table of Arrow, Polars or pandas stays one.

    Parameters
    ----------
    items : iterable
        Rows, lists of rows, tables.
    most : int
        The most rows of a frame that is made of single ones.
    """
    rows: list[Row] = []
    for item in items:
        for one in item if isinstance(item, list) else [item]:
            if isinstance(one, Mapping):
                rows.append({str(name): plain_value(value) for name, value in one.items()})
                if len(rows) >= most:
                    yield _frame(rows)
                    rows = []
                continue
            if rows:
                yield _frame(rows)
                rows = []
            if len(table := _table(one)):
                yield table
    if rows:
        yield _frame(rows)


def _table(item: Any) -> pl.DataFrame:
    import polars as pl

    if isinstance(item, pl.DataFrame):
        return item
    kind = type(item).__module__.partition(".")[0]
    if kind == "pyarrow":
        import pyarrow

        return pl.DataFrame(pyarrow.table(item) if isinstance(item, pyarrow.RecordBatch) else item)
    if kind == "pandas":
        return pl.from_pandas(item)
    raise DataError("an item of dlt is no row", value=type(item).__name__, mend="dicts, lists of them, or tables")


def _frame(rows: list[Row]) -> pl.DataFrame:
    """Rows as a frame: moments, dates and decimals keep their type where a column has no other, else they are texts."""
    import polars as pl

    names = dict.fromkeys(name for row in rows for name in row)
    typed: dict[str, pl.Series] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        kinds = set(map(type, values)) - {type(None)}
        if kinds == {datetime}:
            typed[name] = pl.Series(name, values, dtype=pl.Datetime("us", "UTC"))
        elif kinds == {date}:
            typed[name] = pl.Series(name, values, dtype=pl.Date)
        elif kinds == {Decimal} and all(value is None or _is_exact(value) for value in values):
            typed[name] = pl.Series(name, [value if value is None else float(value) for value in values])
        elif kinds & {datetime, date, Decimal}:
            for row in rows:
                if name in row:
                    row[name] = inside(row[name])
    others = frame_of([{name: row.get(name) for name in names if name not in typed} for row in rows]) if (
        len(typed) < len(names) or not names
    ) else pl.DataFrame()  # fmt: skip
    return pl.DataFrame([typed[name] if name in typed else others[name] for name in names])


def _is_exact(value: Decimal) -> bool:
    return value.is_finite() and Decimal(repr(float(value))) == value


def plain_value(value: Any) -> Any:
    """A value as plain Python: a moment in UTC (without a zone: taken for UTC), nested ones as JSON has them.

    Raises
    ------
    DataError
        It is of a type that no column has.
    """
    if value is None or type(value) in (str, int, float, bool, Decimal):
        return value
    if isinstance(value, datetime):  # pendulum's too
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return _EPOCH + (moment - _EPOCH)
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return inside(value)
    if isinstance(value, Enum):
        return plain_value(value.value)
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, str | int | float):  # a class of somebody's own, such as NumPy's
        return next(kind(value) for kind in (str, int, float) if isinstance(value, kind))
    if hasattr(value, "item") and hasattr(value, "dtype"):  # NumPy's others
        return plain_value(value.item())
    raise DataError("a value of dlt is of a type that no column has", value=type(value).__name__,
                    mend="texts, numbers, truths, moments, dates, lists and dicts of them")  # fmt: skip


def inside(value: Any) -> Any:
    """A value as JSON has it: what JSON has no word for is a text."""
    if isinstance(value, Mapping):
        return {str(name): inside(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [inside(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((inside(one) for one in value), key=repr)
    plain = plain_value(value)
    if isinstance(plain, datetime | date):
        return plain.isoformat()
    return str(plain) if isinstance(plain, Decimal) else plain
