"""The kinds of what stands in texts: a column is of a kind when every value in it is, otherwise it stays text.

So ``00501`` and ``+49123`` stay texts, as numbers they would lose letters, and so does a number that does not fit.
Casts are those of row expressions, so a source and a contract read a value alike.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, TypeVar

from noria.expressions import Kind, dtype_of, parse, to_polars

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")
R = TypeVar("R")

_MANY_ROWS = 20_000
_WHOLE = r"^-?(?:0|[1-9][0-9]*)$"
_NUMBER = r"^-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_NOT_FINITE = r"^(?i:nan|[+-]?inf(?:inity)?)$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:$|[ T][0-9]{2}:[0-9]{2})"
_YEAR_1000 = -30_610_224_000_000_000
"""In microseconds since 1970."""
_FORMS = {
    "int": (_WHOLE,),
    "float": (_NUMBER, _NOT_FINITE),
    "bool": (r"^(?i:true|false)$",),
    "date": (_DATE,),
    "timestamp": (_MOMENT,),
}
"""Of each kind the forms of which a value has one, if it is of that kind."""


class KindsFold:
    """What each column of texts is, over batches: what was seen first or last makes no difference.

    Columns that are no texts are passed over. It holds a few words a column, and no value.

    Examples
    --------
    >>> import polars as pl
    >>> fold = KindsFold()
    >>> fold.observe(pl.DataFrame({"n": ["1", None], "zip": ["00501", "10001"]}))
    >>> fold.observe(pl.DataFrame({"n": ["2.5"], "zip": ["10002"], "note": pl.Series([None], dtype=pl.String)}))
    >>> fold.kinds()
    {'n': 'float', 'zip': 'string', 'note': 'null'}
    """

    def __init__(self) -> None:
        self._open: dict[str, set[Kind]] = {}
        self._seen: set[str] = set()
        self._numbers: set[str] = set()

    def observe(self, frame: pl.DataFrame) -> None:
        """See some rows."""
        import polars as pl

        schema = frame.schema  # made anew each time that it is asked for
        texts = [name for name, dtype in schema.items() if dtype == pl.String]
        for name, dtype in schema.items():
            if dtype in (pl.String, pl.Null):
                self._open.setdefault(name, set(_READ))
        _each(lambda name: self._look(name, frame[name]), texts, len(frame))

    def kinds(self) -> dict[str, Kind]:
        """Of each column what all its values so far are; ``"null"`` where there is none."""
        return {name: self._kind(name, open_) for name, open_ in self._open.items()}

    @property
    def settled(self) -> bool:
        """Whether each column has a kind that no more values can make a narrower one."""
        return all(
            name in self._seen and (not open_ or self._kind(name, open_) != "string")
            for name, open_ in self._open.items()
        )

    def merge(self, other: KindsFold) -> KindsFold:
        """What both have seen together."""
        both = KindsFold()
        for name in (*self._open, *other._open):
            every = set(_READ)
            both._open[name] = self._open.get(name, every) & other._open.get(name, every)
        both._seen, both._numbers = self._seen | other._seen, self._numbers | other._numbers
        return both

    def _kind(self, name: str, open_: set[Kind]) -> Kind:
        if name not in self._seen:
            return "null"
        # Words alone, such as a column of nan, are no numbers.
        fits = (kind for kind in _READ if kind in open_ and (kind != "float" or name in self._numbers))
        return next(fits, "string")

    def _look(self, name: str, values: pl.Series) -> None:
        open_ = self._open[name]
        if values.null_count() == len(values):
            return
        self._seen.add(name)
        for kind in _READ:
            if kind not in open_:
                continue
            if kind == "float" and "int" in open_:  # these are whole numbers, and so numbers
                self._numbers.add(name)
            elif not _all_are(values, kind):
                open_.discard(kind)
            elif kind == "float" and name not in self._numbers and not values.str.contains(_NOT_FINITE).all():
                self._numbers.add(name)


def as_kinds(frame: pl.DataFrame, kinds: Mapping[str, Kind], *, sure: bool = False) -> pl.DataFrame:
    """Columns of texts as what they are; a text that is not of its column's kind becomes null.

    Parameters
    ----------
    frame : DataFrame
        Rows as read.
    kinds : mapping of str to Kind
        The kind of each column that is cast; the others stay as they are.
    sure : bool
        These rows are among those over which the kinds were found: what was looked at once is not looked at again.

    Examples
    --------
    >>> import polars as pl
    >>> as_kinds(pl.DataFrame({"n": ["1", "2.5"], "zip": ["00501", "1"]}), {"n": "int", "zip": "string"}).rows()
    [(1, '00501'), (None, '1')]
    """
    import polars as pl

    read, schema = _read_surely if sure else _read, frame.schema
    cast = [(name, kind) for name, kind in kinds.items() if kind != "string" and schema.get(name) == pl.String]
    return frame.with_columns(_each(lambda one: read(frame[one[0]], one[1]), cast, len(frame)))


def misfits(frame: pl.DataFrame, kinds: Mapping[str, Kind]) -> dict[str, pl.Series]:
    """Of each column of texts in which some are not of its kind: which rows, as truths.

    Examples
    --------
    >>> import polars as pl
    >>> misfits(pl.DataFrame({"n": ["1", "2.5"], "x": ["1", "2.5"]}), {"n": "int", "x": "float"})["n"].to_list()
    [False, True]
    """
    cast, columns = as_kinds(frame, kinds), set(frame.columns)
    wrong = {
        name: frame[name].is_not_null() & cast[name].is_null()
        for name in kinds
        if name in columns and cast[name].null_count() > frame[name].null_count()
    }
    return wrong


def with_kinds(frame: pl.DataFrame, keep: Collection[str]) -> pl.DataFrame:
    """Columns of texts as whole numbers, numbers, truths, dates or UTC moments where all their values are.

    Parameters
    ----------
    frame : DataFrame
        Rows as read.
    keep : collection of str
        Columns that stay texts: a contract says their types.
    """
    fold = KindsFold()
    fold.observe(frame.drop(keep, strict=False))
    return as_kinds(frame, fold.kinds(), sure=True)


def _each(do: Callable[[T], R], columns: list[T], rows: int) -> list[R]:
    """What is done to each column, side by side where that is worth the threads: Polars lets go of Python meanwhile."""
    if len(columns) < 2 or rows < _MANY_ROWS:
        return [do(column) for column in columns]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(len(columns), os.cpu_count() or 1)) as threads:
        return list(threads.map(do, columns))


def _all_are(values: pl.Series, kind: Kind) -> bool:
    # Most columns fail at the form of their first value, which costs next to nothing to see, however many columns.
    first = str(values.first(ignore_nulls=True))
    if not any(re.search(form, first) for form in _FORMS[kind]):
        return False
    return bool(_read(values, kind).null_count() == values.null_count())


def _read(values: pl.Series, kind: Kind) -> pl.Series:
    """The values as of a kind, null where they are not."""
    import polars as pl

    if kind == "null":
        return pl.Series(values.name, [None], dtype=pl.Null).new_from_index(0, len(values))
    return _READ[kind](values).alias(values.name)


def _read_surely(values: pl.Series, kind: Kind) -> pl.Series:
    """The values as of a kind that all of them are of."""
    if kind in ("int", "float"):
        made = values.cast(dtype_of(kind), strict=False)
    elif kind == "date":
        made = values.str.to_date("%Y-%m-%d", strict=False)
    else:
        return _read(values, kind)
    # Words such as nan are not everybody's numbers.
    return made if made.null_count() == values.null_count() else _read(values, kind)


def _where(values: pl.Series, right: pl.Series) -> pl.Series:
    """The values, null where they are not right."""
    import polars as pl

    return values if right.all() else values.to_frame("x").select(pl.when(right).then(pl.col("x")))["x"]


def _cast(values: pl.Series, kind: str) -> pl.Series:
    return values.to_frame("x").select(to_polars(parse(f"CAST(x AS {kind})"), {"x": "string"})).to_series()


def _int(values: pl.Series) -> pl.Series:
    import polars as pl

    made = values.cast(pl.Int64, strict=False)
    if (made.cast(pl.String) == values).all():  # null is passed over
        return made
    return _where(made, values.str.contains(_WHOLE))


def _float(values: pl.Series) -> pl.Series:
    import polars as pl

    made = values.cast(pl.Float64, strict=False)
    number = values.str.contains(_NUMBER)
    if not number.all():
        number |= values.str.contains(_NOT_FINITE)
        made = _cast(values, "double precision")
    # 1e400 would become infinite, and a whole number of more than 64 bits would lose digits.
    large = made.is_infinite() | (made.abs() >= 2.0**63)
    if large.any():
        words, wide = values.str.contains(_NOT_FINITE), values.str.contains(_WHOLE)
        number &= ~large | words | (made.is_finite() & (~wide | values.cast(pl.Int64, strict=False).is_not_null()))
    return _where(made, number)


def _bool(values: pl.Series) -> pl.Series:
    import polars as pl

    word = pl.col("x").str.to_lowercase()
    made = pl.when(word == "true").then(True).when(word == "false").then(False)
    return values.to_frame("x").select(made.alias("x"))["x"]


def _date(values: pl.Series) -> pl.Series:
    return _cast(_where(values, values.str.contains(_DATE)), "date")


def _timestamp(values: pl.Series) -> pl.Series:
    made = _plain_moments(values)
    return _cast(_where(values, values.str.contains(_MOMENT)), "timestamp") if made is None else made


def _plain_moments(values: pl.Series) -> pl.Series | None:
    """Moments with seconds, all in Z or all without a zone; None where they are not. Much faster than the cast, and
    alike: Arrow reads ISO 8601 alone."""
    import polars as pl
    import pyarrow
    from pyarrow import compute

    first = values.first(ignore_nulls=True)
    zone = "UTC" if str(first).endswith("Z") else None
    shortest = values.str.len_bytes().min()
    if not isinstance(shortest, int) or shortest < (20 if zone else 19):
        return None  # it reads 2026-01-02T03, too
    try:
        made = compute.cast(values.to_arrow(compat_level=pl.CompatLevel.oldest()), pyarrow.timestamp("us", zone))
    except pyarrow.ArrowInvalid:
        return None
    moments = pl.Series(values.name, pl.from_arrow(made), dtype_of("timestamp"))
    if zone and not values.str.ends_with("Z").all():
        return None  # it reads +01, too
    earliest = moments.to_physical().min()
    return moments if isinstance(earliest, int) and earliest >= _YEAR_1000 else None


_READ: dict[Kind, Callable[[pl.Series], pl.Series]] = {
    "int": _int,
    "float": _float,
    "bool": _bool,
    "date": _date,
    "timestamp": _timestamp,
}
"""What a text may be, the narrowest first, and how it is read: null where it is not."""


def odd_value(values: pl.Series) -> tuple[int, str] | None:
    """Where a column of texts is all numbers but for some: the position of the first other, and what stands there.

    Examples
    --------
    >>> import polars as pl
    >>> odd_value(pl.Series(["1.5", "2", "heavy", "3"])), odd_value(pl.Series(["light", "heavy"]))
    ((2, 'heavy'), None)
    """
    others = (_float(values).is_null() & values.is_not_null()).arg_true()
    if 0 < len(others) < (len(values) - values.null_count()) / 2:
        return others[0], values[others[0]]
    return None


def words_among_numbers(values: pl.Series, *, most: int, share: float = 0.2) -> set[str] | None:
    """What stands among the numbers of a column of texts, if that is a few words without digits; None otherwise.

    Parameters
    ----------
    values : Series
        Texts.
    most : int
        So many different words are a few.
    share : float
        Of the values, so many may be such words.

    Examples
    --------
    >>> import polars as pl
    >>> words_among_numbers(pl.Series(["1", "2.5", "?", "3", "4", None]), most=5)
    {'?'}
    >>> words_among_numbers(pl.Series(["1", "2", "3", "4", "12kg"]), most=5) is None
    True
    """
    others = values.filter(_float(values).is_null() & values.is_not_null())
    words = set(others.unique())
    few = len(words) <= most and len(others) <= share * (len(values) - values.null_count())
    return words if few and not others.str.contains("[0-9]").any() else None


def moments_in_utc(frame: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Moments of any precision and zone in UTC microseconds, those without a zone taken for `zone`; labels as texts.

    An hour that the clock shows twice is taken for the first; a time that it never shows becomes null.
    """
    import polars as pl

    def moment(name: str, dtype: pl.Datetime) -> pl.Expr:
        column = pl.col(name).dt.cast_time_unit("us")
        if dtype.time_zone is None:
            column = column.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        return column.dt.convert_time_zone("UTC")

    return frame.with_columns(
        pl.col(name).cast(pl.String) if isinstance(dtype, pl.Categorical | pl.Enum) else moment(name, dtype)
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Categorical | pl.Enum | pl.Datetime)
    )
