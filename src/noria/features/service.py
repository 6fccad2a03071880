"""FeatureService: the request path: keys in, features out, with no frame library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from noria.core import UTC, DataError
from noria.declarations import FeatureView, Spine
from noria.expressions import Kind, parse, to_python
from noria.features.catalogue import Feature, listed, plans_of, request_kinds
from noria.features.online import decode, key_bytes, nothing, window_values
from noria.features.stores import OnlineStore
from noria.features.views import ViewPlan

_json = msgspec.json.Encoder()


def encode_lookup(plan: ViewPlan, row: Mapping[str, Any]) -> bytes:
    """The stored form of a static lookup: its values as a JSON list."""
    return _json.encode([_plain(to_python(one.expression, plan.schema)(row)) for one in plan.lookups])


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, bool | int | float) else value


class FeatureService:
    """Fetches and works out the features of requests.

    It may be used from many threads; it holds no state between requests but the open store, which its owner closes.

    Parameters
    ----------
    spine : Spine
        The rows that are asked about.
    views : sequence of FeatureView
        Where features are fetched.
    schemas : mapping of str to mapping of str to Kind
        Source to its columns' kinds, as they were when the model was trained; of the columns that views and spine read.
    store : OnlineStore
        Where the tiles are.
    """

    def __init__(
        self,
        spine: Spine,
        views: Sequence[FeatureView],
        schemas: Mapping[str, Mapping[str, Kind]],
        store: OnlineStore,
    ):
        self._plans = plans_of(views, schemas)
        self._store = store
        spine_schema = schemas[spine.source.name]
        self.features: tuple[Feature, ...] = listed(spine, self._plans, spine_schema)
        self._request = {name: spine_schema[name] for name in spine.source.known_before if name in spine_schema}
        kinds = request_kinds(spine, self._plans, spine_schema)
        self._at_question = [(name, to_python(parse(text), kinds)) for name, text in spine.features]
        self._nothing = {plan.view.name: nothing(plan) for plan in self._plans}

    def columns(self, requests: Sequence[Mapping[str, Any]], at: int) -> dict[str, Any]:
        """All features of some requests at a moment.

        Parameters
        ----------
        requests : sequence of mappings
            What each carries: the columns of ``known_before``; one that is missing is null.
        at : int
            Now, in microseconds.

        Returns
        -------
        dict
            Feature to a float32 array (NaN is null), or to a list of texts and None.

        Raises
        ------
        DataError
            A request carries a value of the wrong type; the error names field and value.
        """
        rows = [self._row(request) for request in requests]
        for plan in self._plans:
            self._fetch(plan, rows, at)
        for name, worked_out in self._at_question:
            for row in rows:
                row[name] = worked_out(row)
        found: dict[str, Any] = {}
        for feature in self.features:
            values = [row[feature.name] for row in rows]
            found[feature.name] = (
                values
                if feature.kind == "category"
                else np.array([np.nan if v is None else v for v in values], np.float32)
            )
        return found

    def _row(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return {name: _typed(name, kind, request.get(name)) for name, kind in self._request.items()}

    def _fetch(self, plan: ViewPlan, rows: list[dict[str, Any]], at: int) -> None:
        keys = [key_bytes(row, plan.view.keys) for row in rows]
        asked = [key for key in dict.fromkeys(keys) if key is not None]
        stored = dict(zip(asked, self._store.read(plan.view.name, asked), strict=True))
        values = {key: self._values(plan, value, at) for key, value in [*stored.items(), (None, None)]}
        names = [one.name for one in plan.windowed] or [one.name for one in plan.lookups]
        for row, key in zip(rows, keys, strict=True):
            row.update(zip(names, values[key], strict=True))

    def _values(self, plan: ViewPlan, value: bytes | None, at: int) -> list[Any]:
        if not plan.windowed:
            return [None] * len(plan.lookups) if value is None else list(msgspec.json.decode(value))
        entity = self._nothing[plan.view.name] if value is None else decode(plan, value)
        # Training sees features as float32; a feature worked out from them must see the same.
        return [None if number != number else float(np.float32(number)) for number in window_values(plan, entity, at)]


def _typed(name: str, kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    try:
        if kind == "timestamp":
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        if kind in ("int", "float") and isinstance(value, int | float) and not isinstance(value, bool):
            return int(value) if kind == "int" and float(value).is_integer() else float(value)
        if (kind == "string" and isinstance(value, str)) or (kind == "bool" and isinstance(value, bool)):
            return value
    except (ValueError, TypeError, OverflowError):
        pass
    raise DataError("a request carries a value of the wrong type", place=name, value=value, mend=f"{name} is a {kind}")
