"""Endpoint: what is served, how and to whom."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from noria.declarations.declaration import Declaration, Micros, Names

_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")


class Endpoint(Declaration):
    """Served versions of a model and who may ask them.

    Parameters
    ----------
    name : str
        The model's name in URLs and in the registry.
    hosts : list of str
        Host names that the server answers to, on every method; others are refused.
    canary : float
        Share of requests that a newly promoted version gets first, beside the one that answers already. Performed in
        rehearsals; outside them a version that passes its gates gets all requests.
    canary_for : duration
        For how long, before it takes all.
    """

    name: str = Field(kw_only=False, pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    hosts: Names = ("localhost", "127.0.0.1", "[::1]")
    canary: float = Field(default=0.1, ge=0, le=1)
    canary_for: Micros = 86400 * 10**6

    @field_validator("hosts")
    @classmethod
    def _names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not _HOST.fullmatch(host):
                raise ValueError(f"'{host}' is no host name: 'example.org' or '[::1]', without scheme, port or path")
        return value
