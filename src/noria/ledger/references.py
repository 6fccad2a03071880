"""References: how events name versions of models."""

from __future__ import annotations

import re

_MODEL = re.compile(r"model:([^@]+)@(.+)")


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
