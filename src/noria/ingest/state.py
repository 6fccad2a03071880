"""State: what a table's rows were made from, committed with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from noria.core import IntegrityError, code_key, content_key, type_name
from noria.declarations import Secret, SignIn, Source
from noria.ingest.corrections import Correction
from noria.ingest.sketch import Sketch
from noria.lake import Lake
from noria.ledger import table_reference

FORMAT = 1


@dataclass(frozen=True, slots=True)
class TableState:
    """What is kept with each version of a table, so that the next load can go on from it.

    Attributes
    ----------
    made_of : str
        A hash of the declaration but for its contract: where it differs, the source is read from its beginning.
    contract : str
        A hash of the contract: where it differs, all rows are checked again.
    origin : str
        A hash of where rows come from and what they are mapped to: where it differs, nothing is pinned.
    position : mapping, optional
        Where the source was read to, as its connector says.
    rows : int
        The greatest number that a row was given.
    loads : int
        How many loads the rows are from.
    at : int
        When the last of them was, in microseconds since 1970.
    aside_version : int
        That of the quarantine beside it; -1 where no row is set aside.
    read, dropped : int
        Rows over all loads: those that were read, and those that were declared not to stay.
    aside : int
        Rows that are set aside.
    newest : int, optional
        The newest event time, in microseconds since 1970.
    api : str
        The version of the API at first sight.
    kinds : mapping
        The columns of the source at first sight, and their kinds.
    sketches : mapping
        What their values look like.
    memory : mapping
        What the contract's rules remember.
    facts : mapping
        What the last load's outcome said.
    content : str
        A digest of the rows.
    places : mapping
        Of a source that is read on by files, which numbers the rows of each have.
    """

    made_of: str
    contract: str
    origin: str
    position: Mapping[str, Any] | None = None
    rows: int = 0
    loads: int = 0
    at: int = 0
    aside_version: int = -1
    read: int = 0
    dropped: int = 0
    aside: int = 0
    newest: int | None = None
    api: str = ""
    kinds: Mapping[str, str] = field(default_factory=dict)
    sketches: Mapping[str, Sketch] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    content: str = ""
    places: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, with the format's version."""
        return {"format": FORMAT, **asdict(self)}


def quarantine_of(source: str) -> str:
    """The name of the table beside a source's own that holds the rows set aside."""
    return f"{source}__quarantine"


def outputs_of(source: str, version: int, aside_version: int) -> dict[str, str]:
    """What an outcome names: the version of a table, and that of its quarantine where a row is set aside."""
    outputs = {"table": table_reference(source, version)}
    if aside_version >= 0:
        outputs["quarantine"] = table_reference(quarantine_of(source), aside_version)
    return outputs


def state_of(lake: Lake, table: str, version: int | None = None) -> TableState | None:
    """The state of a table's version; None where there is no table, or somebody else wrote it.

    Raises
    ------
    IntegrityError
        It is of a format that this Noria does not know.
    """
    if table not in lake.tables():
        return None
    kept = dict(lake.state(table, version))
    if not kept:
        return None
    if kept.pop("format", None) != FORMAT:
        raise IntegrityError("the state of a table is of a format that is not known", place=lake.path(table))
    return TableState(**kept)


def blank(source: Source, corrections: tuple[Correction, ...] = ()) -> TableState:
    """The state before the first load."""
    return TableState(
        made_of=content_key(_makes_rows(source), source.contract.key),
        contract=content_key(source.contract, [asdict(one) for one in corrections]),
        origin=content_key(_place(source), source.map),
    )


_MAKE_ROWS = ("name", "columns", "map", "event_time", "time_zone", "null_values", "incremental")


def _makes_rows(source: Source) -> list[object]:
    """All of a declaration that rows hang on, but for what checks them and how the source is asked."""
    return [_place(source), source.contract.types, *(getattr(source, name) for name in _MAKE_ROWS)]


def _place(source: Source) -> object:
    """Where rows come from, whoever asks for them."""
    if isinstance(source.origin, str):
        return source.origin
    origin = source.origin
    return [type_name(type(origin)), {name: _lasting(getattr(origin, name)) for name in type(origin).model_fields}]


def _lasting(value: object) -> object:
    """A value without the references to secrets in it: another key to the same door gives the same rows."""
    if isinstance(value, SignIn | Secret):
        return None
    return [_lasting(one) for one in value] if isinstance(value, tuple) else value


def made_of(source: Source, digest: str) -> str:
    """All that a table is made of but rules: while it is the same, quarantined rows can be replayed without reading."""
    return content_key(_makes_rows(source), digest, code_key(state_of, source.origin))
