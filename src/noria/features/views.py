"""ViewPlan: a feature view worked out against its source's columns: which states to keep, which windows to read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from noria.core import content_key, type_name
from noria.declarations import Aggregate, FeatureView, duration_text
from noria.expressions import Expression, Kind, parse
from noria.features.aggregates import WindowAggregate

KEY_KINDS = ("string", "int", "bool", "date", "null")
"""What a key may be: what has one text form only. A float has many, a timestamp depends on its zone."""

_HOUR = 3600 * 10**6
_DAY = 24 * _HOUR


def hop_of(window: int, declared: int | None = None) -> int:
    """How far the tail of a window moves at a time, in microseconds: DESIGN's defaults, unless one is declared."""
    if declared is not None:
        return declared
    return _DAY if window >= 12 * _DAY else _HOUR if window >= 12 * _HOUR else 5 * 60 * 10**6


@dataclass(frozen=True, slots=True)
class Track:
    """One state that is kept for each tile: an aggregate of a column under a filter, whatever its windows.

    Attributes
    ----------
    kind : WindowAggregate
        The algebra.
    column, where : Expression or None
        What is aggregated, and of which rows.
    first, width : int
        Where its components stand in a row of states.
    """

    kind: WindowAggregate
    column: Expression | None
    where: Expression | None
    first: int
    width: int

    @property
    def slice(self) -> slice:
        """Its columns in a row of states."""
        return slice(self.first, self.first + self.width)


@dataclass(frozen=True, slots=True)
class Windowed:
    """One feature: a track read over a window, in microseconds."""

    name: str
    track: int
    window: int
    hop: int
    text: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """One feature: a row expression of the one row of a key."""

    name: str
    expression: Expression
    kind: Kind


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """A feature view, ready to be computed in any of the paths.

    Attributes
    ----------
    view : FeatureView
        As declared.
    schema : mapping of str to Kind
        The source's columns.
    tracks, windowed, lookups : tuples
        What is kept and what is read.
    address : str
        Where the online store keeps it: its name and a digest of all that its states depend on, so that versions of a
        model whose views differ never read each other's states.
    """

    view: FeatureView
    schema: Mapping[str, Kind]
    tracks: tuple[Track, ...]
    windowed: tuple[Windowed, ...]
    lookups: tuple[Lookup, ...]
    address: str

    @property
    def hops(self) -> tuple[int, ...]:
        """The tile lengths that it needs, shortest first."""
        return tuple(sorted({one.hop for one in self.windowed}))

    @property
    def width(self) -> int:
        """How many numbers a row of states has."""
        return sum(track.width for track in self.tracks)

    @property
    def identity(self) -> tuple[float, ...]:
        """A row of states of nothing."""
        return tuple(value for track in self.tracks for value in track.kind.identity)

    def longest(self, hop: int) -> int:
        """The longest window that is read from tiles of a length."""
        return max(one.window for one in self.windowed if one.hop == hop)


def view_plan(view: FeatureView, schema: Mapping[str, Kind]) -> ViewPlan:
    """Work a view out against the kinds of its source's columns.

    Raises
    ------
    DeclarationError
        A key, column or filter is not there or not of a kind that can be aggregated; a hop does not divide a day.
    """
    for key in view.keys:
        if key not in schema:
            raise view.refuse(
                "the source has no such key column", field="keys", value=key, mend="one of " + ", ".join(schema)
            )
        refuse_key_kind(view, key, schema[key])
    if view.aggregates and view.source.event_time is None:
        raise view.refuse(
            "windowed aggregates need a source with an event time",
            mend=f"give Source '{view.source.name}' event_time=…",
        )
    if view.columns and view.source.event_time is not None:
        raise view.refuse(
            "columns are looked up in a source without event time",
            field="columns",
            mend="use nr.last('column', windows=[…]): it says how old a value may be",
        )
    tracks: list[Track] = []
    windowed: list[Windowed] = []
    for declared in view.aggregates:
        if not isinstance(declared, WindowAggregate):
            raise declared.refuse(
                "this kind of aggregate cannot be computed", mend="make it a noria.features.WindowAggregate"
            )
        index = _track(view, declared, schema, tracks)
        for window in declared.windows:
            hop = hop_of(window, declared.hop)
            if hop <= 0 or window < hop:
                raise declared.refuse(
                    "a window is shorter than its hop",
                    field="hop",
                    value=duration_text(hop),
                    mend=f"at most {duration_text(window)}",
                )
            windowed.append(
                Windowed(
                    f"{view.name}_{_middle(declared)}_{duration_text(window)}",
                    index,
                    window,
                    hop,
                    _text(view, declared, window),
                )
            )
    lookups = []
    for name, text in view.columns:
        expression = parse(text, place=f"{view.written_at}, FeatureView '{view.name}', columns.{name}")
        kind = expression.kind(schema)
        if kind not in ("bool", "int", "float", "string"):
            raise view.refuse(
                "a feature is a number, a truth or a text", field=f"columns.{name}", value=f"{text} is {kind}"
            )
        lookups.append(Lookup(f"{view.name}_{name}", expression, kind))
    return ViewPlan(
        view, schema, tuple(tracks), tuple(windowed), tuple(lookups), _address(view, tracks, windowed, lookups)
    )


