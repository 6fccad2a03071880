"""What becomes of a source whose columns are not those of first sight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from noria.core import DataError
from noria.declarations import Source
from noria.ingest.sketch import Sketch, alike, new_categories, other_unit

_WIDER = {("int", "float"), ("date", "timestamp")}


@dataclass(frozen=True, slots=True)
class Change:
    """One way in which a source is not as it was.

    Attributes
    ----------
    what : str
        ``new``, ``lost``, ``type``, ``renamed``, ``unit``, ``category`` or ``version``.
    column : str
        Which; empty for the version.
    text : str
        In words.
    action : str
        What is done.
    mend : str
        What may be declared.
    """

    what: str
    column: str
    text: str
    action: str
    mend: str

    def to_body(self) -> dict[str, Any]:
        """As plain JSON."""
        return {name: getattr(self, name) for name in ("what", "column", "text", "action", "mend")}


@dataclass(frozen=True, slots=True)
class Evolved:
    """What the columns of a load become.

    Attributes
    ----------
    kinds : mapping of str to str
        The columns, in order, with their kinds.
    renamed : mapping of str to str
        A column as it is now called to its old name.
    widened : tuple of str
        Columns whose kind became wider: what is in the table is cast.
    changes : tuple of Change
        What is told.
    """

    kinds: Mapping[str, str]
    renamed: Mapping[str, str] = field(default_factory=dict)
    widened: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()


_MENDS = {
    "renamed": 'map={{"{column}": ["{column}", "{other}"]}}, or evolution=Evolution(renamed="map")',
    "lost": 'map={{"{column}": …}} from other columns, or evolution=Evolution(lost="ignore"): it is null',
    "new": 'evolution=Evolution(new="add"), "ignore" or "fail"',
    "type": 'evolution=Evolution(type="quarantine") or "add", or Contract(types={{"{column}": "{other}"}})',
    "unit": 'map={{"{column}": …}} that gives the old unit, or evolution=Evolution(unit="warn")',
    "category": 'one_of("{column}", […]) says what there may be; evolution=Evolution(category="ignore")',
    "version": 'pin the version in the request, or evolution=Evolution(version="warn")',
}


def evolved(
    source: Source,
    pinned: Mapping[str, str],
    found: Mapping[str, str],
    before: Mapping[str, Sketch],
    now: Mapping[str, Sketch],
    offender: Callable[[str, str], str | None] = lambda column, kind: None,
) -> Evolved:
    """The columns that a load has, by what was pinned at first sight and by the declared policies.

    Parameters
    ----------
    source : Source
        Whose `Evolution` it is.
    pinned, found : mapping of str to str
        Columns with their kinds, then and now.
    before, now : mapping of str to mapping
        Their sketches.
    offender : callable
        From a column and the kind that it had to the first row that is not of it.

    Raises
    ------
    DataError
        A policy says ``fail``: the error says what is not as it was, and what may be declared.
    """
    changes = list[Change]()
    renamed, lost, fresh = _moved(pinned, found, before, now)
    for name, old in renamed.items():
        changes.append(_judged(source, "renamed", old, f"'{old}' seems to be called '{name}' now", other=name))
    for name in lost:
        near = f"; new: {', '.join(fresh)}" if fresh else ""
        changes.append(_judged(source, "lost", name, f"the column '{name}' is not there any more{near}"))
    for name in fresh:
        changes.append(_judged(source, "new", name, f"the column '{name}' ({found[name]}) is new"))
    here = {renamed.get(name, name): kind for name, kind in found.items()}
    kinds, widened = dict(pinned), list[str]()
    for name, kind in pinned.items():
        given = here.get(name, kind)
        if kind == "null" and given != "null":
            kinds[name] = given  # nothing was there: the first values say what it is
            widened.append(name)
        elif given not in (kind, "null") and (given, kind) not in _WIDER and name not in source.contract.types:
            row = offender(name, kind) if source.evolution.type == "fail" else None
            text = f"the column '{name}' was {kind} and has values of {given} now"
            changes.append(_judged(source, "type", name, text, other=kind, value=row))
            if source.evolution.type == "add":
                kinds[name] = given if (kind, given) in _WIDER else "string"
                widened.append(name)
    if source.evolution.new == "add":
        kinds |= {name: found[name] for name in fresh}
    return Evolved(kinds, renamed, tuple(widened), tuple(changes))


def _moved(
    pinned: Mapping[str, str], found: Mapping[str, str], before: Mapping[str, Sketch], now: Mapping[str, Sketch]
) -> tuple[dict[str, str], list[str], list[str]]:
    """Columns that only changed their name (new to old), those that are lost, and those that are new."""
    lost = [name for name in pinned if name not in found]
    fresh = [name for name in found if name not in pinned]
    renamed = dict[str, str]()
    for name in list(lost):
        same = (new for new in fresh if found[new] == pinned[name] and alike(before.get(name), now.get(new)))
        if (other := next(same, None)) is not None:
            renamed[other] = name
            lost.remove(name)
            fresh.remove(other)
    return renamed, lost, fresh


def content_changes(source: Source, before: Mapping[str, Sketch], now: Mapping[str, Sketch]) -> tuple[Change, ...]:
    """Changes of unit and new categories, seen once all rows are.

    Raises
    ------
    DataError
        A policy says ``fail``.
    """
    changes = list[Change]()
    for name, sketch in now.items():
        if factor := other_unit(before.get(name), sketch):
            text = f"all values of '{name}' moved as one, {factor}: has its unit changed?"
            changes.append(_judged(source, "unit", name, text))
        if source.evolution.category != "ignore" and (values := new_categories(before.get(name), sketch)):
            text = f"'{name}' has values that it never had: {', '.join(values[:5])}"
            changes.append(_judged(source, "category", name, text))
    return tuple(changes)


def version_change(source: Source, before: str, now: str) -> tuple[Change, ...]:
    """Another version of the API than at first sight.

    Raises
    ------
    DataError
        The policy says ``fail``.
    """
    if not before or not now or before == now:
        return ()
    return (_judged(source, "version", "", f"the API answers in version {now}, not {before}"),)


def _judged(source: Source, what: str, column: str, text: str, *, other: str = "", value: str | None = None) -> Change:
    """A change that the source's policy lets pass, or a DataError."""
    action = getattr(source.evolution, what)
    mend = _MENDS[what].format(column=column, other=other)
    if action == "fail":
        place = source.written_at or None
        raise DataError(
            f"source '{source.name}' is not as it was at first sight: {text}", place=place, value=value, mend=mend
        )
    return Change(what, column, text, action, mend)
