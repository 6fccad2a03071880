"""Team: who may decide what."""

from __future__ import annotations

from pydantic import Field

from noria.declarations.declaration import Declaration, Names


class Member(Declaration):
    """A person: a name as identity gives it, and roles."""

    name: str = Field(kw_only=False, min_length=1)
    roles: Names = Field(default=(), kw_only=False)


class Team(Declaration):
    """Who may decide what; without members, nobody can approve."""

    members: tuple[Member, ...] = Field(default=(), kw_only=False)
