"""Sources: where rows come from. A kind of source is one module and one line in `CONNECTORS`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from noria.core import backend_of
from noria.declarations import Source
from noria.sources.connector import Ask, Batch, Connector, Fingerprint, State
from noria.sources.dlt_resource import Dlt, dlt
from noria.sources.files import Files, files
from noria.sources.kinds import KindsFold, as_kinds, misfits, moments_in_utc, odd_value, words_among_numbers
from noria.sources.postgresql_log import SqlLog, sql_log
from noria.sources.rest_api import Rest, rest
from noria.sources.rest_pages import Pagination, cursor, link_header, next_link, offset, pages
from noria.sources.sign_in import HttpSignIn, api_key, basic, bearer, mutual_tls, oauth2
from noria.sources.sign_in.ssh import Ssh, ssh
from noria.sources.sql_source import Sql, sql

if TYPE_CHECKING:
    import polars as pl

CONNECTORS = {
    "file": "noria.sources.files:Files",
    "package": "noria.sources.files:Files",
    "https": "noria.sources.files:Files",
    "hdfs": "noria.sources.files:Files",
    "sftp": "noria.sources.files:Files",
    "az": "noria.sources.files:Files",
    "gs": "noria.sources.files:Files",
    "s3": "noria.sources.files:Files",
    "http": "noria.sources.files:Files",
    "postgresql": "noria.sources.sql_source:Sql",
    "postgres": "noria.sources.sql_source:Sql",
    "mysql": "noria.sources.sql_source:Sql",
    "mariadb": "noria.sources.sql_source:Sql",
    "sqlite": "noria.sources.sql_source:Sql",
    "duckdb": "noria.sources.sql_source:Sql",
}
"""Of each scheme the kind that reads it, where a source gives no more than a URL."""


def connector(source: Source) -> Connector:
    """What reads a source: its origin, or the kind that its URL's scheme picks."""
    if isinstance(source.origin, Connector):
        return source.origin
    if not isinstance(source.origin, str):
        raise source.refuse(
            "nothing can be read there", field="origin", value=source.origin, mend="a noria.sources.Connector"
        )
    kind: type[Connector] = backend_of(source.origin, CONNECTORS, group="noria.sources")
    return kind(source.origin)


def fingerprint(source: Source, base: Path, cache: Path | None = None) -> Fingerprint:
    """What a source holds now: a digest of its content, and how much in words. No data library is imported.

    Parameters
    ----------
    source : Source
        What is asked about.
    base : Path
        The project's folder: relative paths start there.
    cache : Path, optional
        A folder for what is remembered from one time to the next, so that asking again about what has not changed is
        cheap. Without one everything is looked at.
    """
    return connector(source).fingerprint(Ask(source, base, cache))


def read(source: Source, base: Path) -> pl.DataFrame:
    """All raw rows of a source with ``_row``, their number in it from 1.

    Parameters
    ----------
    source : Source
        What is read.
    base : Path
        The project's folder: relative paths start there.
    """
    from noria.sources.whole import whole

    return whole(source, connector(source).batches(Ask(source, base)))


__all__ = [
    "CONNECTORS",
    "Ask",
    "Batch",
    "Connector",
    "Dlt",
    "Files",
    "Fingerprint",
    "HttpSignIn",
    "KindsFold",
    "Pagination",
    "Rest",
    "Sql",
    "SqlLog",
    "Ssh",
    "State",
    "api_key",
    "as_kinds",
    "basic",
    "bearer",
    "connector",
    "cursor",
    "dlt",
    "files",
    "fingerprint",
    "link_header",
    "misfits",
    "moments_in_utc",
    "mutual_tls",
    "next_link",
    "oauth2",
    "odd_value",
    "offset",
    "pages",
    "read",
    "rest",
    "sql",
    "sql_log",
    "ssh",
    "words_among_numbers",
]
