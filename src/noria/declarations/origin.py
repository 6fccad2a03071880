"""Origin: where a source's rows come from and how they are asked for."""

from __future__ import annotations

from pydantic import Field

from noria.declarations.declaration import Declaration


class SignIn(Declaration):
    """How a source knows who asks. Kinds live in `noria.sources.sign_in`, one file each."""


class Origin(Declaration):
    """Where a source's rows come from. Kinds and their behaviour live in `noria.sources`, one file each.

    Parameters
    ----------
    url : str
        A path or URL, without user and password: those come by reference, see `noria.secret`.
    """

    url: str = Field(kw_only=False, min_length=1)
