"""Care of tables: fewer files, rows that are asked for together in one place, old files gone, an old version back."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from noria.core import DataError, DeclarationError, TransientError
from noria.lake import Commit, Vacuumed
from noria.lake.delta import log
from noria.lake.delta.errors import unwritable
from noria.lake.delta.history import history
from noria.security import current_actor

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable

    from noria.lake.delta.write import Opener

_TRIES = 10
_UNNAMED = timedelta(days=1)
"""Files that no commit names are left alone for so long: a write may be about to name them."""


def compact(lake: Opener, table: str, order: Sequence[str]) -> int:
    """Put small files together, or with `order` all of them along a curve through these columns; gives the version."""
    from deltalake import WriterProperties

    zstd = WriterProperties(compression="ZSTD", compression_level=1)
    opened = _there(lake, table)
    known = [field.name for field in opened.schema().fields]
    if unknown := [name for name in order if name not in known]:
        raise DeclarationError("the table has no such column", place=lake.path(table), value=", ".join(unknown),
                               mend="one of " + ", ".join(known))  # fmt: skip

    def once(opened: DeltaTable) -> None:
        # With delta-rs's own retries: it sees to it that no row is lost to a writer in between.
        told = _properties({log.MODE: "compact" if not order else f"z-order by {', '.join(order)}"}, retries=None)
        if order:
            opened.optimize.z_order(list(order), writer_properties=zstd, commit_properties=told)
        else:
            opened.optimize.compact(writer_properties=zstd, commit_properties=told)

    return _done(lake, table, once)


def restore(lake: Opener, table: str, version: int) -> int:
    """Make the newest version what an old one was, state and schema too; gives the new version.

    The steps that are undone are forgotten: each writes again when it comes again.
    """
    from deltalake import Transaction

    place = lake.place
    numbers = log.numbers(place, table)
    if version not in numbers:
        _there(lake, table)
        raise DataError("the table has no such version", place=lake.path(table), value=version,
                        mend=f"0 to {numbers[0]}")  # fmt: skip
    if not lake.has(table, version):
        raise DataError("files of this version of the table are gone", place=lake.path(table), value=version,
                        mend="noria lake history says which versions there are")  # fmt: skip

    def once(opened: DeltaTable) -> None:
        steps = {number: log.info(log.actions(place, table, number)).get(log.STEP) for number in
                 range(opened.version() + 1)}  # fmt: skip
        undone = {step for number, step in steps.items() if step and number > version}
        before = {step: number for number, step in steps.items() if step and number <= version}
        told = {
            log.STEP: f"restore of {version}",
            log.MODE: "restore",
            log.RESTORED: version,
            **log.with_state(log.state(place, table, version)),
        }
        forgotten = [Transaction(step, before.get(step, -1)) for step in sorted(undone)]
        opened.restore(version, commit_properties=_properties(told, retries=0, transactions=forgotten))

    return _done(lake, table, once)


def vacuum(lake: Opener, table: str, older_than: timedelta | None, keep: Iterable[int], dry_run: bool) -> Vacuumed:
    """Remove files that no version to be kept has; with `dry_run` only say which these are.

    Not by delta-rs, which opens every version that is to be kept.
    """
    if older_than is not None and older_than < timedelta(0):
        raise DeclarationError("an age is not below 0", place=lake.path(table), value=older_than)
    _there(lake, table)
    commits = history(lake.place, table)
    kept = _kept(commits, older_than, {*keep})
    lives = _lives(lake, table, [commit.version for commit in reversed(commits)])
    fresh = datetime.now(UTC) - _UNNAMED
    gone: dict[str, int] = {}
    for name, size, at in lake.place.listed(table):
        spans = lives.get(name)
        if spans is None:
            if name.endswith(".parquet") and at < fresh:
                gone[name] = size
        elif not any(start <= version < end for start, end in spans for version in kept):
            gone[name] = size
    if not dry_run:
        for name in gone:
            lake.place.remove(f"{table}/{name}")
    lost = sorted({version for commit in commits if (version := commit.version) not in kept and any(
        start <= version < end for name in gone for start, end in lives.get(name, ()))})  # fmt: skip
    return Vacuumed(table, len(gone), sum(gone.values()), tuple(lost))


def _kept(commits: Sequence[Commit], older_than: timedelta | None, asked: set[int]) -> list[int]:
    """The versions to keep: all, or those that were the newest at some moment within the age, and those asked for."""
    if older_than is None:
        return [commit.version for commit in commits]
    cut = datetime.now(UTC) - older_than
    newer = list(itertools.takewhile(lambda commit: commit.at >= cut, commits))
    recent = commits[: max(1, len(newer) + (older_than > timedelta(0)))]
    return sorted({commit.version for commit in recent} | asked)


def _lives(lake: Opener, table: str, versions: Iterable[int]) -> dict[str, list[tuple[float, float]]]:
    """Of each file that a commit ever named, from which version to before which it was in the table."""
    found: dict[str, list[tuple[float, float]]] = {}
    for version in versions:
        said = log.actions(lake.place, table, version)
        for path in log.removed(said):
            if path in found:
                found[path][-1] = (found[path][-1][0], min(version, found[path][-1][1]))
        for add in log.added(said):
            found.setdefault(add["path"], []).append((version, math.inf))
    return found


def _there(lake: Opener, table: str) -> DeltaTable:
    opened = lake.found(table)
    if opened is None:
        raise DataError("there is no such table", place=lake.path(table), value=table, mend="noria lake list")
    return opened


def _done(lake: Opener, table: str, once: Callable[[DeltaTable], None]) -> int:
    """The version behind a change that is tried again where a writer was first."""
    from deltalake.exceptions import CommitFailedError, DeltaError

    for _ in range(_TRIES):
        opened = _there(lake, table)
        try:
            once(opened)
        except CommitFailedError:
            continue
        except (DeltaError, OSError) as error:
            raise unwritable(lake.path(table), error) from None
        opened.update_incremental()
        return int(opened.version())
    raise TransientError("other writers keep committing to the table", place=lake.path(table), mend="run again")


def _properties(told: dict[str, Any], *, retries: int | None, transactions: Any = None) -> CommitProperties:
    from deltalake import CommitProperties

    return CommitProperties(
        custom_metadata={**told, log.BY: current_actor()}, max_commit_retries=retries, app_transactions=transactions
    )
