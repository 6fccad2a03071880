"""What a Delta table's log says, read without any library: its commits are JSON, and Noria's tables keep them all."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from noria.lake.delta.places import Place

STEP = "noria.step"
MODE = "noria.mode"
BY = "noria.by"
RESTORED = "noria.restored"
STATE = "noria.state"
_PACKED = "noria.state.zlib"
_LONG = 2_000
"""Characters from which a state is packed: all who read the log read past it."""

Action = dict[str, Any]


def numbers(place: Place, table: str) -> list[int]:
    """The versions of a table, newest first."""
    stems = (name.removesuffix(".json") for name in place.names(f"{table}/_delta_log") if name.endswith(".json"))
    return sorted((int(stem) for stem in stems if stem.isdigit()), reverse=True)


def actions(place: Place, table: str, version: int) -> list[Action]:
    """What a version's commit says; nothing where there is none."""
    content = place.read(f"{table}/_delta_log/{version:020}.json")
    try:
        return [json.loads(line) for line in (content or b"").decode().splitlines() if line]
    except ValueError:
        return []


def info(said: list[Action]) -> Action:
    """Who committed what, and how."""
    return next((action["commitInfo"] for action in said if "commitInfo" in action), {})


def added(said: list[Action]) -> Iterator[Action]:
    """The files that a commit adds, by their own names."""
    for action in said:
        if "add" in action:
            yield {**action["add"], "path": unquote(action["add"]["path"])}


def rows_of(add: Action) -> int | None:
    """The rows of a file; None where who wrote it did not count them."""
    try:
        return int(json.loads(add.get("stats") or "{}")["numRecords"])
    except (ValueError, KeyError, TypeError):
        return None


def removed(said: list[Action]) -> Iterator[str]:
    """The files that a commit takes out of the table, by their own names."""
    for action in said:
        if "remove" in action:
            yield unquote(action["remove"]["path"])


def files(place: Place, table: str, version: int) -> set[str]:
    """The files of a version: those of the newest commit up to it that replaced all, and what came and went since."""
    came: list[list[Action]] = []
    for number in range(version, -1, -1):
        said = actions(place, table, number)
        came.append(said)
        if info(said).get(MODE) == "replace":
            break
    found: set[str] = set()
    for said in reversed(came):
        found.difference_update(removed(said))
        found.update(add["path"] for add in added(said))
    return found


def with_state(state: Mapping[str, Any] | None) -> dict[str, str]:
    """What of a commit's metadata holds a state; nothing for None.

    Examples
    --------
    >>> with_state({"cursor": 7})
    {'noria.state': '{"cursor":7}'}
    >>> state_in(with_state({"seen": ["a file"] * 1000})) == {"seen": ["a file"] * 1000}
    True
    """
    if state is None:
        return {}
    text = json.dumps(state, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if len(text) < _LONG:
        return {STATE: text}
    return {_PACKED: base64.b64encode(zlib.compress(text.encode(errors="surrogatepass"))).decode()}


def state_in(commit: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state that a commit's metadata holds; None where it says nothing of one."""
    text = commit.get(STATE)
    if text is None and _PACKED in commit:
        text = zlib.decompress(base64.b64decode(commit[_PACKED])).decode(errors="surrogatepass")
    return None if text is None else dict(json.loads(text))


def state(place: Place, table: str, version: int) -> dict[str, Any]:
    """The state as of a version: that of the newest commit up to it that carries one, else an empty one.

    Commits that rewrite files without a change to the rows carry none, since a state that they copied might be older
    than that of a writer whom they overtook.
    """
    for number in range(version, -1, -1):
        found = state_in(info(actions(place, table, number)))
        if found is not None:
            return found
    return {}
