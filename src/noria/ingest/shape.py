"""Shape: batches of raw rows, which may differ in columns and types, as rows of one schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from noria.core import DataError
from noria.declarations import Source
from noria.expressions import Kind, dtype_of, parse, polars_kinds, to_polars
from noria.ingest.zones import texts_in_zone, with_lost_moments, with_reason
from noria.sources import Batch, KindsFold, as_kinds, moments_in_utc

if TYPE_CHECKING:
    import polars as pl

OURS = ("_row", "_reasons")
"""Columns that Noria adds."""


def refuse_names(source: Source, columns: Sequence[str], place: str) -> None:
    """Raise a DataError where the source has a column that Noria would add, or whose name would mean other columns."""
    if taken := [name for name in OURS if name in columns]:
        raise DataError(
            f"source '{source.name}' has a column '_row' or '_reasons'", place=place, value=taken[0],
            mend="rename it: Noria numbers rows, and keeps the reasons of wrong ones, under these names",
        )  # fmt: skip
    if patterns := [name for name in columns if is_pattern(name)]:
        raise DataError(
            f"source '{source.name}' has a column whose name is a pattern of names", place=place, value=patterns[0],
            mend="rename it where it comes from; files(…, header=[…]) names the columns of a CSV",
        )  # fmt: skip


def is_pattern(name: str) -> bool:
    """Whether Polars takes a name for a pattern of several: ``*``, ``^…$``."""
    return name == "*" or (name.startswith("^") and name.endswith("$"))


class Unlike(Exception):
    """A batch is of other columns or types than those before: all must be read to know what they become."""


class Layouts:
    """Sees raw batches, and tells what columns of what types they make, whatever differs between them.

    Attributes
    ----------
    sparse : set of tuple of str
        Sets of raw columns in which one that is missing says nothing.
    """

    def __init__(self, source: Source):
        self._source = source
        self._fold = KindsFold()
        self._untyped, self._given = False, set[str]()
        self._dtypes: dict[str, list[pl.DataType]] = {}
        self._layouts: dict[tuple[str, ...], str] = {}
        self.sparse: set[tuple[str, ...]] = set()

    def observe(self, batch: Batch) -> None:
        """See a batch."""
        refuse_names(self._source, batch.frame.columns, batch.place)
        layout = tuple(batch.frame.columns)
        self._layouts.setdefault(layout, batch.place)
        if batch.sparse:
            self.sparse.add(layout)
        if batch.untyped:
            self._untyped = True
            self._given.update(name for name in layout if name in self._source.contract.types)
            rest = batch.frame.drop(self._given, strict=False)
            self._fold.observe(moments_in_utc(rest, self._source.time_zone))
            return
        for name, dtype in moments_in_utc(batch.frame.clear(), self._source.time_zone).schema.items():
            known = self._dtypes.setdefault(name, [])
            if dtype not in known:
                known.append(dtype)

    @property
    def steady(self) -> bool:
        """Whether all batches so far have the same columns, and each a type that the others are likely to have."""
        import polars as pl

        if len(self._layouts) != 1 or self.sparse:
            return False
        if self._untyped:
            return not self._dtypes and self._fold.settled
        return all(len(dtypes) == 1 and dtypes[0] != pl.Null for dtypes in self._dtypes.values())

    def refuse_unlike(self, batch: Batch) -> None:
        """Raise `Unlike` for a batch that is not as the steady ones before it; values of texts are looked at later."""
        if not batch.untyped:
            self.observe(batch)
        if batch.untyped != self._untyped or tuple(batch.frame.columns) not in self._layouts or not self.steady:
            raise Unlike

    @property
    def text_kinds(self) -> dict[str, Kind]:
        """Of columns of texts without types, what all their values are; those that a contract types stay texts."""
        return {**dict.fromkeys(self._given, "string"), **self._fold.kinds()}

    def raw_schema(self) -> dict[str, pl.DataType]:
        """The type of each raw column over all batches."""
        found: dict[str, pl.DataType] = {name: dtype_of(kind) for name, kind in self.text_kinds.items()}
        for name, dtypes in self._dtypes.items():
            found[name] = common_type([*dtypes, *([found[name]] if name in found else [])])
        return found

    def mapped(self) -> dict[tuple[str, ...], pl.Schema]:
        """Each set of raw columns that a batch had, and its schema once ``map=`` is applied; the first seen first."""
        import polars as pl

        raw = self.raw_schema()
        return {
            layout: mapped(self._source, pl.DataFrame(schema={name: raw[name] for name in layout})).schema
            for layout in self._layouts
        }

    def place(self, layout: tuple[str, ...]) -> str:
        """Where a set of columns was first seen."""
        return self._layouts[layout]


def together(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Frames one after another, also where some lack columns of others."""
    import polars as pl

    return pl.concat(list(frames), how="diagonal_relaxed")


def common_type(dtypes: Sequence[pl.DataType]) -> pl.DataType:
    """The narrowest type that holds values of all of these; a text where there is no other."""
    import polars as pl

    if len(dtypes) == 1:
        return dtypes[0]
    whole = pl.DataFrame(schema={"x": dtypes[0]})
    for dtype in dtypes[1:]:
        try:
            whole = pl.concat([whole, pl.DataFrame(schema={"x": dtype})], how="vertical_relaxed")
        except pl.exceptions.PolarsError:
            return pl.String()
    return whole.schema["x"]


def column_kinds(schema: Mapping[str, pl.DataType]) -> dict[str, str]:
    """The kinds of columns; those that expressions cannot read by the name of their type."""
    import polars as pl

    kinds = polars_kinds(pl.Schema(schema))
    return {name: kinds.get(name) or str(dtype) for name, dtype in schema.items()}


