"""From a JSON answer to rows: which part of it they are, and the columns that they have."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from noria.core import DataError, DeclarationError, require

if TYPE_CHECKING:
    import polars as pl

Row = dict[str, Any]
NOTHING = object()
"""What `value_at` gives where a path leads nowhere."""
_INT64 = range(-(2**63), 2**63)
_EXACT = 2**53


def decoded(content: bytes, place: str, shown: str = "") -> Any:
    """The value of a JSON text; an error shows `shown` of it.

    Raises
    ------
    DataError
        It is no JSON, it nests too deep, or a number in it fits no type.
    """
    import msgspec

    try:
        return msgspec.json.decode(content)
    except RecursionError:
        raise DataError("the JSON nests too deep", place=place, value=shown or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"the answer is no JSON: {error}", place=place, value=shown or None, mend="is it the right address?"
        ) from None


def rows_at(path: str, answer: Any, place: str) -> list[Row]:
    """The rows of an answer.

    Parameters
    ----------
    path : str
        Their JSON path, such as ``$.items[*]``.
    answer : JSON value
        What was answered.
    place : str
        What is asked, for errors.

    Raises
    ------
    DataError
        The path leads nowhere, or to what is no object.

    Examples
    --------
    >>> rows_at("$.items[*]", {"items": [{"id": 1}, {"id": 2}]}, "shop.example/orders")
    [{'id': 1}, {'id': 2}]
    """
    inner = path.removesuffix("[*]")
    if inner != path:
        # The usual case, without an object of the library's own for each row.
        found = _compiled(inner or "$").findall(answer)
        if not found:
            raise DataError(
                "the answer has no rows where they should be",
                place=place,
                value=_shape(answer),
                mend=f"rows={path!r} is a JSON path to them: has the server changed?",
            )
        rows: list[Any] = []
        for one in found:
            rows += list(one.values()) if isinstance(one, dict) else one if isinstance(one, list) else [one]
            if one is None:
                rows.pop()  # null for "none" is common
    else:
        rows = _compiled(path).findall(answer)
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise DataError(
                "a row is no JSON object",
                place=f"{place}, row {number}",
                value=_shape(row),
                mend=f"rows={path!r} is a JSON path to objects",
            )
    return rows


def value_at(path: str, answer: Any) -> Any:
    """The first value at a path; `NOTHING` where it leads nowhere."""
    return next(iter(_compiled(path if path.startswith("$") else f"$.{path}").findall(answer)), NOTHING)


def _compiled(path: str) -> Any:
    require("jsonpath", extra="rest")
    return _compile(path)


@functools.lru_cache(maxsize=256)
def _compile(path: str) -> Any:
    import jsonpath

    try:
        return jsonpath.compile(path, strict=True)
    except jsonpath.JSONPathError as error:
        raise DeclarationError(
            "this is no JSON path", value=path, mend=f"such as $.items[*]: {str(error).splitlines()[0]}"
        ) from None


def _shape(value: Any) -> str:
    """What a JSON value is, in a few words."""
    if isinstance(value, dict):
        return "an object of " + (", ".join(list(value)[:10]) or "nothing")
    return f"a list of {len(value)}" if isinstance(value, list) else f"a {type(value).__name__}"


def frame_of(rows: Sequence[Row]) -> pl.DataFrame:
    """Rows as a frame: a column for each name in any of them, null in the others.

    A column is of the type that all its values have. Lists and objects are JSON texts with sorted names; so are values
    of a column whose values have several types, but for texts, which stay as they are, and for whole numbers beside
    other numbers. Whole numbers of more than 64 bits are texts: as numbers they would lose digits.

    Examples
    --------
    >>> frame_of([{"id": 1, "tags": ["a"]}, {"id": 2, "note": "x"}]).to_dict(as_series=False)
    {'id': [1, 2], 'tags': ['["a"]', None], 'note': [None, 'x']}
    """
    import polars as pl

    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    if rows and not names:
        raise DataError("the rows have no columns", value=f"{len(rows)} empty objects")
    return pl.DataFrame({name: _column(name, [row.get(name) for row in rows]) for name in names})


def _column(name: str, values: list[Any]) -> pl.Series:
    import polars as pl

    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return pl.Series(name, values, dtype=pl.Null)
    if kinds == {str}:
        return pl.Series(name, values, dtype=pl.String)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {int} and all(value is None or value in _INT64 for value in values):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds == {float} or (kinds == {int, float} and _exact(values)):
        return pl.Series(name, values, dtype=pl.Float64, strict=False)
    return pl.Series(name, [None if value is None else _text(value) for value in values], dtype=pl.String)


def _exact(values: Iterable[Any]) -> bool:
    return all(abs(value) <= _EXACT for value in values if isinstance(value, int))


def _text(value: Any) -> str:
    import msgspec

    return value if isinstance(value, str) else msgspec.json.encode(value, order="deterministic").decode()
