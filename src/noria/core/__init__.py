"""What every room stands on: errors, the clock, content keys, URL schemes, extras."""

from noria.core.clock import UTC, Clock, ToldClock, WallClock, clock_from_environment, from_micros, to_micros
from noria.core.errors import (
    AlarmError,
    BusyError,
    DataError,
    DeclarationError,
    GateError,
    IntegrityError,
    MissingExtra,
    NoriaError,
    ResourceError,
    TransientError,
)
from noria.core.extras import require
from noria.core.keys import canonical, code_key, content_key, file_digest, plain, project_module, type_name
from noria.core.urls import backend_of, is_in_the_clear, path_of, redacted, scheme_of, without_secrets

__all__ = [
    "UTC",
    "AlarmError",
    "BusyError",
    "Clock",
    "DataError",
    "DeclarationError",
    "GateError",
    "IntegrityError",
    "MissingExtra",
    "NoriaError",
    "ResourceError",
    "ToldClock",
    "TransientError",
    "WallClock",
    "backend_of",
    "canonical",
    "clock_from_environment",
    "code_key",
    "content_key",
    "file_digest",
    "from_micros",
    "is_in_the_clear",
    "path_of",
    "plain",
    "project_module",
    "redacted",
    "require",
    "scheme_of",
    "to_micros",
    "type_name",
    "without_secrets",
]
