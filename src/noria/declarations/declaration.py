"""What every declaration is: frozen, typed, hashable data that remembers where it was written."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, PrivateAttr, ValidationError

from noria.core import DeclarationError, without_secrets

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    # Type checkers would derive the constructor from what fields hold (a tuple of names, a datetime); it accepts more
    # (one name, a list, a text). What is given is checked when it is constructed, with words of our own.
    class _Model:
        model_fields: ClassVar[dict[str, FieldInfo]]
        model_fields_set: set[str]

        def __init__(self, **fields: Any) -> None: ...
        def __repr_args__(self) -> Iterable[tuple[str | None, Any]]: ...
else:
    _Model = BaseModel

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*(us|ms|s|m|h|d|w)$")
_UNITS = {"us": 1, "ms": 1_000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6, "w": 604800 * 10**6}


class Declaration(_Model):
    """Base of all declarations.

    A constructor stores its parameters and does nothing else. Fields marked ``Field(kw_only=False)`` can be given by
    position, in order. A wrong parameter is a `DeclarationError` that names file, line, field, what was given and what
    would be right.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    _where: str = PrivateAttr(default="")

    def __init__(self, *args: Any, **fields: Any) -> None:
        where = _caller()
        cls = type(self)
        names = [name for name, info in cls.model_fields.items() if info.kw_only is False]
        if len(args) > len(names):
            raise DeclarationError(
                f"{cls.__name__} takes {len(names)} positional values, {len(args)} were given",
                place=where,
                mend="name the rest: " + ", ".join(name for name in cls.model_fields if name not in names),
            )
        for name, value in zip(names, args, strict=False):
            if name in fields:
                raise DeclarationError(
                    f"{cls.__name__}.{name} is given twice", place=where, value=_shown(cls, name, value)
                )
            fields[name] = value
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _worded(cls, error, where) from None
        self._where = where

    @property
    def written_at(self) -> str:
        """The file and line that this was written at: ``project.py:12``."""
        return self._where

    def replace(self, **fields: Any) -> Self:
        """A copy with some fields changed, validated anew."""
        values = {name: getattr(self, name) for name in type(self).model_fields} | fields
        copy = type(self)(**values)
        copy._where = self._where
        return copy

    def refuse(
        self, message: str, *, field: str | None = None, value: object = None, mend: str | None = None
    ) -> DeclarationError:
        """A `DeclarationError` about this declaration, for the caller to raise."""
        name = getattr(self, "name", None)
        what = type(self).__name__ + (f" '{name}'" if isinstance(name, str) else "") + (f", {field}" if field else "")
        place = f"{self._where}, {what}" if self._where else what
        return DeclarationError(message, place=place, value=value, mend=mend)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        # What repr, str and pretty printers show; the password of a URL is in none of them.
        return [(name, _plain(value)) for name, value in super().__repr_args__()]

    def __eq__(self, other: object) -> bool:
        # Where it was written is not part of what it says.
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), tuple(self.__dict__.values())))


def _caller() -> str:
    """The first frame outside this package and pydantic: the user's own line."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] not in ("noria", "pydantic", "functools"):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def _worded(cls: type[_Model], error: ValidationError, where: str) -> DeclarationError:
    """The first fault of a pydantic error in our words; the others are counted."""
    # What is misspelt comes first: it is why something else is missing.
    faults = sorted(error.errors(include_url=False), key=lambda fault: fault["type"] != "extra_forbidden")
    fault = faults[0]
    location = [str(part) for part in fault["loc"] if not str(part).startswith("function-")]
    field = location[0] if location else ""
    mend: str | None
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(field, cls.model_fields, n=1)
        message = f"{cls.__name__} has no '{field}'"
        mend = f"did you mean '{near[0]}'?" if near else "one of " + ", ".join(cls.model_fields)
    elif fault["type"] == "missing":
        message, mend = f"{cls.__name__} needs '{field}'", f"add {field}=…"
    else:
        message = f"{cls.__name__}.{'.'.join(location)} is wrong" if field else f"{cls.__name__} is wrong"
        mend = without_secrets(fault["msg"].removeprefix("Value error, "))
        if fault["type"] == "model_type" and fault["ctx"]["class_name"] == "Secret":
            mend = 'name it, never write it down: nr.secret("NAME")'
    if len(faults) > 1:
        others = ", ".join(str(other["loc"][0]) for other in faults[1:] if other["loc"])
        mend += f" ({len(faults) - 1} more: {others})"
    value = None if fault["type"] == "missing" else _shown(cls, field, fault["input"])
    return DeclarationError(message, place=where or None, value=value, mend=mend)


def _shown(cls: type[_Model], field: str, value: object) -> str:
    """What was given, as an error may show it: nothing of what is or may be a secret."""
    if field in cls.model_fields:
        return "***" if _is_secret(cls, field) else repr(_plain(value))
    if field:  # misspelt, and so perhaps a secret
        return "***" if any(_is_secret(cls, name) for name in cls.model_fields) else repr(_plain(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name!r}: {_shown(cls, str(name), one)}" for name, one in value.items()) + "}"
    return repr(_plain(value))


def _is_secret(cls: type[_Model], field: str) -> bool:
    """Whether a secret can stand in a field, or somewhere in what it holds."""
    from noria.declarations import Secret, SignIn

    def holds(annotation: object) -> bool:
        is_one = isinstance(annotation, type) and issubclass(annotation, Secret | SignIn)
        return is_one or any(map(holds, get_args(annotation)))

    return field in cls.model_fields and holds(cls.model_fields[field].annotation)


def _plain(value: Any) -> Any:
    """A value without what is secret by its form, however deep it is in it."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return type(value)(map(_plain, value)) if type(value) in (tuple, list, set, frozenset) else value


def _as_tuple(value: object) -> object:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def as_pairs(value: object) -> object:
    """A dict as pairs, which can be hashed; for a field's ``BeforeValidator``."""
    return tuple(value.items()) if isinstance(value, dict) else value


def _as_micros(value: object) -> object:
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    if isinstance(value, str):
        match = _DURATION.match(value.strip())
        if not match:
            raise ValueError("a duration is a number and one of us, ms, s, m, h, d, w: '90m', '7d'")
        return round(float(match.group(1)) * _UNITS[match.group(2)])
    return value


def duration_text(micros: int) -> str:
    """Microseconds as the shortest exact duration: the inverse of the text form.

    Examples
    --------
    >>> duration_text(7 * 86400 * 10**6), duration_text(90 * 60 * 10**6)
    ('7d', '90m')
    """
    for unit in ("d", "h", "m", "s", "ms"):
        if micros % _UNITS[unit] == 0:
            return f"{micros // _UNITS[unit]}{unit}"
    return f"{micros}us"


Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
"""One name or several: ``"carrier"`` or ``["carrier", "origin"]``."""

Expressions = Annotated[tuple[tuple[str, str], ...], BeforeValidator(as_pairs)]
"""Named row expressions, in order: ``{"late": "arr_delay > 15"}``, kept as pairs so that it can be hashed."""

Micros = Annotated[int, BeforeValidator(_as_micros)]
"""A duration: ``"90m"``, ``"7d"`` or a timedelta, kept as whole microseconds."""
