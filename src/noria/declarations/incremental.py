"""Incremental: how a source is read on from where it was read to, instead of whole."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from noria.declarations.declaration import Declaration, Micros


class Incremental(Declaration):
    """Read a source on from where it was read to. State and rows are committed together, so each row is there once.

    Parameters
    ----------
    cursor : str, optional
        A raw column that grows: rows beyond its greatest value so far are new. Without one, what is new is told by
        files (name, size, etag) or by the source's change log, as its kind has it.
    lookback : duration or number, optional
        How far behind the cursor rows are read again, for those that were committed late: a duration where the cursor
        is a time, else a number. Rows that are there already, the same in every column, are not added twice.
    update : str, optional
        ``"append"``: a row stays as it was first seen, and one that changed is another row; ``"merge"``: a row
        replaces that of the same key. By default "merge" where the contract has a key, else "append".
    deleted : str, optional
        A row expression that is true of a row that says that its key is gone; with ``"merge"``.

    Examples
    --------
    >>> Incremental("updated_at", lookback="2h", deleted="status = 'void'").update is None
    True
    """

    cursor: str | None = Field(default=None, kw_only=False)
    lookback: Micros | float = 0
    update: Literal["append", "merge"] | None = None
    deleted: str | None = None

    @model_validator(mode="after")
    def _no_field_in_vain(self) -> Incremental:
        if self.lookback and self.cursor is None:
            raise ValueError("lookback says nothing without a cursor")
        if self.deleted is not None and self.update == "append":
            raise ValueError("deleted needs update='merge': what is appended is never taken away")
        return self
