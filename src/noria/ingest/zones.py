"""Times that are written without a zone, as moments in UTC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from noria.declarations import Source

if TYPE_CHECKING:
    import polars as pl

_SAYS_ITS_ZONE = r"(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)$"


def refuse_unknown_zone(source: Source) -> None:
    """Raise a DeclarationError where the source's zone is none."""
    try:
        ZoneInfo(source.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise source.refuse(
            "there is no such time zone", field="time_zone", value=source.time_zone, mend="such as Europe/Berlin"
        ) from None


def texts_in_zone(frame: pl.DataFrame, texts: pl.DataFrame, columns: Sequence[str], zone: str) -> pl.DataFrame:
    """Moments that were cast from texts as if in UTC: where the text names no zone, taken for `zone`.

    A time that the clock there never shows becomes null, and its row gets a reason.
    """
    import polars as pl

    made, before = list[pl.Expr](), frame
    for name in columns:
        local = pl.col(name).dt.replace_time_zone(None)
        shifted = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        own = texts[name].str.contains(_SAYS_ITS_ZONE).fill_null(False)
        made.append(pl.when(own).then(pl.col(name)).otherwise(shifted.dt.convert_time_zone("UTC")).alias(name))
    frame = frame.with_columns(made)
    for name in columns:
        lost = frame[name].is_null() & before[name].is_not_null()
        frame = with_reason(frame, lost, pl.format(f"{name} is no time in {zone}: {{}}", texts[name]))
    return frame


def with_lost_moments(frame: pl.DataFrame, given: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Rows whose time without a zone the clock there never shows get a reason: it is null now."""
    import polars as pl

    if zone == "UTC":
        return frame
    for name, dtype in given.schema.items():
        if isinstance(dtype, pl.Datetime) and dtype.time_zone is None:
            lost = frame[name].is_null() & given[name].is_not_null()
            frame = with_reason(frame, lost, pl.format(f"{name} is no time in {zone}: {{}}", given[name]))
    return frame


def with_reason(frame: pl.DataFrame, wrong: pl.Series, reason: pl.Expr) -> pl.DataFrame:
    """The frame with one more reason for the rows that are wrong."""
    import polars as pl

    if not wrong.any():
        return frame
    one = pl.when(wrong).then(pl.concat_list(reason)).otherwise(pl.lit([], pl.List(pl.String)))
    if "_reasons" not in frame.columns:
        return frame.with_columns(_reasons=one)
    return frame.with_columns(_reasons=pl.concat_list(pl.col("_reasons").fill_null([]), one))