def model_kind(kind: Kind) -> Literal["number", "category"]:
    """What a model takes a value of a kind for."""
    return "category" if kind == "string" else "number"


def refuse_key_kind(view: FeatureView, key: str, kind: Kind) -> None:
    """Raise a DeclarationError for a key that has no one text form."""
    if kind not in KEY_KINDS:
        raise view.refuse(
            "a key is a text, a whole number, a truth or a date",
            field="keys",
            value=f"{key} is {kind}",
            mend="cast it in the source's columns: CAST(… AS VARCHAR)",
        )


def _address(view: FeatureView, tracks: list[Track], windowed: list[Windowed], lookups: list[Lookup]) -> str:
    source = view.source
    return (
        f"{view.name}@"
        + content_key(
            [source.name, source.event_time, source.lag, source.columns, view.keys],
            [
                [_algebra(track.kind), track.column and track.column.text, track.where and track.where.text]
                for track in tracks
            ],
            sorted({(one.hop, one.window) for one in windowed}),
            [[one.name, one.expression.text] for one in lookups],
        )[:16]
    )


def _track(view: FeatureView, declared: WindowAggregate, schema: Mapping[str, Kind], tracks: list[Track]) -> int:
    place = f"{declared.written_at or view.written_at}, FeatureView '{view.name}', {declared.kind}"
    column = parse(declared.column, place=place) if declared.column else None
    where = parse(declared.where, place=place) if declared.where else None
    if column is None and declared.needs_column:
        raise declared.refuse(f"{declared.kind} needs a column", field="column")
    if column is not None and (kind := column.kind(schema)) not in (*declared.takes, "null") and declared.takes:
        raise declared.refuse(
            f"{declared.kind} needs a column of kind {' or '.join(declared.takes)}",
            field="column",
            value=f"{declared.column} is {kind}",
        )
    if where is not None and (kind := where.kind(schema)) != "bool":
        raise declared.refuse("a filter is true or false", field="where", value=f"{declared.where} is {kind}")
    for index, track in enumerate(tracks):
        if (_algebra(track.kind), track.column, track.where) == (_algebra(declared), column, where):
            return index
    first = tracks[-1].first + tracks[-1].width if tracks else 0
    tracks.append(Track(declared, column, where, first, len(declared.identity)))
    return len(tracks) - 1


def _algebra(declared: WindowAggregate) -> tuple[str, dict[str, Any]]:
    """A kind and the parameters that it alone has, such as which quantile: what its states depend on."""
    own = type(declared).model_fields.keys() - Aggregate.model_fields.keys()
    return type_name(type(declared)), {name: getattr(declared, name) for name in sorted(own)}


def _middle(declared: WindowAggregate) -> str:
    if declared.name is not None:
        return declared.name
    parts = [declared.column, declared.kind, f"where_{declared.where}" if declared.where else ""]
    return "_".join(re.sub(r"\W+", "_", part).strip("_") for part in parts if part)


def _text(view: FeatureView, declared: WindowAggregate, window: int) -> str:
    what = f"{declared.kind} of {declared.column or 'rows'}"
    filtered = f" where {declared.where}" if declared.where else ""
    return f"{what}{filtered} by {', '.join(view.keys)} over {duration_text(window)} of {view.source.name}"
