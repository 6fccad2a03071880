"""Who acts, who may ask, and what was signed."""

from noria.security.api_keys import ApiKeys
from noria.security.hosts import host_allowed
from noria.security.identity import current_actor
from noria.security.signing import SigningKey, verify

__all__ = ["ApiKeys", "SigningKey", "current_actor", "host_allowed", "verify"]
