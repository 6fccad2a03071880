"""History: what each commit of a table did, by whom, from the log alone."""

from __future__ import annotations

from typing import Any

from noria.core import from_micros
from noria.lake import Commit, Usage
from noria.lake.delta import log
from noria.lake.delta.places import Place

_WORDS = {
    "CREATE TABLE": "create", "WRITE": "write", "OPTIMIZE": "compact", "RESTORE": "restore", "MERGE": "merge",
    "ADD COLUMN": "add columns", "VACUUM START": "vacuum", "VACUUM END": "vacuum",
}  # fmt: skip
"""What delta-rs calls a commit, in Noria's words."""


def history(place: Place, table: str) -> list[Commit]:
    """All commits, newest first. Holds the names of the files of one version."""
    found = []
    live: dict[str, tuple[int | None, int]] = {}
    for version in reversed(log.numbers(place, table)):
        said = log.actions(place, table, version)
        info = log.info(said)
        gone = {path: live.pop(path) for path in log.removed(said) if path in live}
        came = {add["path"]: (log.rows_of(add), int(add["size"])) for add in log.added(said)}
        live |= came
        found.append(
            Commit(
                version=version,
                at=from_micros(int(info.get("timestamp", 0)) * 1000),
                what=_what(info),
                who=str(info.get(log.BY, "")),
                step=str(info.get(log.STEP, "")),
                added=_total(rows for rows, _ in came.values()),
                removed=_total(rows for rows, _ in gone.values()),
                rows=_total(rows for rows, _ in live.values()),
                written=sum(size for _, size in came.values()),
                files=len(live),
                bytes=sum(size for _, size in live.values()),
            )
        )
    return found[::-1]


def usage(place: Place, table: str) -> Usage:
    """What a table takes: its newest version, and all that lies there."""
    numbers = log.numbers(place, table)
    live = log.files(place, table, numbers[0]) if numbers else set()
    sizes = {name: size for name, size, _ in place.listed(table)}
    return Usage(
        table=table,
        versions=len(numbers),
        files=len(live),
        bytes=sum(sizes.get(name, 0) for name in live),
        stored=sum(sizes.values()) + sum(size for _, size, _ in place.listed(f"{table}/_delta_log")),
    )


def _what(info: dict[str, Any]) -> str:
    operation = str(info.get("operation", ""))
    what = str(info.get(log.MODE, "")) or _WORDS.get(operation, operation.lower())
    return f"{what} {info[log.RESTORED]}" if log.RESTORED in info else what


def _total(counts: Any) -> int | None:
    """A sum; None where another program wrote a file and did not count its rows."""
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total
