"""Who acts, who may ask, and what was signed."""

from noria.security.api_keys import ApiKeys
from noria.security.hosts import host_allowed
from noria.security.identity import current_actor
from noria.security.secrets import exclusive, keep, reveal
from noria.security.signing import SigningKey, copy_signing_key, public_key, verify

__all__ = [
    "ApiKeys",
    "SigningKey",
    "copy_signing_key",
    "current_actor",
    "exclusive",
    "host_allowed",
    "keep",
    "public_key",
    "reveal",
    "verify",
]
