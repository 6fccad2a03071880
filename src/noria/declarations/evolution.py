"""Evolution: what becomes of a source whose columns change."""

from __future__ import annotations

from typing import Literal

from noria.declarations.declaration import Declaration


class Evolution(Declaration):
    """What is done when a source is not as it was at first sight. Whatever it is, the ledger says so with the mend.

    Parameters
    ----------
    new : str
        A column that was not there: ``"add"`` it (null in older rows), ``"ignore"`` it or ``"fail"``.
    lost : str
        A column that is not there any more: ``"fail"``, or ``"ignore"``: it is null from now on.
    type : str
        A column of another type: ``"fail"``, ``"quarantine"`` rows whose value is not of the old one, or ``"add"``:
        widen the column where every old value keeps its meaning (a whole number to a number, anything to a text).
    renamed : str
        A lost column whose content a new one has: ``"fail"`` with the mapping to declare, or ``"map"``: take it.
    unit : str
        A column of numbers whose median moved by a factor of another unit (1,000, 60, 2.54, …): ``"fail"``, ``"warn"``.
    category : str
        A new value in a column of few: ``"fail"``, ``"warn"`` or ``"ignore"``.
    version : str
        Another API version than at first sight: ``"fail"`` or ``"warn"``.

    Examples
    --------
    >>> Evolution(new="ignore", renamed="map").lost
    'fail'
    """

    new: Literal["add", "ignore", "fail"] = "add"
    lost: Literal["fail", "ignore"] = "fail"
    type: Literal["fail", "quarantine", "add"] = "fail"
    renamed: Literal["fail", "map"] = "fail"
    unit: Literal["fail", "warn"] = "warn"
    category: Literal["fail", "warn", "ignore"] = "warn"
    version: Literal["fail", "warn"] = "fail"
