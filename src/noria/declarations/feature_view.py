"""FeatureView: named features of an entity."""

from __future__ import annotations

from pydantic import Field, SerializeAsAny

from noria.declarations.declaration import Declaration, Expressions, Micros, Names
from noria.declarations.source import Source


class Aggregate(Declaration):
    """A windowed aggregate. Kinds and their algebra live in `noria.features.aggregates`, one file each.

    Parameters
    ----------
    column : str
        The column or row expression that is aggregated; empty for a plain count.
    windows : list of durations
        ``["1h", "7d"]``: one feature each.
    where : str, optional
        A row expression: only rows for which it is true are seen.
    hop : duration, optional
        How far the tail of a window moves at a time; by default 1 day for windows of 12 days or more, 1 hour from 12
        hours, else 5 minutes.
    name : str, optional
        The middle of the feature's name; by default made from column, aggregate and filter.
    """

    column: str = Field(default="", kw_only=False)
    windows: tuple[Micros, ...] = Field(min_length=1)
    where: str | None = None
    hop: Micros | None = None
    name: str | None = None


class FeatureView(Declaration):
    """Named features of an entity, from one source.

    Parameters
    ----------
    name : str
        First part of the features' names.
    source : Source
        Where the rows come from.
    keys : str or list of str
        Columns that say which entity a row is about; the spine has columns of the same names.
    aggregates : list of Aggregate, optional
        Windowed aggregates; the source needs an event time.
    columns : dict of str to str, optional
        Row expressions looked up by key: of the only row where the source has no event time, else of the latest.
    """

    name: str = Field(kw_only=False, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    source: Source = Field(kw_only=False)
    keys: Names = Field(min_length=1)
    aggregates: tuple[SerializeAsAny[Aggregate], ...] = ()
    columns: Expressions = ()
