"""Paging: how a server's next page is asked for. A kind is a class, and the function that users call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import Field

from noria.core import DataError
from noria.declarations import Declaration
from noria.sources.rest_rows import NOTHING, value_at


@dataclass(frozen=True, slots=True)
class Asked:
    """One page that is asked for: an address, and what is asked of it beside the declared parameters."""

    url: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    own_query: bool = False  # the address has all parameters, as the server gave it


@dataclass(frozen=True, slots=True)
class Page:
    """One page that was answered.

    Attributes
    ----------
    answer : JSON value
        All of it.
    links : mapping
        The ``Link`` headers: relation to address.
    rows : int
        How many rows it has.
    before : int
        How many rows the pages before it have.
    """

    answer: Any
    links: Mapping[str, str]
    rows: int
    before: int


class Pagination(Declaration):
    """How the next page is asked for."""

    def first(self, url: str) -> Asked:
        """The first page."""
        return Asked(url)

    def following(self, asked: Asked, page: Page) -> Asked | None:
        """The page after one; None where that was the last."""
        raise NotImplementedError


class LinkHeader(Pagination):
    """The server names the next page in a ``Link`` header.

    Parameters
    ----------
    rel : str
        The relation of the link to the next page.

    Examples
    --------
    >>> LinkHeader().rel
    'next'
    """

    rel: str = Field(default="next", kw_only=False, min_length=1)

    def following(self, asked: Asked, page: Page) -> Asked | None:
        link = page.links.get(self.rel)
        return Asked(link, own_query=True) if link else None


class NextLink(Pagination):
    """The server names the next page in the answer.

    Parameters
    ----------
    path : str
        The JSON path of its address; null, empty or not there: it was the last page.

    Examples
    --------
    >>> NextLink("links.next").path
    'links.next'
    """

    path: str = Field(kw_only=False, min_length=1)

    def following(self, asked: Asked, page: Page) -> Asked | None:
        link = value_at(self.path, page.answer)
        if link is NOTHING or not link:
            return None
        if not isinstance(link, str):
            raise DataError("the link to the next page is no text", value=repr(link), mend=f"{self.path} is an address")
        return Asked(link, own_query=True)


class Cursor(Pagination):
    """The answer holds a mark, and the next page is asked for with it.

    Parameters
    ----------
    path : str
        The JSON path of the mark; null, false, empty or not there: it was the last page.
    param : str
        The parameter that takes it.

    Examples
    --------
    >>> Cursor("meta.next", param="after").param
    'after'
    """

    path: str = Field(kw_only=False, min_length=1)
    param: str = Field(min_length=1)

    def following(self, asked: Asked, page: Page) -> Asked | None:
        mark = value_at(self.path, page.answer)
        if mark is NOTHING or mark is None or mark is False or mark == "":
            return None
        if isinstance(mark, bool) or not isinstance(mark, str | int):
            raise DataError("the mark of the next page is no text", value=repr(mark), mend=f"{self.path} is a text")
        return replace(asked, params={**asked.params, self.param: mark})


class _Counted(Pagination):
    """Pages that are asked for by a number: the last is told by a total, or by an empty page after it."""

    total: str | None = None

    def _ends(self, page: Page) -> bool:
        """Whether no page follows. A server may give fewer rows than it was asked for, so that says nothing."""
        if self.total is None:
            return page.rows == 0
        total = value_at(self.total, page.answer)
        if isinstance(total, bool) or not isinstance(total, int):
            raise DataError("the answer has no total", value=None if total is NOTHING else repr(total),
                            mend=f"{self.total} is a whole number; leave total= out where there is none")  # fmt: skip
        if page.rows == 0 and page.before < total:
            raise DataError(
                "pages end before all rows are there", value=f"{page.before} of {total}", mend="is the total of rows?"
            )
        return page.before + page.rows >= total


class Offset(_Counted):
    """The next page is asked for by the number of rows before it.

    Parameters
    ----------
    limit : int
        How many rows a page should have.
    param, limit_param : str
        The parameters of both.
    total : str, optional
        The JSON path of the number of all rows. Without one, the last page is followed by an empty one.

    Examples
    --------
    >>> Offset(limit=500, total="meta.count").param
    'offset'
    """

    limit: int = Field(ge=1)
    param: str = "offset"
    limit_param: str = "limit"

    def first(self, url: str) -> Asked:
        return Asked(url, {self.param: 0, self.limit_param: self.limit})

    def following(self, asked: Asked, page: Page) -> Asked | None:
        if self._ends(page):
            return None
        return replace(asked, params={**asked.params, self.param: page.before + page.rows})


class Pages(_Counted):
    """The next page is asked for by its number.

    Parameters
    ----------
    param : str
        The parameter that takes the number.
    start : int
        The number of the first page.
    size, size_param : int and str, optional
        How many rows a page should have, and the parameter that says so.
    total : str, optional
        The JSON path of the number of all rows (not pages). Without one, the last page is followed by an empty one.

    Examples
    --------
    >>> Pages(size=100, size_param="per_page").start
    1
    """

    param: str = Field(default="page", kw_only=False, min_length=1)
    start: int = Field(default=1, ge=0)
    size: int | None = Field(default=None, ge=1)
    size_param: str = "per_page"

    def first(self, url: str) -> Asked:
        size: dict[str, str | int] = {} if self.size is None else {self.size_param: self.size}
        return Asked(url, {self.param: self.start, **size})

    def following(self, asked: Asked, page: Page) -> Asked | None:
        if self._ends(page):
            return None
        return replace(asked, params={**asked.params, self.param: int(asked.params[self.param]) + 1})


def link_header(rel: str = "next") -> LinkHeader:
    """Paging by ``Link`` headers, as GitHub has it; see `LinkHeader`."""
    return LinkHeader(rel)


def next_link(path: str) -> NextLink:
    """Paging by an address in the answer, as OData and JSON:API have it; see `NextLink`."""
    return NextLink(path)


def cursor(path: str, *, param: str) -> Cursor:
    """Paging by a mark in the answer, as Slack has it; see `Cursor`."""
    return Cursor(path, param=param)


def offset(*, limit: int, param: str = "offset", limit_param: str = "limit", total: str | None = None) -> Offset:
    """Paging by the number of rows before a page; see `Offset`."""
    return Offset(limit=limit, param=param, limit_param=limit_param, total=total)


def pages(
    param: str = "page",
    *,
    start: int = 1,
    size: int | None = None,
    size_param: str = "per_page",
    total: str | None = None,
) -> Pages:
    """Paging by the number of a page; see `Pages`."""
    return Pages(param, start=start, size=size, size_param=size_param, total=total)
