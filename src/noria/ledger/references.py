"""References: how events name versions of models and of tables."""

from __future__ import annotations

import re

from noria.core import IntegrityError

_MODEL = re.compile(r"model:([^@]+)@(.+)")
_TABLE = re.compile(r"table:(.+)@(\d+)")


def model_reference(endpoint: str, version: str) -> str:
    """How events name a version of an endpoint's model.

    Examples
    --------
    >>> model_reference("late", "0a1b2c3d4e5f")
    'model:late@0a1b2c3d4e5f'
    """
    return f"model:{endpoint}@{version}"


def endpoint_and_version(reference: str) -> tuple[str, str] | None:
    """What `model_reference` was made from; None for a reference of another kind.

    Examples
    --------
    >>> endpoint_and_version("model:late@0a1b2c3d4e5f"), endpoint_and_version("table:flights@3")
    (('late', '0a1b2c3d4e5f'), None)
    """
    found = _MODEL.fullmatch(reference)
    return (found[1], found[2]) if found else None


def table_reference(table: str, version: int) -> str:
    """How events name a version of a table.

    Examples
    --------
    >>> table_reference("flights", 3)
    'table:flights@3'
    """
    return f"table:{table}@{version}"


def table_and_version(reference: str) -> tuple[str, int]:
    """What `table_reference` was made from.

    Raises
    ------
    IntegrityError
        It names something else.

    Examples
    --------
    >>> table_and_version("table:flights@3")
    ('flights', 3)
    """
    found = _TABLE.fullmatch(reference)
    if found is None:
        raise IntegrityError("no reference of a table's version", value=reference, mend="table:flights@3 is one")
    return found[1], int(found[2])


def is_data(reference: str) -> bool:
    """Whether a reference names a table that models are made from: not one of quarantined rows.

    Examples
    --------
    >>> is_data("table:flights@3"), is_data("table:flights__quarantine@3"), is_data("file:report.html")
    (True, False, False)
    """
    found = _TABLE.fullmatch(reference)
    return found is not None and not found[1].endswith("__quarantine")
