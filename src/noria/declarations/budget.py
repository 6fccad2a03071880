"""Budget: the most that something may take."""

from __future__ import annotations

from pydantic import Field

from noria.declarations.declaration import Declaration


class Budget(Declaration):
    """The most that something may take; None is no limit.

    Parameters
    ----------
    seconds : float, optional
        Wall time.
    money : float, optional
        In the currency of the price book.
    """

    seconds: float | None = Field(default=None, gt=0)
    money: float | None = Field(default=None, gt=0)
