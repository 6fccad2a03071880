"""A REST API as a source: JSON answers, page by page."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator, model_validator

from noria.core import DataError, redacted
from noria.declarations import Names, Secret, as_pairs
from noria.sources.ahead import ahead
from noria.sources.connector import Ask, Batch, Connector, Fingerprint, State
from noria.sources.rest_pages import Asked, Page, Pagination
from noria.sources.rest_rows import Row, decoded, frame_of, rows_at
from noria.sources.rest_since import Since
from noria.sources.sign_in.http import HttpSignIn, refuse_in_the_clear

if TYPE_CHECKING:
    from noria.sources.rest_client import Answer, RestClient

_RATE = re.compile(r"^([1-9]\d*)/(s|m|h)$")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_VERSIONS = ("api-version", "x-api-version")
"""Headers by which servers name their version unasked."""


def _as_json(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


Values = Annotated[tuple[tuple[str, str | int | float | bool | Secret], ...], BeforeValidator(as_pairs)]


class Rest(Connector):
    """Reads the JSON answers of a server, page by page; some three pages are what is held in memory.

    What a server does not answer is tried again as often as `Source.tries` says, each time with `Source.timeout`; a
    server that asks for time (429, ``Retry-After``) is given it. Links and redirects are followed to the server itself
    alone, and to `hosts`. With `since` only what is new is asked for.

    Parameters
    ----------
    url : str
        The address of the server, and what all its paths have in common.
    path : str
        The path of the rows.
    params : dict of str to value, optional
        Parameters of every request; a value may be a `noria.secret`.
    headers : dict of str to str, optional
        Headers of every request; a value may be a `noria.secret`.
    rows : str
        The JSON path (RFC 9535) of the rows in an answer.
    paginate : Pagination, optional
        How the next page is asked for: `noria.link_header`, `noria.next_link`, `noria.cursor`, `noria.offset`,
        `noria.pages`. Without it there is one page.
    sign_in : HttpSignIn, optional
        How the server knows who asks: `noria.api_key`, `noria.basic`, `noria.bearer`, `noria.oauth2`,
        `noria.mutual_tls`.
    version : (str, str), optional
        The version of the API that is asked for: a header and its value, or with a question mark in front a parameter:
        ``("Stripe-Version", "2024-06-20")``, ``("?api-version", "2024-05-01")``. What the server says that it is goes
        into the ledger.
    since : str, optional
        The parameter that asks for rows from a value of the cursor on (`Incremental.cursor`); without it new rows are
        picked from all.
    method : str
        ``"GET"``, or ``"POST"`` where a server takes questions so. It must change nothing: it may be sent twice.
    body : dict, optional
        The JSON that is posted; paging and `since` write their parameters into it.
    rate : str, optional
        How often the server is asked at most: ``"10/s"``, ``"600/m"``.
    hosts : list of str, optional
        Other hosts that links and redirects may lead to. Who asks is not shown to them.
    most_pages : int
        The most pages; more are taken for a fault.
    most_bytes : int
        The most bytes of one answer, unpacked.
    in_the_clear : bool
        Let secrets travel without TLS, where the network is your own.

    Examples
    --------
    >>> import noria as nr
    >>> orders = nr.Source("orders", nr.rest(
    ...     "https://shop.example/v2", "/orders", params={"status": "paid"}, rows="$.items[*]",
    ...     paginate=nr.cursor("meta.next", param="after"), sign_in=nr.bearer(nr.secret("SHOP_TOKEN")),
    ...     since="updated_from"), incremental=nr.Incremental("updated_at", lookback="10m"))
    >>> orders.url
    'https://shop.example/v2'
    """

    path: str = Field(default="", kw_only=False)
    params: Values = ()
    headers: Values = ()
    rows: str = Field(default="$[*]", min_length=1)
    paginate: SerializeAsAny[Pagination] | None = None
    sign_in: SerializeAsAny[HttpSignIn] | None = None
    version: tuple[str, str] | None = None
    since: str | None = Field(default=None, min_length=1)
    method: Literal["GET", "POST"] = "GET"
    body: Annotated[str | None, BeforeValidator(_as_json)] = None
    rate: str | None = Field(default=None, pattern=_RATE.pattern)
    hosts: Names = ()
    most_pages: int = Field(default=100_000, ge=1)
    most_bytes: int = Field(default=64 << 20, ge=1)
    in_the_clear: bool = False

    @field_validator("url")
    @classmethod
    def _without_secrets(cls, url: str) -> str:
        if not url.lower().startswith(("https://", "http://")):
            raise ValueError("an https:// URL")
        if redacted(url) != url:
            raise ValueError("no user, password or query: those are sign_in= and params=, secrets by reference")
        return url

    @model_validator(mode="after")
    def _no_field_in_vain(self) -> Rest:
        if self.body is not None and self.method != "POST":
            raise ValueError("body says nothing without method='POST'")
        if self.body is not None and not isinstance(_loaded(self.body), dict):
            raise ValueError("body is a JSON object")
        return self

    @property
    def increments(self) -> str:
        return "" if self.since is None else "cursor"

    def fingerprint(self, ask: Ask) -> Fingerprint:
        """No digest: only reading tells."""
        self._refuse_in_vain(ask)
        return Fingerprint("", self._address())

    def _refuse_in_vain(self, ask: Ask) -> None:
        if self.since is not None and (ask.source.incremental is None or ask.source.incremental.cursor is None):
            raise ask.source.refuse("since says nothing without a cursor", field="origin", value=self.since,
                                    mend="incremental=Incremental('updated_at')")  # fmt: skip

    def batches(self, ask: Ask, since: State | None = None) -> Iterator[Batch]:
        """The rows of each page; the last batch says how far the cursor came."""
        self._refuse_in_vain(ask)
        if not self.in_the_clear and (self.sign_in or self._secret(self.params) or self._secret(self.headers)):
            refuse_in_the_clear(self.url, self)
        follows = Since(ask.source, since) if self.since is not None else None
        last: Batch | None = None
        for number, rows, version in ahead(lambda say: self._pages(replace(ask, say=say), follows), ask.say):
            place = f"{self._address()}, page {number}"
            if follows is not None:
                follows.follow(rows, place)
            if not rows:
                continue
            if last is not None:
                yield last
            # A server may take `since` as "from" or as "after", and what was late comes again with it.
            last = Batch(frame_of(rows), place, version=version, sparse=True, again=since is not None)
        if last is not None:
            yield replace(last, state=follows.state if follows else None)

    def _pages(self, ask: Ask, follows: Since | None) -> Generator[tuple[int, list[Row], str]]:
        asked: Asked | None = self._first()
        seen, before, count = set[bytes](), b"", 0
        beside = self._beside(follows)
        with self._client(ask) as client:
            for number in range(1, self.most_pages + 1):
                assert asked is not None
                _once(asked, seen, number)
                answer = self._get(client, asked, beside)
                place = f"{self._address()}, page {number}"
                value = decoded(answer.content, place, client.safe(answer.content)) if answer.content else []
                rows = rows_at(self.rows, value, place) if answer.content else []
                before = _another(answer.content, before, rows, place)
                yield number, rows, self._version(answer)
                asked = self._next(client, asked, Page(value, answer.links, len(rows), count), answer)
                count += len(rows)
                if asked is None:
                    return
        raise DataError(
            f"source '{ask.source.name}': there are more than {self.most_pages:,} pages", place=self._address(),
            mend="ask for larger pages, or allow more: most_pages=…",
        )  # fmt: skip

    def _client(self, ask: Ask) -> RestClient:
        from noria.sources.rest_client import RestClient

        match = _RATE.match(self.rate or "")
        return RestClient(
            ask,
            self.url,
            hosts=self.hosts,
            sign_in=self.sign_in,
            most_bytes=self.most_bytes,
            seconds=_SECONDS[match.group(2)] / int(match.group(1)) if match else 0.0,
        )

    def _address(self) -> str:
        path = self.path.partition("?")[0].lstrip("/")
        return f"{self.url.rstrip('/')}/{path}" if path else self.url

    def _first(self) -> Asked:
        url = self.url.rstrip("/") + ("/" + self.path.lstrip("/") if self.path else "")
        return Asked(url) if self.paginate is None else self.paginate.first(url)

    def _next(self, client: RestClient, asked: Asked, page: Page, answer: Answer) -> Asked | None:
        following = None if self.paginate is None else self.paginate.following(asked, page)
        if following is None or not following.own_query:
            return following
        return Asked(client.led(answer.url, following.url), own_query=True)

    def _beside(self, follows: Since | None) -> dict[str, str | int]:
        """The declared parameters that are no secrets, the version and what is new."""
        beside = {name: _text(value) for name, value in self.params if not isinstance(value, Secret)}
        if self.version is not None and self.version[0].startswith("?"):
            beside[self.version[0][1:]] = self.version[1]
        if follows is not None and self.since is not None and (value := follows.asked()) is not None:
            beside[self.since] = value
        return beside

    def _get(self, client: RestClient, asked: Asked, beside: Mapping[str, str | int]) -> Answer:
        headers: dict[str, str | Secret] = {
            name: value if isinstance(value, Secret) else str(value) for name, value in self.headers
        }
        if self.version is not None and not self.version[0].startswith("?"):
            headers[self.version[0]] = self.version[1]
        params: Mapping[str, str | int] | None = None if asked.own_query else {**beside, **asked.params}
        body: Any = None
        if self.method == "POST":
            body = {**(_loaded(self.body) if self.body else {}), **(params or {})}
            params = None
        return client.get(
            asked.url,
            method=self.method,
            params=params,
            headers=headers,
            secret_params={name: value for name, value in self.params if isinstance(value, Secret)},
            body=body,
        )

    def _version(self, answer: Answer) -> str:
        """What the server says that it is, else what was asked for."""
        pinned, asked = self.version or ("", "")
        for name in (pinned.lower(), *_VERSIONS):
            if name and answer.headers.get(name):
                return answer.headers[name]
        return asked

    @staticmethod
    def _secret(values: Values) -> bool:
        return any(isinstance(value, Secret) for _, value in values)


def _once(asked: Asked, seen: set[bytes], number: int) -> None:
    what = json.dumps([asked.url, sorted(asked.params.items())], default=str).encode()
    key = hashlib.blake2b(what, digest_size=16).digest()
    if key in seen:
        raise DataError(
            "the pages go in a circle: this one was asked for before", place=f"{redacted(asked.url)}, page {number}",
            mend="is paginate= the way that this server pages?",
        )  # fmt: skip
    seen.add(key)


def _another(content: bytes, before: bytes, rows: list[Row], place: str) -> bytes:
    """The digest of a page, which is not that of the page before it."""
    digest = hashlib.blake2b(content, digest_size=16).digest()
    if rows and digest == before:
        raise DataError(
            "the server gives the same page again", place=place, value=f"{len(rows)} rows",
            mend="does it know the parameters of paginate=?",
        )  # fmt: skip
    return digest


def _text(value: object) -> str | int:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str | int) else repr(value)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def rest(
    url: str,
    path: str = "",
    *,
    params: Mapping[str, str | int | float | bool | Secret] | None = None,
    headers: Mapping[str, str | Secret] | None = None,
    rows: str = "$[*]",
    paginate: Pagination | None = None,
    sign_in: HttpSignIn | None = None,
    version: tuple[str, str] | None = None,
    since: str | None = None,
    method: str = "GET",
    body: Mapping[str, Any] | None = None,
    rate: str | None = None,
    hosts: Names = (),
    most_pages: int = 100_000,
    most_bytes: int = 64 << 20,
    in_the_clear: bool = False,
) -> Rest:
    """Rows from a REST API; see `noria.sources.Rest`."""
    return Rest(
        url, path, params=dict(params or {}), headers=dict(headers or {}), rows=rows, paginate=paginate,
        sign_in=sign_in, version=version, since=since, method=method, body=None if body is None else dict(body),
        rate=rate, hosts=hosts, most_pages=most_pages, most_bytes=most_bytes, in_the_clear=in_the_clear,
    )  # fmt: skip
