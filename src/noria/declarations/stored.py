"""Declarations as plain JSON and back: the declaration is the stored form and the API's form."""

from __future__ import annotations

import importlib
from datetime import timedelta
from typing import Any

from noria.core import IntegrityError, plain, type_name
from noria.declarations.declaration import Declaration


def dump(declaration: Declaration) -> dict[str, Any]:
    """A declaration as plain JSON: its fields, and its kind under ``@type``."""
    form = plain(declaration)
    assert isinstance(form, dict)
    return form


def restore(form: Any) -> Any:
    """What `dump` made, as declarations again.

    Only a subclass of `Declaration` in this package, or one that is already imported, is accepted: stored state can
    name no other code.
    """
    if isinstance(form, list):
        return tuple(restore(item) for item in form)
    if not isinstance(form, dict):
        return form
    if form.keys() == {"microseconds"}:
        return timedelta(microseconds=form["microseconds"])
    fields = {name: restore(item) for name, item in form.items() if name != "@type"}
    return _kind(form["@type"])(**fields) if "@type" in form else fields


def _kind(name: str) -> type[Declaration]:
    for kind in reversed(_subclasses(Declaration)):  # a project that is loaded again has its kinds again
        if type_name(kind) == name:
            return kind
    module, _, qualname = name.partition(":")
    if module.partition(".")[0] == "noria":
        found = getattr(importlib.import_module(module), qualname, None)
        if isinstance(found, type) and issubclass(found, Declaration):
            return found
    raise IntegrityError("not a declaration", value=name, mend="import the package that defines it first")


def _subclasses(kind: type[Declaration]) -> list[type[Declaration]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in _subclasses(child))]
