"""One field of a secret that has several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from noria.core import DeclarationError


def field_of(held: Mapping[str, Any], field: str, reference: str) -> str:
    """The text of a field; without a name that of the only one.

    Examples
    --------
    >>> field_of({"password": "x"}, "", "vault:secret/shop")
    'x'
    """
    if not field and len(held) == 1:
        field = next(iter(held))
    if field not in held:
        mend = "name one with #: " + ", ".join(sorted(map(str, held))) if held else "give it a field"
        message = "this secret has no such field" if field else f"this secret has {len(held)} fields"
        raise DeclarationError(message, value=reference, mend=mend)
    value = held[field]
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise DeclarationError("this field of a secret is no text", value=reference, mend="write a text there")
    return str(value)
