"""FeatureService: the request path: keys in, features out, with no frame library."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
import numpy as np

from noria.core import UTC, DataError
from noria.declarations import FeatureView, Spine
from noria.expressions import Kind, parse, to_python
from noria.features.aggregates.algebra import NAN
from noria.features.catalogue import Feature, listed, plans_of, request_kinds
from noria.features.keys import key_bytes
from noria.features.stores import Address, OnlineStore
from noria.features.views import ViewPlan
from noria.features.windows import WindowReader


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
        Where the states are.
    """

    def __init__(
        self,
        spine: Spine,
        views: Sequence[FeatureView],
        schemas: Mapping[str, Mapping[str, Kind]],
        store: OnlineStore,
    ):
        plans = plans_of(views, schemas)
        schema = schemas[spine.source.name]
        self.features: tuple[Feature, ...] = listed(spine, plans, schema)
        self._store = store
        self._request = [(name, schema[name]) for name in spine.source.known_before if name in schema]
        self._readers: list[WindowReader | _LookupReader] = [
            *(WindowReader(plan) for plan in plans if plan.windowed),
            *(_LookupReader(plan) for plan in plans if not plan.windowed),
        ]
        self._addresses = [(one.plan.address, one.plan.view.keys) for one in self._readers]
        fetched = self.features[: len(self.features) - len(spine.features)]
        numbers = [index for index, feature in enumerate(fetched) if feature.kind == "number"]
        texts = [index for index, feature in enumerate(fetched) if feature.kind == "category"]
        self._numbers, self._texts = numbers, [(index, fetched[index].name) for index in texts]
        self._names = [fetched[index].name for index in numbers]
        self._carried = frozenset(spine.source.known_before)
        asked = [
            (feature, parse(text))
            for feature, (_, text) in zip(self.features[len(fetched) :], spine.features, strict=True)
        ]
        kinds = request_kinds(spine, plans, schema)
        self._at_question = [(feature, to_python(expression, kinds)) for feature, expression in asked]
        read = {column for _, expression in asked for column in expression.columns}
        self._read = [(place, name) for place, name in enumerate(self._names) if name in read]

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
            Feature, in the model's order, to a float32 array (NaN is null), or to a list of texts and None.

        Raises
        ------
        DataError
            A request carries a value of the wrong type, a name that is not of ``known_before``, or nothing at all; the
            error names field and value.
        """
        for request in requests:
            if not request or not request.keys() <= self._carried:
                raise self._misnamed(request)
        rows = [{name: _typed(name, kind, request.get(name)) for name, kind in self._request} for request in requests]
        fetched = self._fetched(rows, at)
        with np.errstate(over="ignore"):
            numbers = np.array([[values[index] for index in self._numbers] for values in fetched], np.float32)
        numbers = np.ascontiguousarray(numbers.reshape(len(rows), len(self._numbers)).T)
        found: dict[str, Any] = dict(zip(self._names, numbers, strict=True))
        for index, name in self._texts:
            found[name] = [values[index] for values in fetched]
        # Training sees features as float32; a feature worked out from them must see the same.
        for place, name in self._read:
            for row, number in zip(rows, numbers[place].tolist(), strict=True):
                row[name] = None if number != number else number
        for _, name in self._texts:
            for row, text in zip(rows, found[name], strict=True):
                row[name] = text
        for feature, worked_out in self._at_question:
            values = [worked_out(row) for row in rows]
            if feature.kind == "number":
                with np.errstate(over="ignore"):
                    found[feature.name] = np.array([NAN if value is None else value for value in values], np.float32)
            else:
                found[feature.name] = values
        return {feature.name: found[feature.name] for feature in self.features} if self._texts else found

    def _misnamed(self, request: Mapping[str, Any]) -> DataError:
        """A name that nobody knows would be read as null, and answered without a word."""
        unknown = next((name for name in request if name not in self._carried), None)
        known = ", ".join(sorted(self._carried))
        if unknown is None:
            return DataError("a request carries nothing", mend=f"some of {known}")
        near = difflib.get_close_matches(unknown, self._carried, n=1)
        mend = f"did you mean '{near[0]}'?" if near else f"one of {known}"
        return DataError("a request carries an unknown column", place=unknown, value=request[unknown], mend=mend)

    def _fetched(self, rows: list[dict[str, Any]], at: int) -> list[list[Any]]:
        """The values of all fetched features, row by row; each entity is read and worked out once."""
        addresses: list[list[Address | None]] = [
            [None if (key := key_bytes(row, keys)) is None else (view, key) for view, keys in self._addresses]
            for row in rows
        ]
        wanted = list(dict.fromkeys(one for of_row in addresses for one in of_row if one is not None))
        stored: dict[Address | None, bytes | None] = dict(zip(wanted, self._store.read(wanted), strict=True))
        worked_out: dict[Address, list[Any]] = {}
        fetched = []
        for of_row in addresses:
            values: list[Any] = []
            for reader, address in zip(self._readers, of_row, strict=True):
                if address is None:
                    values += reader.values(None, at)
                    continue
                if address not in worked_out:
                    worked_out[address] = reader.values(stored[address], at)
                values += worked_out[address]
            fetched.append(values)
        return fetched


class _LookupReader:
    """Reads the one row of a key, as `noria.features.fill` wrote it."""

    def __init__(self, plan: ViewPlan):
        self.plan = plan
        self.nothing: list[Any] = [None if one.kind == "string" else NAN for one in plan.lookups]

    def values(self, value: bytes | None, at: int) -> list[Any]:
        return self.nothing if value is None else msgspec.msgpack.decode(value, type=list)


def _typed(name: str, kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    try:
        if kind == "string" and isinstance(value, str):
            return value
        if kind == "timestamp":
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        if kind == "date" and not isinstance(value, datetime):
            return value if isinstance(value, date) else date.fromisoformat(value)
        if kind == "bool" and isinstance(value, bool):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            if kind == "float":
                return float(value)
            if kind == "int" and value == int(value) and -(2**63) <= value < 2**63:
                return int(value)
    except (ValueError, TypeError, OverflowError):
        pass
    raise DataError("a request carries a value of the wrong type", place=name, value=value, mend=f"{name} is a {kind}")