def mapped(source: Source, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the columns of ``map=``: the first way whose columns are all there; what it reads is replaced."""
    import polars as pl

    if not source.map:
        return frame
    kinds, used, made = polars_kinds(frame.schema), set[str](), dict[str, pl.Expr]()
    for name, ways in source.map:
        for way in ways:
            if way in frame.columns:
                made[name] = pl.col(way).alias(name)
                used.add(way)
                break
            expression = parse(way, place=f"{source.written_at}, Source '{source.name}', map.{name}")
            if expression.columns <= set(frame.columns):
                expression.kind(kinds)  # refuses what the columns cannot
                made[name] = to_polars(expression, kinds).alias(name)
                used |= expression.columns
                break
    return frame.select(*(name for name in frame.columns if name not in used and name not in made), *made.values())


def conformed(
    source: Source,
    batch: Batch,
    text_kinds: Mapping[str, Kind],
    renamed: Mapping[str, str],
    target: Mapping[str, pl.DataType],
    *,
    sure: bool = True,
) -> pl.DataFrame:
    """A batch as rows of the target's columns and types; a value that is not of its type gets a reason.

    Parameters
    ----------
    source : Source
        Whose rows they are.
    batch : Batch
        Raw rows.
    text_kinds : mapping of str to Kind
        Of untyped raw columns.
    renamed : mapping of str to str
        A column to the name it had before.
    target : mapping of str to DataType
        What comes out.
    sure : bool
        The kinds of texts were found over these rows, too. Else a text of another kind raises `Unlike`.
    """
    import polars as pl

    frame = moments_in_utc(batch.frame, source.time_zone)
    frame = with_lost_moments(frame, batch.frame, source.time_zone)
    if batch.untyped:
        texts = frame
        here = frame.schema  # made anew each time that it is asked for
        kinds_here = {name: kind for name, kind in text_kinds.items() if name in here}
        frame = as_kinds(frame, kinds_here, sure=sure)
        if not sure and any(frame[name].null_count() > texts[name].null_count() for name in kinds_here):
            raise Unlike
        if source.time_zone != "UTC":
            moments = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
            frame = texts_in_zone(frame, texts, moments, source.time_zone)
    frame = mapped(source, frame)
    frame = frame.rename({name: old for name, old in renamed.items() if name in frame.columns})
    kinds, wanted = column_kinds(frame.schema), column_kinds(target)
    wrong = {name: kind for name, kind in wanted.items() if kinds.get(name, kind) not in (kind, "null")}
    frame = _of_64_bits(typed_as(source, frame, wrong), target)
    here = frame.schema
    columns = [
        pl.col(name) if here.get(name) == dtype
        else pl.col(name).cast(dtype) if name in here
        else pl.lit(None, dtype).alias(name)
        for name, dtype in target.items()
    ]  # fmt: skip
    return frame.select(*columns, *(["_reasons"] if "_reasons" in here else []))


def _of_64_bits(frame: pl.DataFrame, target: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Whole numbers that tables have no type for are null, and their rows get a reason."""
    import polars as pl

    for name, dtype in frame.schema.items():
        if dtype in (pl.UInt64, pl.Int128, pl.UInt128) and target.get(name) == pl.Int64:
            given = frame[name]
            frame = frame.with_columns(given.cast(pl.Int64, strict=False))
            lost = frame[name].is_null() & given.is_not_null()
            frame = with_reason(frame, lost, pl.format("{} is no int: {}", pl.lit(name), given))
    return frame


def typed_as(source: Source, frame: pl.DataFrame, types: Mapping[str, str]) -> pl.DataFrame:
    """`noria.contracts.typed` of a frame that may have reasons already: they stay."""
    import polars as pl

    from noria.contracts import typed

    before = frame["_reasons"].fill_null([]) if "_reasons" in frame.columns else None
    place = f"{source.written_at}, Source '{source.name}'"
    frame = typed(frame.drop("_reasons", strict=False), types, place)  # type: ignore[arg-type]
    if before is None:
        return frame
    if "_reasons" not in frame.columns:
        return frame.with_columns(before)
    return frame.with_columns(_reasons=pl.concat_list(before, pl.col("_reasons").fill_null([])))


def first_misfit(
    batches: Iterator[Batch], source: Source, text_kinds: Mapping[str, Kind], column: str, kind: str
) -> str | None:
    """The place and value of the first row whose value in a column is not of a kind."""
    import polars as pl

    for batch in batches:
        frame = moments_in_utc(batch.frame, source.time_zone)
        if column not in frame.columns:
            kinds = {name: found for name, found in text_kinds.items() if name in frame.columns}
            frame = mapped(source, as_kinds(frame, kinds) if batch.untyped else frame)
        if column not in frame.columns:
            continue
        bad = (~_fits(frame[column], kind) & frame[column].is_not_null()).arg_true()
        if len(bad):
            value = frame[column].cast(pl.String, strict=False)[bad[0]]
            return f"{batch.place}, row {batch.first + bad[0]}: {value}"
    return None


def _fits(values: pl.Series, kind: str) -> pl.Series:
    import polars as pl

    if values.dtype == pl.String:
        fold = as_kinds(values.to_frame(), {values.name: kind})  # type: ignore[dict-item]
        return fold[values.name].is_not_null()
    dtype = dtype_of(kind) if kind in ("bool", "int", "float", "string", "date", "timestamp") else None  # type: ignore[arg-type]
    if dtype is None:
        return pl.Series([False] * len(values), dtype=pl.Boolean)
    made = values.cast(dtype, strict=False)
    return made.is_not_null() & (made.cast(values.dtype, strict=False) == values).fill_null(False)
