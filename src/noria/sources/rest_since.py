"""What is new at a server: the greatest value of a cursor column so far, and what is asked for because of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from noria.core import DataError
from noria.declarations import Source
from noria.sources.connector import State
from noria.sources.rest_rows import Row


class Since:
    """How far a source is read by its cursor; it follows the rows as they come.

    Values are compared as numbers, as moments where they are ISO 8601 texts, and else as texts. The value itself is
    kept as the server wrote it, and asked for like that.

    Parameters
    ----------
    source : Source
        The declaration, with ``incremental.cursor``.
    state : mapping, optional
        Where it was read to.
    """

    def __init__(self, source: Source, state: State | None):
        assert source.incremental is not None
        assert source.incremental.cursor is not None
        self._source, self._cursor = source, source.incremental.cursor
        self._lookback = source.incremental.lookback
        self._zone = ZoneInfo(source.time_zone)
        self._greatest: Any = None if state is None else state.get("cursor")

    @property
    def state(self) -> State | None:
        """Where it is read to, once all rows are committed that were followed."""
        return None if self._greatest is None else {"cursor": self._greatest}

    def asked(self) -> str | int | None:
        """The value that the server is asked for: the greatest less the lookback; None: everything."""
        value = self._greatest
        if value is None or not self._lookback:
            return _param(value)
        key = self._key(value)
        if isinstance(key, datetime):
            return _like(str(value), key - timedelta(microseconds=self._lookback))
        if isinstance(key, str):
            raise self._source.refuse(
                "there is no looking back from a text", field="incremental", value=value,
                mend="lookback= needs a cursor that is a time (ISO 8601) or a number",
            )  # fmt: skip
        return _param(key - self._lookback)

    def follow(self, rows: Iterable[Row], place: str) -> None:
        """Take note of rows."""
        greatest = None if self._greatest is None else self._key(self._greatest)
        for number, row in enumerate(rows, 1):
            if self._cursor not in row:
                raise DataError(
                    f"source '{self._source.name}': a row has no cursor", place=f"{place}, row {number}",
                    value=", ".join(list(row)[:10]), mend=f"incremental: '{self._cursor}' is a column of every row",
                )  # fmt: skip
            value = row[self._cursor]
            if value is None:
                continue
            key = self._key(value)
            try:
                greater = greatest is None or key > greatest
            except TypeError:
                raise DataError(
                    f"source '{self._source.name}': the cursor has values of two kinds",
                    place=f"{place}, row {number}",
                    value=f"{value!r} and {self._greatest!r}",
                    mend=f"is '{self._cursor}' what grows?",
                ) from None
            if greater:
                greatest, self._greatest = key, value

    def _key(self, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        if isinstance(value, str):
            moment = _moment(value)
            if moment is None:
                return value
            return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(UTC)
        raise DataError(
            f"source '{self._source.name}': this is no cursor",
            value=repr(value)[:80],
            mend="a time, a number or a text",
        )


def _moment(text: str) -> datetime | None:
    if text[:5].strip("0123456789") != "-":
        return None  # a number in a text, which Python takes for a date
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _like(text: str, moment: datetime) -> str:
    """A moment, written as another one was: in its zone, and as exact, or a little earlier."""
    before = datetime.fromisoformat(text)
    local = moment.astimezone(before.tzinfo) if before.tzinfo else moment.replace(tzinfo=None)
    if len(text) == 10:
        return local.date().isoformat()
    digits = len(text.partition(".")[2].rstrip("Zz").partition("+")[0].partition("-")[0])
    written = local.isoformat(
        sep=text[10], timespec="microseconds" if digits > 3 else "milliseconds" if digits else "seconds"
    )
    return written.replace("+00:00", "Z") if text.endswith(("Z", "z")) else written


def _param(value: Any) -> str | int | None:
    return value if value is None or isinstance(value, str | int) else repr(value)
