"""``noria profile``: what is in a table, in words or as JSON; or what differs from another profile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noria.cli.reading import Separator

if TYPE_CHECKING:
    from noria.contracts import ColumnProfile, Profile

_NAME = 24


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("profile")(_profile)


def _profile(
    place: Annotated[str, typer.Argument(metavar="FILE", help="A file, a glob or a URL.")],
    as_json: Annotated[bool, typer.Option("--json", help="All of it, as JSON.")] = False,
    before: Annotated[
        Path | None, typer.Option("--diff", metavar="PROFILE", help="The JSON of another: say what differs; exit 1.")
    ] = None,
    separator: Separator = None,
) -> None:
    """Say what is in a table: types, nulls, ranges, frequent values, times covered, keys, what looks personal."""
    from noria.contracts import differences

    found = profile_at(place, separator)
    if before is not None:
        differing = differences(read_profile(before), found)
        if as_json:
            typer.echo(json.dumps([one.to_body() for one in differing], ensure_ascii=False, indent=1))
        else:
            for one in differing:
                typer.echo(str(one))
        raise typer.Exit(1 if differing else 0)
    if as_json:
        typer.echo(json.dumps(found.to_body(), ensure_ascii=False, indent=1))
        return
    for line in shown(found):
        typer.echo(line)


def profile_at(place: str, separator: str | None = None) -> Profile:
    """The profile of what is read at a place."""
    from noria.cli.reading import source_of, typed_batches
    from noria.contracts import profile_of

    return profile_of(typed_batches(source_of(place, separator=separator), Path.cwd()))


def read_profile(file: Path) -> Profile:
    """A profile from its JSON.

    Raises
    ------
    DataError
        There is none.
    """
    from noria.contracts import Profile
    from noria.core import DataError

    try:
        return Profile.from_body(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        mend = "noria profile FILE --json > profile.json"
        raise DataError("no profile can be read there", place=str(file), value=str(error), mend=mend) from None


def shown(profile: Profile) -> Iterator[str]:
    """A profile for a terminal, a line a column."""
    yield f"{profile.rows:,} rows, {len(profile.columns):,} columns"
    for column in profile.columns:
        nulls = f"{column.nulls / max(column.rows, 1):.1%} null" if column.nulls else ""
        words = [
            f"{column.distinct:,} distinct",
            nulls,
            _values(column),
            f"looks like {column.personal}" * bool(column.personal),
        ]
        yield f"  {_short(column.name):<{_NAME}}  {column.kind:<9}  " + "; ".join(word for word in words if word)
    if profile.keys:
        yield "keys: " + "; ".join(", ".join(key) for key in profile.keys)
    strong = [pair for pair in profile.correlations if abs(pair[2]) >= 0.9][:10]
    if strong:
        yield "go together: " + "; ".join(f"{a} and {b} ({r:+.2f})" for a, b, r in strong)


def _short(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"


def _values(column: ColumnProfile) -> str:
    if column.kind in ("string", "bool"):
        return ", ".join(f"{value} {count / max(column.present, 1):.0%}" for value, count in column.top[:3])
    if column.low is None:
        return ""
    if column.kind in ("date", "timestamp"):
        without = f", {column.gaps:,} of them without rows" if column.gaps else ""
        return f"{column.low} to {column.high} by {column.every}{without}"
    return f"{column.low:g} to {column.high:g}, median {column.quantiles['0.5']:g}"
